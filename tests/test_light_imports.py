"""Packages whose `__init__` waits until something is asked of them, and what loading leaves unimported."""

from __future__ import annotations

import gc
import importlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from riffcomposer.light_imports import light_imports

NAME = "collection_of_tests"

NEEDLESS = (
    "diffusers.models.transformers.transformer_flux",
    "diffusers.models.unets.unet_1d",
    "diffusers.models.autoencoders.autoencoder_tiny",
    "scipy.signal",
    "scipy.integrate._ivp",
    "scipy.optimize._optimize",
    "riffcomposer.synth.piece_audio",
)
"""Modules of other networks, and of the synth, which only some songs use."""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package that notes each run of its `__init__`, and its two modules."""
    folder = tmp_path / NAME
    folder.mkdir()
    (folder / "__init__.py").write_text(
        "from pathlib import Path\n"
        "with open(Path(__file__).with_name('runs'), 'a') as runs:\n    runs.write('x')\n"
        "from .small import SMALL\nfrom .large import LARGE\n"
    )
    (folder / "small.py").write_text("SMALL = 1\n")
    (folder / "large.py").write_text("LARGE = 2\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == NAME]:
        del sys.modules[name]


def runs(package: Path) -> int:
    file = package / "runs"
    return len(file.read_text()) if file.exists() else 0


def test_a_module_is_imported_without_its_package(package: Path) -> None:
    with light_imports({NAME: frozenset()}):
        assert importlib.import_module(f"{NAME}.small").SMALL == 1
    assert runs(package) == 0
    assert f"{NAME}.large" not in sys.modules


def test_the_init_runs_once_when_the_package_is_asked(package: Path) -> None:
    with light_imports({NAME: frozenset()}):
        small = importlib.import_module(f"{NAME}.small")
    whole = sys.modules[NAME]
    assert whole.LARGE == 2
    assert whole.small is small
    assert "SMALL" in dir(whole)
    assert runs(package) == 1
    # From now on it is a module like any other.
    assert type(whole) is type(sys)
    assert importlib.reload(whole) is whole
    assert runs(package) == 2


def test_threads_that_ask_at_once_find_a_finished_package(package: Path) -> None:
    with light_imports({NAME: frozenset()}):
        importlib.import_module(f"{NAME}.small")
    (package / "large.py").write_text("import time\ntime.sleep(0.1)\nLARGE = 2\n")
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(sys.modules[NAME].LARGE)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [2] * 4
    assert runs(package) == 1


def test_a_fault_in_the_init_is_told_each_time(package: Path) -> None:
    (package / "large.py").write_text("raise ImportError('no such library')\n")
    with light_imports({NAME: frozenset()}):
        importlib.import_module(f"{NAME}.small")
    for _ in range(2):
        with pytest.raises(ImportError, match="no such library"):
            _ = sys.modules[NAME].LARGE


def test_what_a_package_does_not_have_it_does_not_have(package: Path) -> None:
    with light_imports({NAME: frozenset()}):
        whole = importlib.import_module(NAME)
    assert not hasattr(whole, "nothing")
    assert runs(package) == 1


def test_a_function_may_be_imported_before_its_package_runs(package: Path) -> None:
    (package / "large.py").write_text("def LARGE(number, *, more=0):\n    return number + more\n")
    with light_imports({NAME: frozenset({"LARGE"})}):
        large = importlib.import_module(NAME).LARGE
    assert runs(package) == 0
    assert large(2, more=1) == 3
    assert runs(package) == 1
    assert large(3) == 3
    assert sys.modules[NAME].LARGE is not large, "the package has its own function"
    assert runs(package) == 1


def test_nothing_stays_behind(package: Path) -> None:
    finders = list(sys.meta_path)
    with suppress(KeyError), light_imports({NAME: frozenset()}):
        assert not gc.isenabled()
        raise KeyError
    assert sys.meta_path == finders
    assert gc.isenabled()
    importlib.import_module(f"{NAME}.small")
    assert runs(package) == 1


@pytest.mark.parametrize("module", ["engine", "loading"])
def test_collecting_is_off_when_torch_is_asked_for(module: str) -> None:
    program = (
        "import gc, sys\n"
        "class NoTorch:\n"
        "    def find_spec(self, name, *rest):\n"
        "        if name == 'torch':\n"
        "            print(gc.isenabled())\n"
        "            raise SystemExit\n"
        "sys.meta_path.insert(0, NoTorch())\n"
        f"import riffcomposer.diffusion.{module}\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout == "False\n", done.stderr


def test_torch_is_imported_without_collecting_garbage() -> None:
    program = (
        "import gc, sys\n"
        "seen = []\n"
        "def note(phase, info):\n"
        "    finished = hasattr(sys.modules.get('riffcomposer.arrays'), 'torch')\n"
        "    seen.append('torch' in sys.modules and not finished)\n"
        "gc.callbacks.append(note)\n"
        "import riffcomposer.diffusion.engine\n"
        "gc.collect()\n"
        "assert seen and not any(seen), sum(seen)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_checkpoint_is_loaded_without_what_it_does_not_use(tiny_flow_checkpoint: Path) -> None:
    program = (
        "import sys\n"
        "from riffcomposer.diffusion.engine import Engine\n"
        "from riffcomposer.checkpoints.locate import locate_model\n"
        f"engine = Engine(locate_model({str(tiny_flow_checkpoint)!r}), device='cpu')\n"
        f"needless = {NEEDLESS!r}\n"
        "assert not [name for name in needless if name in sys.modules]\n"
        "from riffcomposer.scipy_signal import signal\n"
        "assert 'scipy.stats.distributions' not in sys.modules\n"
        "import scipy.stats\n"
        "assert signal.find_peaks_cwt([0, 1, 4, 1, 0, 0, 1, 5, 1, 0], [1, 2]).size == 2\n"
        "assert 0.5 < scipy.stats.beta.ppf(0.7, 2, 2) < 0.7\n"
        "from scipy import integrate, optimize\n"
        "assert abs(integrate.quad(lambda x: x * x, 0, 3)[0] - 9) < 1e-9\n"
        "assert optimize.linear_sum_assignment([[2, 1], [1, 2]])[1].tolist() == [1, 0]\n"
        "from diffusers import AutoencoderTiny, FluxTransformer2DModel, UNet1DModel\n"
        "from importlib.util import find_spec\n"
        "assert all(find_spec(name) for name in needless), 'none of them has another name now'\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
