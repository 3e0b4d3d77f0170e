"""What a thread beside the render uses is loaded before it starts."""

from __future__ import annotations

import subprocess
import sys


def test_scipy_signal_is_loaded_before_joins_are_measured_in_a_thread() -> None:
    # The main thread filters at the same time; two first imports at once can end in a _DeadlockError.
    code = "import sys, riffcomposer.render.quality; print('scipy.signal' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "True"
