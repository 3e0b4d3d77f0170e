"""What an engine does when a batch or a clip fails or the user stops it, and which events it sends."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from riffcomposer.checkpoints.locate import locate_model
from riffcomposer.diffusion.engine import ClipFailure, Engine
from riffcomposer.errors import Cancelled, UsageError


@pytest.fixture
def fresh_engine(tiny_checkpoint: Path) -> Any:
    """An engine of this test's own, since these tests break it."""
    return Engine(locate_model(str(tiny_checkpoint)), device="cpu")


def jobs_of(make_job: Any, count: Any, **fields: Any) -> Any:
    return {
        f"clip {index}": make_job(seed_a=index, num_inference_steps=2, **fields) for index in range(count)
    }


def test_out_of_memory_halves_the_batch(
    fresh_engine: Any, make_job: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []
    forward = fresh_engine.checkpoint.unet.forward

    def small_memory(inputs: Any, *rest: Any, **named: Any) -> Any:
        sizes.append(len(inputs))
        if len(inputs) > 4:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(inputs, *rest, **named)

    monkeypatch.setattr(fresh_engine.checkpoint.unet, "forward", small_memory)
    results = dict(fresh_engine.render(jobs_of(make_job, 8)))
    assert all(isinstance(result, np.ndarray) for result in results.values())
    assert len(results) == 8
    assert sizes[:3] == [16, 8, 4]
    sizes.clear()
    dict(fresh_engine.render(jobs_of(make_job, 8)))
    assert max(sizes) == 4, "the size that fitted is remembered"


def test_out_of_memory_with_one_clip_is_said_plainly(
    fresh_engine: Any, make_job: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(*rest: Any, **named: Any) -> Any:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(fresh_engine.checkpoint.unet, "forward", no_memory)
    results = dict(fresh_engine.render(jobs_of(make_job, 2)))
    assert all("out of memory on cpu with one clip" in result.message for result in results.values())


def test_decoding_halves_too(fresh_engine: Any, make_job: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    decode = fresh_engine.checkpoint.vae.decode

    def small_memory(latents: Any, *rest: Any, **named: Any) -> Any:
        if len(latents) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return decode(latents, *rest, **named)

    monkeypatch.setattr(fresh_engine.checkpoint.vae, "decode", small_memory)
    assert all(isinstance(result, np.ndarray) for _, result in fresh_engine.render(jobs_of(make_job, 4)))


def test_one_bad_clip_does_not_stop_the_others(
    engine: Any, make_job: Any, seed_clip: Any, tmp_path: Path
) -> None:
    from dataclasses import replace

    jobs = jobs_of(make_job, 3, init=seed_clip)
    bad = replace(seed_clip, path=tmp_path / "gone.png")
    jobs["clip 1"] = replace(jobs["clip 1"], init=bad)
    events: list[Any] = []
    results = dict(engine.render(jobs, on_event=events.append))
    assert isinstance(results["clip 1"], ClipFailure)
    assert "gone.png cannot be read" in results["clip 1"].message
    assert all(isinstance(results[key], np.ndarray) for key in ("clip 0", "clip 2"))
    assert [event.key for event in events if event.kind == "failed"] == ["clip 1"]


def test_values_that_are_not_finite_are_a_failure(
    fresh_engine: Any, make_job: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = fresh_engine.checkpoint.unet.forward

    def explode(inputs: Any, *rest: Any, **named: Any) -> Any:
        output = forward(inputs, *rest, **named)
        return (output[0] * float("nan"),)

    monkeypatch.setattr(fresh_engine.checkpoint.unet, "forward", explode)
    ((_, result),) = fresh_engine.render(jobs_of(make_job, 1))
    assert "not finite" in result.message


def test_cancelling_between_steps_keeps_what_was_finished(engine: Any, make_job: Any) -> None:
    jobs = jobs_of(make_job, 1) | {"late": make_job(num_inference_steps=7)}
    seen: list[Any] = []
    rendering = engine.render(jobs, on_event=seen.append, cancelled=lambda: len(seen) > 6)
    first, result = next(rendering)
    assert first == "clip 0"
    assert isinstance(result, np.ndarray)
    with pytest.raises(Cancelled):
        list(rendering)
    assert 0 < max(event.step for event in seen if event.key == "late") < 7


def test_events_count_the_steps_and_estimate_the_end(engine: Any, make_job: Any) -> None:
    events: list[Any] = []
    dict(engine.render({"clip": make_job(num_inference_steps=4)}, on_event=events.append))
    kinds = [(event.kind, event.step, event.of) for event in events]
    assert kinds == [("started", 0, 4), *(("step", step, 4) for step in (1, 2, 3, 4)), ("finished", 4, 4)]
    assert events[-1].eta_seconds == 0
    assert all(event.eta_seconds >= 0 for event in events[1:])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"width_frames": 40}, "multiples of 16 up to 1024"),
        ({"width_frames": 2048}, "multiples of 16 up to 1024"),
        ({"width_frames": 0}, "multiples of 16 up to 1024"),
        ({"scheduler": "heun"}, "no scheduler 'heun'"),
        ({"backend": "cuda-float16"}, "planned for cuda-float16"),
    ],
)
def test_jobs_the_model_cannot_render_are_refused(
    engine: Any, make_job: Any, fields: Any, message: Any
) -> None:
    ((_, result),) = engine.render({"clip": make_job(**fields)})
    assert message in result.message


def test_a_strength_that_runs_no_step_is_refused(engine: Any, make_job: Any, seed_clip: Any) -> None:
    ((_, result),) = engine.render({"clip": make_job(init=seed_clip, strength=0.05)})
    assert "runs no step" in result.message


def test_a_flow_model_refuses_a_scheduler_it_cannot_run(flow_engine: Any, make_job: Any) -> None:
    ((_, result),) = flow_engine.render({"clip": make_job(scheduler="pndm", negative_prompt="")})
    assert "cannot run a model that predicts a flow" in result.message


def test_a_seed_clip_is_encoded_once(
    engine: Any, make_job: Any, seed_clip: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    encode = engine.checkpoint.vae.encode

    def counted(image: Any) -> Any:
        calls.append(len(image))
        return encode(image)

    monkeypatch.setattr(engine.checkpoint.vae, "encode", counted)
    engine._inits._known.clear()
    dict(engine.render(jobs_of(make_job, 20, init=seed_clip)))
    assert calls == [1]


def test_an_unknown_device_is_refused(tiny_checkpoint: Path) -> None:
    with pytest.raises(UsageError, match="toaster"):
        Engine(locate_model(str(tiny_checkpoint)), device="toaster")
    if not torch.cuda.is_available():
        with pytest.raises(UsageError, match="not on this machine"):
            Engine(locate_model(str(tiny_checkpoint)), device="cuda")


def test_a_closed_engine_frees_its_networks(tiny_checkpoint: Path, make_job: Any) -> None:
    engine = Engine(locate_model(str(tiny_checkpoint)), device="cpu")
    dict(engine.render(jobs_of(make_job, 1)))
    networks = [
        weakref.ref(network)
        for network in (engine.checkpoint.unet, engine.checkpoint.vae, engine.checkpoint.text_encoder)
    ]
    engine.close()
    assert [network() for network in networks] == [None] * 3
