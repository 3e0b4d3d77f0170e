"""Stored levels come back as they were, from several threads at once too."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from riffcomposer.render.engines.levels import FileLevels, pack_level, unpack_level


def test_threads_read_levels_one_after_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    level = np.linspace(0, 1, 24, dtype=np.float32).reshape(1, 4, 6).astype(np.float16)
    payload = pack_level(level)
    (tmp_path / "level").write_bytes(payload)
    from_file = FileLevels({"key": tmp_path / "level"})
    inside, most = [0], [0]
    counting = threading.Lock()
    load = np.load

    def slow(*arguments: Any, **named: Any) -> Any:
        with counting:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        time.sleep(0.005)
        found = load(*arguments, **named)
        with counting:
            inside[0] -= 1
        return found

    monkeypatch.setattr(np, "load", slow)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda index: (from_file("key"), unpack_level(payload))[index % 2], range(16)))
    assert most == [1], "Python 3.11's parser, which numpy reads heads with, fails in several threads"
    for each in found:
        assert each.dtype == np.float32
        assert np.array_equal(each, level)
