"""What a render holds in memory, on which thread it speaks, and how it ends when a passage fails."""

from __future__ import annotations

import gc
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from small_song import FakeEngine, FakeEngines, Studio

from riffcomposer.api import plan_song
from riffcomposer.errors import RenderError
from riffcomposer.render import clip_stage, passage_stage
from riffcomposer.render.engines.interface import Done, Failed
from riffcomposer.render.events import ignore
from riffcomposer.render.stopping import StopFlag
from riffcomposer.store import sealed_file

SIX = "title: Six\ntempo: 400\nmodel: ./model\nsections:\n" + "".join(
    f"  - {{name: part {index}, prompt: hum {index}, seed: {index}, clips: 1}}\n" for index in range(6)
)


class FreshEngines(FakeEngines):
    """Makes each engine anew and keeps none."""

    def __init__(self) -> None:
        super().__init__(FakeEngine())
        self.made: list[weakref.ref[FakeEngine]] = []

    def open(self, device: str) -> FakeEngine:
        engine = FakeEngine()
        self.made.append(weakref.ref(engine))
        return engine


def test_the_engine_is_gone_before_decoding(studio: Studio) -> None:
    engines = FreshEngines()
    alive: dict[str, bool] = {}

    def observer(event: Any) -> None:
        if event.stage not in alive:
            gc.collect()
            alive[event.stage] = any(made() is not None for made in engines.made)

    studio.render(engines, observer=observer)
    assert len(engines.made) == 1
    assert alive == {
        "load": False,
        "clips": True,
        **dict.fromkeys(("decode", "mix", "master", "write"), False),
    }


def test_the_engine_is_closed_also_when_clips_fail(studio: Studio) -> None:
    first = next(iter(plan_song(studio.song, store=studio.store).plan.jobs))
    unlucky = FakeEngine(failures={first: 2})
    with pytest.raises(RenderError):
        studio.render(unlucky)
    assert unlucky.closed == 1


def test_observers_are_called_on_the_calling_thread(studio: Studio) -> None:
    threads: dict[str, set[int]] = {}

    def observer(event: Any) -> None:
        threads.setdefault(event.stage, set()).add(threading.get_ident())

    studio.render(observer=observer)
    assert set(threads) == {"load", "clips", "decode", "mix", "master", "write"}
    assert set.union(*threads.values()) == {threading.get_ident()}


class BrokenDecoder:
    """Fails on the first passage that it gets, as soon as another one is at work too."""

    def __init__(self, gate: Callable[[], object]) -> None:
        self.begun = self.blocks = 0
        self.lock, self.gate = threading.Lock(), gate
        self.second_works = threading.Event()

    def decode_stream(self, *arguments: Any, **options: Any) -> Iterator[np.ndarray]:
        with self.lock:
            self.begun += 1
            first = self.begun == 1
        if first:
            assert self.second_works.wait(10)
            raise RenderError("the first one broke")
        self.second_works.set()
        for _ in range(20):
            self.blocks += 1
            yield np.zeros((1, 1), np.float32)
            self.gate()


def test_after_a_passage_failed_no_other_one_is_begun_and_those_at_work_stop(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio.song.write_text(SIX)
    failed = threading.Event()
    shutdown = ThreadPoolExecutor.shutdown

    def watched(pool: Any, *arguments: Any, **options: Any) -> None:
        failed.set()
        shutdown(pool, *arguments, **options)

    monkeypatch.setattr(ThreadPoolExecutor, "shutdown", watched)
    decoder = BrokenDecoder(lambda: failed.wait(0.2))
    monkeypatch.setattr(passage_stage, "decoder_for", lambda *arguments: decoder)
    monkeypatch.setattr("riffcomposer.spectrogram.threads.available_cores", lambda: 2)
    with pytest.raises(RenderError, match="the first one broke"):
        studio.render()
    assert decoder.begun <= 3, "the freed worker may have taken one more before the failure was seen"
    assert decoder.blocks < 20, "a passage at work went on to its end"


@pytest.mark.parametrize(("lost", "words"), [(1, "a clip 1 "), (3, " and 2 more")])
def test_clips_that_the_engine_never_returns_are_counted(studio: Studio, lost: int, words: str) -> None:
    class Forgetful(FakeEngine):
        def render(self, jobs: Any, *options: Any) -> Iterator[Done | Failed]:
            return super().render(dict(list(jobs.items())[lost:]), *options)

    studio.edit("name: first", "name: a")
    made = plan_song(studio.song, store=studio.store).plan
    with pytest.raises(RenderError, match="returned nothing for") as failure:
        clip_stage.render_missing(made, studio.store, made.jobs, Forgetful(), ignore, StopFlag())
    assert words in str(failure.value)
    assert ("more" in str(failure.value)) == (lost > 1)


def test_a_render_hashes_each_payload_once(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    counts: Counter[tuple[str, str]] = Counter()
    hasher = sealed_file._hasher

    def counting(kind: str, key: str) -> Any:
        counts[kind, key] += 1
        return hasher(kind, key)

    monkeypatch.setattr(sealed_file, "_hasher", counting)
    studio.render()
    assert Counter(kind for kind, _ in counts) == {"clip": 8, "passage": 2, "track": 1}
    assert set(counts.values()) == {1}
    counts.clear()
    studio.edit("gain_db: -3", "gain_db: -4")
    studio.render()
    assert Counter(kind for kind, _ in counts) == {"clip": 8, "passage": 2, "track": 1}
    assert set(counts.values()) == {1}
