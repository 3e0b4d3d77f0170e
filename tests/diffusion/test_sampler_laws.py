"""Properties of every sampled clip: symmetry, determinism, masks, and the strengths 0 and 1."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from riffcomposer.diffusion.engine import ClipFailure
from riffcomposer.diffusion.latents import encode
from riffcomposer.diffusion.sampler import detail_shares, guided, sample
from riffcomposer.plan.types import Place
from riffcomposer.strength import KEPT_UNTIL

# A clip alone and in any batch agree to this on a CPU (levels are 0..1; 1/255 is a step of the image).
BATCH_BOUND = 1e-4


def latents(engine: Any, job: Any) -> Any:
    group = engine._group(job)
    return sample(engine.checkpoint, engine._clips(group, [job]), group.settings)


@pytest.mark.parametrize("alpha", [0.1, 0.25, 0.5, 0.9])
@pytest.mark.parametrize("scheduler", ["ddim", "euler_a"])
def test_a_walk_is_the_same_backwards(
    engine: Any, make_job: Any, seed_clip: Any, render_one: Any, alpha: Any, scheduler: Any
) -> None:
    there = make_job(init=seed_clip, alpha=alpha, scheduler=scheduler)
    place = there.place
    back = replace(there, place=Place(place.b, place.a, 1 - alpha))
    assert np.abs(render_one(engine, there) - render_one(engine, back)).max() < BATCH_BOUND


@pytest.mark.parametrize("name", ["engine", "flow_engine"])
def test_alone_equals_in_a_batch(
    request: Any, make_job: Any, seed_clip: Any, render_one: Any, name: Any
) -> None:
    engine = request.getfixturevalue(name)
    scheduler = engine.located.profile.scheduler
    negative = "" if name == "flow_engine" else "hum"
    jobs = {
        str(index): make_job(
            init=seed_clip,
            seed_a=index,
            alpha=index / 5,
            scheduler=scheduler,
            guidance_scale=2.0 + index,
            negative_prompt=negative,
        )
        for index in range(5)
    }
    together = dict(engine.render(jobs))
    assert list(together) == list(jobs)
    for key, job in jobs.items():
        assert np.abs(together[key] - render_one(engine, job)).max() < BATCH_BOUND
    assert np.abs(together["0"] - together["4"]).max() > 0.01


@pytest.mark.parametrize("scheduler", ["ddim", "dpmpp_2m", "euler", "euler_a", "pndm", "lms", "unipc", "lcm"])
def test_the_same_job_gives_the_same_bytes(
    engine: Any, make_job: Any, seed_clip: Any, render_one: Any, scheduler: Any
) -> None:
    job = make_job(init=seed_clip, scheduler=scheduler, alpha=0.4)
    first = render_one(engine, job)
    torch.manual_seed(123)
    torch.randn(7)
    assert render_one(engine, job).tobytes() == first.tobytes()
    assert (
        np.abs(
            render_one(engine, make_job(init=seed_clip, scheduler=scheduler, alpha=0.4, seed_a=99)) - first
        ).max()
        > 1e-3
    )


def test_rendering_leaves_the_global_generators_alone(engine: Any, make_job: Any, render_one: Any) -> None:
    before = torch.get_rng_state()
    render_one(engine, make_job(scheduler="euler_a"))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("scheduler", ["ddim", "dpmpp_2m", "euler", "euler_a", "pndm", "lms", "unipc", "lcm"])
def test_black_keeps_the_original_and_white_repaints(
    engine: Any, make_job: Any, seed_clip: Any, half_mask: Any, scheduler: Any
) -> None:
    job = make_job(init=seed_clip, mask=half_mask, scheduler=scheduler)
    original = encode(engine.checkpoint, engine._levels.level(job)[None])
    found = latents(engine, job)
    assert torch.allclose(found[..., :4], original[..., :4], atol=1e-5)
    assert (found[..., 4:] - original[..., 4:]).abs().mean() > 0.1


def test_during_a_masked_run_black_stands_at_the_renoised_original(
    engine: Any, make_job: Any, seed_clip: Any, half_mask: Any
) -> None:
    job = make_job(init=seed_clip, mask=half_mask)
    original = encode(engine.checkpoint, engine._levels.level(job)[None])
    group = engine._group(job)
    noise = engine._clips(group, [job])[0].noise.draw()
    seen = []

    def watching(inputs: Any, time: Any, **rest: Any) -> Any:
        seen.append((inputs[:1].clone(), time))
        return engine.checkpoint.unet(inputs, time, **rest)

    sample(engine.checkpoint, engine._clips(group, [job]), group.settings, unet=watching)
    from diffusers import DDIMScheduler

    scheduler = DDIMScheduler.from_config(engine.checkpoint.scheduler_config)
    assert len(seen) == 6
    for inputs, time in seen:
        wanted = scheduler.add_noise(original, noise[None], time.reshape(1))
        assert torch.allclose(inputs[..., :4], wanted[..., :4], atol=1e-5)


def test_grey_blends(engine: Any, make_job: Any, seed_clip: Any, tmp_path: Path) -> None:
    from PIL import Image

    from riffcomposer.files import file_sha256
    from riffcomposer.plan.types import MaskImage

    def masked(grey: Any) -> Any:
        path = tmp_path / f"{grey}.png"
        Image.new("L", (64, 64), grey).save(path)
        mask = MaskImage("grey", path, file_sha256(path))
        return latents(engine, make_job(init=seed_clip, mask=mask))

    black, grey, white = masked(0), masked(128), masked(255)
    assert 0.02 < (grey - black).abs().mean() < (white - black).abs().mean()
    assert torch.allclose(white, latents(engine, make_job(init=seed_clip)), atol=1e-5)


def test_strength_0_is_the_seed_clip_itself(
    engine: Any, make_job: Any, seed_clip: Any, render_one: Any
) -> None:
    from riffcomposer.spectrogram.image import read_image

    level, _, _ = read_image(seed_clip.path)
    found = render_one(engine, make_job(init=seed_clip, strength=0.0, frames_per_quarter=Fraction(32)))
    assert np.array_equal(found, level.numpy())


@pytest.mark.parametrize("name", ["engine", "flow_engine"])
def test_strength_1_forgets_the_seed_clip(
    request: Any, make_job: Any, seed_clip: Any, render_one: Any, name: Any
) -> None:
    engine = request.getfixturevalue(name)
    common = {"scheduler": engine.located.profile.scheduler, "negative_prompt": ""}
    whole = render_one(engine, make_job(init=seed_clip, strength=1.0, **common))
    assert np.array_equal(whole, render_one(engine, make_job(init=None, strength=0.2, **common)))


@pytest.mark.parametrize("name", ["engine", "flow_engine"])
def test_a_clip_leaves_its_seed_as_strength_grows(
    request: Any, make_job: Any, seed_clip: Any, name: Any
) -> None:
    engine = request.getfixturevalue(name)
    common = {"scheduler": engine.located.profile.scheduler, "negative_prompt": "", "guidance_scale": 1.0}
    jobs = [make_job(init=seed_clip, strength=s, **common) for s in (0.1, 0.4, 0.7, 0.9)]
    original = encode(engine.checkpoint, engine._levels.level(jobs[0])[None])
    moved = [float((latents(engine, job) - original).abs().mean()) for job in jobs]
    assert moved == sorted(moved)
    assert moved[0] < 0.6 * moved[-1]


def test_the_negative_prompt_is_heard(engine: Any, make_job: Any, render_one: Any) -> None:
    plain = render_one(engine, make_job(negative_prompt=""))
    assert np.abs(plain - render_one(engine, make_job(negative_prompt="drums"))).max() > 1e-3


def test_guidance_1_needs_no_second_pass(engine: Any, make_job: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    forward = engine.checkpoint.unet.forward

    def watching(inputs: Any, *rest: Any, **named: Any) -> Any:
        sizes.append(len(inputs))
        return forward(inputs, *rest, **named)

    monkeypatch.setattr(engine.checkpoint.unet, "forward", watching)
    latents(engine, make_job(guidance_scale=1.0, num_inference_steps=2))
    latents(engine, make_job(guidance_scale=2.0, num_inference_steps=2))
    assert sizes == [1, 1, 2, 2]


@pytest.mark.parametrize("width", [16, 48, 128])
def test_any_width_the_profile_allows(
    engine: Any, make_job: Any, seed_clip: Any, render_one: Any, width: Any
) -> None:
    assert render_one(engine, make_job(init=seed_clip, width_frames=width)).shape == (1, 64, width)


def test_a_guidance_embedding_takes_the_place_of_the_second_pass(
    tmp_path: Path, make_job: Any, render_one: Any
) -> None:
    from tiny_checkpoint import TINY_FLOW_PROFILE, build_tiny_checkpoint

    from riffcomposer.checkpoints.locate import locate_model
    from riffcomposer.diffusion.engine import Engine

    profile = replace(TINY_FLOW_PROFILE, guidance_embedding=True, supports_negative_prompt=False)
    engine = Engine(locate_model(str(build_tiny_checkpoint(tmp_path / "student", profile))), device="cpu")
    job = make_job(scheduler="euler", negative_prompt="", num_inference_steps=4)
    weak = render_one(engine, job)
    strong = make_job(scheduler="euler", negative_prompt="", num_inference_steps=4, guidance_scale=2.0)
    assert np.abs(weak - render_one(engine, strong)).max() > 1e-5
    ((_, refused),) = engine.render({"clip": replace(job, negative_prompt="hum")})
    assert isinstance(refused, ClipFailure)
    assert "negative prompt" in refused.message


def test_guidance_of_the_timbre_alone_moves_nothing_in_time() -> None:
    generator = torch.Generator().manual_seed(3)
    away, towards = (torch.randn(2, 3, 4, 8, generator=generator) for _ in range(2))
    scales = torch.tensor([5.0, 2.0])
    plain = guided(away, towards, scales, torch.ones(2))
    assert torch.allclose(plain, away + scales[:, None, None, None] * (towards - away))
    timbre = guided(away, towards, scales, torch.zeros(2))
    assert torch.allclose(timbre.mean(3), plain.mean(3), atol=1e-5)
    moved = timbre - towards
    assert torch.allclose(moved, moved[..., :1].expand_as(moved), atol=1e-5)
    half = guided(away, towards, scales, torch.full((2,), 0.5))
    assert torch.allclose(half, (timbre + plain) / 2, atol=1e-5)


def test_guidance_of_details_returns_where_no_loop_is_left_to_keep() -> None:
    shares = detail_shares(0.2, torch.tensor([0.0, 0.5, KEPT_UNTIL, 0.9, 1.0]))
    assert shares.tolist() == pytest.approx([0.2, 0.2, 0.2, 0.6, 1.0])
    assert detail_shares(1.0, torch.tensor([0.3, 1.0])).tolist() == [1.0, 1.0]


def test_a_model_without_detail_guidance_keeps_more_of_a_loop_and_renders_text_as_before(
    tmp_path: Path, make_job: Any, render_one: Any, seed_clip: Any
) -> None:
    from tiny_checkpoint import TINY_FLOW_PROFILE, build_tiny_checkpoint

    from riffcomposer.checkpoints.locate import locate_model
    from riffcomposer.checkpoints.profile import write_profile
    from riffcomposer.diffusion.engine import Engine

    folder = build_tiny_checkpoint(tmp_path / "model", TINY_FLOW_PROFILE)
    engines = []
    for share in (1.0, 0.0):
        write_profile(folder, replace(TINY_FLOW_PROFILE, detail_guidance=share))
        engines.append(Engine(locate_model(str(folder)), device="cpu"))
    fields = {"scheduler": "euler", "negative_prompt": "", "guidance_scale": 8.0}
    text = [render_one(engine, make_job(**fields)) for engine in engines]
    assert np.array_equal(*text)
    plain, gentle = (latents(engine, make_job(init=seed_clip, **fields)) for engine in engines)
    unguided = latents(engines[0], make_job(init=seed_clip, **{**fields, "guidance_scale": 1.0}))

    def moved(result: torch.Tensor) -> float:
        """How far a result is from that without guidance, its mean over time left out."""
        change = result - unguided
        return float((change - change.mean(3, keepdim=True)).norm())

    assert 0 < moved(gentle) < moved(plain)
