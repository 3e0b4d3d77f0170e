"""Schedulers by name: the noise levels from a clip's start to clean latents, and the steps between them.

Conventions: latents are float32 `[batch, channels, height, width]`. A *path* is the schedule of one batch.
Its `evaluations` steps lead from the noise level at which a clip starts, which strength decides, to clean.

Schedulers for models that predict noise are those of diffusers, with two changes. Schedulers that add fresh
noise (Euler ancestral, LCM) take it as an argument, so that it comes from the clip's own generators. PNDM and
LMS, which use earlier steps, start anew at the step where an img2img run starts; without that, PNDM ends one
step before clean and LMS weighs slopes that do not exist. Models that predict a flow have steps of their own,
which start exactly at the model time of a strength and not at the nearest point of a grid.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import torch

from riffcomposer.errors import ModelError, UsageError

Fresh = Callable[[], torch.Tensor]
"""Draws the batch's next noise."""

NAMES = ("ddim", "dpmpp_2m", "euler", "euler_a", "pndm", "lms", "unipc", "lcm")
FLOW_NAMES = ("euler", "dpmpp_2m", "lcm")

_CLASSES = {
    "ddim": "DDIMScheduler",
    "dpmpp_2m": "DPMSolverMultistepScheduler",
    "euler": "EulerDiscreteScheduler",
    "euler_a": "EulerAncestralDiscreteScheduler",
    "pndm": "PNDMScheduler",
    "lms": "LMSDiscreteScheduler",
    "unipc": "UniPCMultistepScheduler",
    "lcm": "LCMScheduler",
}


class Path(Protocol):
    """A scheduler as the sampler uses it."""

    evaluations: int

    def start(self, clean: torch.Tensor | None, noise: torch.Tensor) -> torch.Tensor:
        """The latents to start from: `clean` with noise on it, or pure noise if None."""

    def timestep(self, index: int) -> torch.Tensor:
        """The timestep that the UNet gets at step `index`, [] or [batch]."""

    def scaled(self, index: int, latents: torch.Tensor) -> torch.Tensor:
        """The latents scaled as the UNet's input."""

    def step(self, index: int, output: torch.Tensor, latents: torch.Tensor, fresh: Fresh) -> torch.Tensor:
        """The latents after step `index`, given the UNet's output."""

    def renoised(self, index: int, clean: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """`clean` with noise, at the noise level after step `index`."""


class DiffusersPath:
    """The last `count` steps of a schedule of `num_inference_steps`, by a scheduler of diffusers.

    Args:
        name: One of `NAMES`.
        config: The checkpoint's scheduler configuration, which holds its noise schedule.
        from_noise: Start from pure noise; otherwise from clean latents with noise on them.
    """

    def __init__(
        self,
        name: str,
        config: Mapping[str, Any],
        num_inference_steps: int,
        count: int,
        device: torch.device,
        *,
        from_noise: bool = False,
    ) -> None:
        import diffusers

        own = {key: value for key, value in config.items() if not key.startswith("_")}
        # Clipping suits pixels, not latents; diffusers' own pipelines switch it off too.
        extra: dict[str, Any] = {"clip_sample": False} if name in ("ddim", "lcm") else {}
        if name == "pndm":
            extra["skip_prk_steps"] = True
        if name == "lcm":
            extra["original_inference_steps"] = max(
                num_inference_steps, own.get("original_inference_steps") or 50
            )
        self._name = name
        self._from_noise = from_noise
        self._scheduler = getattr(diffusers, _CLASSES[name]).from_config({**own, **extra})
        self._scheduler.set_timesteps(num_inference_steps, device=device)
        timesteps = self._scheduler.timesteps
        if name == "pndm":
            # diffusers repeats the second step of the whole schedule; repeat that of the part that is run.
            distinct = torch.cat([timesteps[:1], timesteps[2:]]) if len(timesteps) > 1 else timesteps
            part = distinct[len(distinct) - count :]
            timesteps = torch.cat([part[:2], part[1:]]) if count > 1 else part
        else:
            skipped = len(timesteps) - count
            timesteps = timesteps[skipped:]
            if hasattr(self._scheduler, "set_begin_index"):
                self._scheduler.set_begin_index(skipped)
        self._timesteps = timesteps
        self.evaluations = len(timesteps)

    def _noised(self, clean: torch.Tensor, noise: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        return self._scheduler.add_noise(clean, noise, timestep.reshape(1).expand(len(clean)))

    def start(self, clean: torch.Tensor | None, noise: torch.Tensor) -> torch.Tensor:
        if clean is None or self._from_noise:
            return noise * self._scheduler.init_noise_sigma
        return self._noised(clean, noise, self._timesteps[0])

    def timestep(self, index: int) -> torch.Tensor:
        return self._timesteps[index]

    def scaled(self, index: int, latents: torch.Tensor) -> torch.Tensor:
        if self._name == "euler_a":
            return latents / (self._sigma(index) ** 2 + 1).sqrt()
        return self._scheduler.scale_model_input(latents, self._timesteps[index])

    def step(self, index: int, output: torch.Tensor, latents: torch.Tensor, fresh: Fresh) -> torch.Tensor:
        if self._name == "euler_a":
            return self._ancestral(index, output, latents, fresh)
        if self._name == "lcm":
            return self._consistent(index, output, latents, fresh)
        extra = {"order": min(index + 1, 4)} if self._name == "lms" else {}
        return self._scheduler.step(output, self._timesteps[index], latents, return_dict=False, **extra)[0]

    def renoised(self, index: int, clean: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        if index + 1 >= self.evaluations:
            return clean
        if self._name == "euler_a":
            return clean + noise * self._sigma(index + 1)
        return self._noised(clean, noise, self._timesteps[index + 1])

    def _sigma(self, index: int) -> torch.Tensor:
        sigmas = self._scheduler.sigmas
        return sigmas[len(sigmas) - 1 - self.evaluations + index]

    def _ancestral(
        self, index: int, output: torch.Tensor, latents: torch.Tensor, fresh: Fresh
    ) -> torch.Tensor:
        """Euler's step to below the next level, and fresh noise up to it (as k-diffusion does)."""
        sigma, below = self._sigma(index), self._sigma(index + 1)
        if self._scheduler.config.prediction_type == "v_prediction":
            clean = latents / (sigma**2 + 1) - output * sigma / (sigma**2 + 1).sqrt()
        else:
            clean = latents - sigma * output
        up = (below**2 * (sigma**2 - below**2) / sigma**2).sqrt()
        down = (below**2 - up**2).clamp_min(0).sqrt()
        return latents + (latents - clean) / sigma * (down - sigma) + fresh() * up

    def _consistent(
        self, index: int, output: torch.Tensor, latents: torch.Tensor, fresh: Fresh
    ) -> torch.Tensor:
        """Straight to clean, then fresh noise up to the next level (Luo et al. 2023)."""
        scheduler, time = self._scheduler, self._timesteps[index]
        kept = scheduler.alphas_cumprod.to(latents.device)[time]
        if scheduler.config.prediction_type == "v_prediction":
            clean = kept.sqrt() * latents - (1 - kept).sqrt() * output
        else:
            clean = (latents - (1 - kept).sqrt() * output) / kept.sqrt()
        skip, out = scheduler.get_scalings_for_boundary_condition_discrete(time)
        clean = out * clean + skip * latents
        return clean if index + 1 >= self.evaluations else self.renoised(index, clean, fresh())


class FlowPath:
    """Steps for a model that predicts `noise - clean` at `(1 - t) * clean + t * noise`.

    Args:
        name: One of `FLOW_NAMES`: Euler, DPM-Solver++ 2M (Lu et al. 2022) or consistency steps.
        starts: Model time at which each clip starts, 0 (clean) to 1 (noise), [batch].
        count: Number of steps from there to 0.
        device: Where the latents are.
        shift: Moves the steps towards noise (Esser et al. 2024); 1 leaves them evenly spaced.
    """

    def __init__(
        self, name: str, starts: torch.Tensor, count: int, device: torch.device, shift: float = 1.0
    ) -> None:
        self._name = name
        self.evaluations = count
        straight = starts.double() / (shift - (shift - 1) * starts.double())
        grid = straight[None] * torch.linspace(1, 0, count + 1, dtype=torch.float64)[:, None]
        self._times = (shift * grid / (1 + (shift - 1) * grid)).float().to(device)
        self._last_clean: torch.Tensor | None = None

    def _at(self, index: int) -> torch.Tensor:
        return self._times[index][:, None, None, None]

    def start(self, clean: torch.Tensor | None, noise: torch.Tensor) -> torch.Tensor:
        if clean is None:
            return noise
        return (1 - self._at(0)) * clean + self._at(0) * noise

    def timestep(self, index: int) -> torch.Tensor:
        return self._times[index] * 1000

    def scaled(self, index: int, latents: torch.Tensor) -> torch.Tensor:  # noqa: ARG002 - every schedule's
        return latents

    def step(self, index: int, output: torch.Tensor, latents: torch.Tensor, fresh: Fresh) -> torch.Tensor:
        now, after = self._at(index), self._at(index + 1)
        if self._name == "euler":
            return latents + (after - now) * output
        clean = latents - now * output
        if index + 1 == self.evaluations:
            return clean
        if self._name == "lcm":
            return (1 - after) * clean + after * fresh()
        # DPM-Solver++ 2M in terms of the clean prediction; its first step is of first order.
        rise = ((1 - after) / after).log() - ((1 - now).clamp_min(1e-12) / now).log()
        slope = clean
        if self._last_clean is not None:
            before = self._at(index - 1)
            last = ((1 - now) / now).log() - ((1 - before).clamp_min(1e-12) / before).log()
            slope = clean + (clean - self._last_clean) * (rise / (2 * last))
        self._last_clean = clean
        return after / now * latents - (1 - after) * torch.expm1(-rise) * slope

    def renoised(self, index: int, clean: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        after = self._at(index + 1)
        return (1 - after) * clean + after * noise


def alphas_cumprod(config: Mapping[str, Any]) -> torch.Tensor:
    """The noise schedule of a checkpoint that predicts noise or v: the share of clean power, by timestep.

    Args:
        config: Its scheduler configuration.

    Returns:
        float32 [num_train_timesteps], falling, 1 to 0.
    """
    import diffusers

    own = {key: value for key, value in config.items() if not key.startswith("_")}
    kept: torch.Tensor = diffusers.DDIMScheduler.from_config(own).alphas_cumprod
    return kept


def check_scheduler(name: str, prediction: str) -> None:
    """Raises an error for a scheduler that does not exist or cannot run a model.

    Raises:
        UsageError: There is no scheduler of that name.
        ModelError: The scheduler cannot run a model that predicts a flow.
    """
    if name not in NAMES:
        raise UsageError(f"there is no scheduler {name!r}; use one of {', '.join(NAMES)}")
    if prediction == "flow" and name not in FLOW_NAMES:
        raise ModelError(
            f"scheduler {name!r} cannot run a model that predicts a flow; use one of {', '.join(FLOW_NAMES)}"
        )


def make_path(
    name: str,
    config: Mapping[str, Any],
    prediction: str,
    num_inference_steps: int,
    count: int,
    starts: torch.Tensor,
    device: torch.device,
    *,
    from_noise: bool,
) -> Path:
    """The path of one batch.

    Args:
        starts: Model time at which each clip starts, 0..1, [batch]; only a flow path reads it.
        count: How many steps to run.
        from_noise: Start from pure noise.
    """
    check_scheduler(name, prediction)
    if prediction == "flow":
        shift = float(config.get("flow_shift") or config.get("shift") or 1.0)
        return FlowPath(name, torch.ones_like(starts) if from_noise else starts, count, device, shift)
    trained = {**config, "prediction_type": prediction}
    return DiffusersPath(name, trained, num_inference_steps, count, device, from_noise=from_noise)
