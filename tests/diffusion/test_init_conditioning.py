"""A model that takes what a clip starts from gets it without noise, and nothing where there is nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_checkpoint import TINY_FLOW_PROFILE, TINY_PROFILE, build_tiny_checkpoint

from riffcomposer.checkpoints.locate import locate_model
from riffcomposer.checkpoints.profile import digest_of, write_profile
from riffcomposer.checkpoints.verify import verify_model
from riffcomposer.diffusion.engine import Engine
from riffcomposer.diffusion.init_conditioning import unet_input
from riffcomposer.diffusion.latents import encode
from riffcomposer.diffusion.nearness import clip_nearness
from riffcomposer.diffusion.sampler import sample
from riffcomposer.errors import ModelError

CONDITIONED = replace(TINY_FLOW_PROFILE, name="tiny conditioned", init_conditioning=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_checkpoint(tmp_path_factory.mktemp("model"), CONDITIONED)


@pytest.fixture(scope="module")
def conditioned(folder: Path) -> Engine:
    return Engine(locate_model(str(folder)), device="cpu")


def seen(engine: Engine, *jobs: Any) -> list[torch.Tensor]:
    """What the UNet gets at each step while these clips are rendered in one batch."""
    group = engine._group(jobs[0])
    inputs: list[torch.Tensor] = []

    def listening(latents: torch.Tensor, *values: Any, **more: Any) -> Any:
        inputs.append(latents.clone())
        return engine.checkpoint.unet(latents, *values, **more)

    made = sample(engine.checkpoint, engine._clips(group, jobs), group.settings, unet=listening)
    assert made.shape[1] == engine.checkpoint.latent_channels == 16
    return inputs


def test_the_loop_is_shown_without_noise_in_both_passes(
    conditioned: Engine, make_job: Any, seed_clip: Any
) -> None:
    job = make_job(init=seed_clip, scheduler="euler", negative_prompt="", guidance_scale=4.0)
    inputs = seen(conditioned, job, replace(job, place=replace(job.place, alpha=0.5)))
    group = conditioned._group(job)
    (clip,) = conditioned._clips(group, [job])
    assert clip.clean is not None
    assert len(inputs) == group.settings.count
    for each in inputs:
        assert each.shape[:2] == (4, 32)  # two clips, without and with the prompt
        for row in each:
            assert torch.equal(row[16:], clip.clean)
        assert not torch.equal(each[0, :16], clip.clean)


@pytest.mark.parametrize("fields", [{}, {"strength": 1.0}])
def test_nothing_is_shown_where_noise_alone_is_the_start(
    conditioned: Engine, make_job: Any, seed_clip: Any, fields: Any
) -> None:
    job = make_job(init=seed_clip if fields else None, scheduler="euler", negative_prompt="", **fields)
    for each in seen(conditioned, job):
        assert not each[:, 16:].any()
        assert each[:, :16].any()


def test_a_model_that_does_not_take_it_gets_the_noisy_latents_alone(
    flow_engine: Engine, make_job: Any, seed_clip: Any
) -> None:
    job = make_job(init=seed_clip, scheduler="euler", negative_prompt="")
    assert {each.shape[1] for each in seen(flow_engine, job)} == {16}
    noisy = torch.ones(1, 2, 3, 4)
    assert unet_input(noisy, noisy, conditioned=False) is noisy


def test_a_clip_alone_equals_itself_in_a_batch(
    conditioned: Engine, make_job: Any, seed_clip: Any, render_one: Any
) -> None:
    jobs = {
        str(seed): make_job(init=seed_clip, seed_a=seed, scheduler="euler", negative_prompt="")
        for seed in range(3)
    }
    for name, level in conditioned.render(jobs):
        assert np.abs(level - render_one(conditioned, jobs[name])).max() < 1e-4


def test_the_nearness_of_a_clip_is_measured_without_its_loop(
    conditioned: Engine, make_job: Any, seed_clip: Any, render_one: Any
) -> None:
    job = make_job(init=seed_clip, scheduler="euler", negative_prompt="")
    level = render_one(conditioned, job)
    near = clip_nearness(conditioned.checkpoint, conditioned._prompts, job, level)
    assert near == clip_nearness(conditioned.checkpoint, conditioned._prompts, replace(job, init=None), level)
    assert encode(conditioned.checkpoint, level[None]).shape[1] == 16


def test_a_profile_that_does_not_fit_the_unet_is_refused(folder: Path, tmp_path: Path) -> None:
    located = locate_model(str(folder))
    with pytest.raises(ModelError, match=r"unet in_channels is 32, but vae latent_channels is 16"):
        verify_model(replace(located, profile=replace(CONDITIONED, init_conditioning=False)))
    plain = build_tiny_checkpoint(tmp_path / "plain", TINY_FLOW_PROFILE)
    write_profile(plain, CONDITIONED)
    with pytest.raises(ModelError, match="unet in_channels is 16, but twice vae latent_channels is 32"):
        verify_model(locate_model(str(plain)))


def test_conditioning_is_part_of_a_checkpoints_identity() -> None:
    files = {"unet/config.json": "0"}
    assert digest_of(CONDITIONED, files) != digest_of(replace(CONDITIONED, init_conditioning=False), files)
    assert not TINY_PROFILE.init_conditioning
