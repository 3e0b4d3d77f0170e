"""The nearness to a prompt means the same for every kind of prediction."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from riffcomposer.diffusion.engine import Engine
from riffcomposer.diffusion.nearness import NOISE_SHARES, denoising_errors, nearness, noise_levels

SD_SCHEDULE = {
    "_class_name": "DDIMScheduler",
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
}
CLEAN = torch.linspace(-1, 1, 4 * 8 * 8).reshape(4, 8, 8)


@dataclass
class Listener:
    """A network that hears the clip a little worse than it is, by as much as the prompt is wrong.

    Its estimate of the clean latents is off by `text`; what it returns is the prediction that follows.
    """

    prediction: str
    levels: list[tuple[float, float, float]]
    config: Any = field(default_factory=lambda: SimpleNamespace(time_cond_proj_dim=None))

    def __call__(
        self, noised: torch.Tensor, time: torch.Tensor, encoder_hidden_states: torch.Tensor, **_: Any
    ) -> tuple[torch.Tensor]:
        kept, added = next((k, a) for k, a, t in self.levels if t == float(time))
        clean = CLEAN + encoder_hidden_states[:, 0, 0, None, None, None]
        noise = (noised - kept * clean) / added
        output = {
            "epsilon": noise,
            "v_prediction": kept * noise - added * clean,
            "flow": noise - clean,
        }[self.prediction]
        return (output,)


def checkpoint_of(prediction: str) -> Any:
    found: Any = SimpleNamespace(
        device=torch.device("cpu"),
        dtype=torch.float32,
        scheduler_config=SD_SCHEDULE,
        profile=SimpleNamespace(prediction=prediction, guidance_embedding=False, init_conditioning=False),
    )
    found.unet = Listener(prediction, noise_levels(found))
    return found


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "flow"])
def test_half_as_wrong_is_three_quarters_nearer_for_every_prediction(prediction: str) -> None:
    text = torch.tensor([0.4, 0.2])[:, None, None]
    errors = denoising_errors(checkpoint_of(prediction), CLEAN, text)
    assert errors.shape == (len(NOISE_SHARES), 2)
    assert nearness(errors) == pytest.approx(0.75, abs=1e-3)
    assert nearness(errors.flip(1)) == pytest.approx(1 - 4, abs=1e-2)


@pytest.mark.parametrize("prediction", ["epsilon", "flow"])
def test_levels_are_shares_of_noise(prediction: str) -> None:
    for (kept, added, timestep), share in zip(
        noise_levels(checkpoint_of(prediction)), NOISE_SHARES, strict=True
    ):
        assert added / (kept + added) == pytest.approx(share, abs=0.01)
        assert 0 < timestep < 1000


def test_equal_prompts_are_at_zero() -> None:
    assert nearness(torch.ones(4, 2)) == 0


@pytest.mark.parametrize("name", ["engine", "flow_engine"])
def test_every_pipeline_judges_its_clips(request: pytest.FixtureRequest, name: str, make_job: Any) -> None:
    judge: Engine = request.getfixturevalue(name)
    job = make_job(scheduler=judge.located.profile.scheduler)
    level = np.random.default_rng(1).random((1, 64, job.width_frames), np.float32)
    near = judge.nearness(job, level)
    assert np.isfinite(near)
    assert near == judge.nearness(job, level)
    empty = replace(job.place.a, prompt="")
    unsaid = replace(job, place=replace(job.place, a=empty, b=empty))
    assert judge.nearness(unsaid, level) == 0
    assert near != 0
