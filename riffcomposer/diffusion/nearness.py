"""How near a rendered clip is to its prompt, judged by the checkpoint that rendered it.

A diffusion model denoises a clip better when it is told what the clip is. The clip's latents get noise, and
the network is asked twice to find it: with the clip's prompt, and with the empty prompt. The share of the
error that the prompt takes away is the nearness. This is the diffusion classifier of Li et al. 2023 ("Your
Diffusion Model is Secretly a Zero-Shot Classifier"), with the empty prompt as the other class. All prompts
and clips get the same noise at the same levels, so that differences are due to the prompt.

At one noise level the errors of the noise, of the clean latents, of v and of the flow differ by a factor,
which the ratio does not have. So the figure means the same for every prediction.
"""

from __future__ import annotations

import numpy as np
import torch

from riffcomposer.diffusion.init_conditioning import unet_input
from riffcomposer.diffusion.latents import encode
from riffcomposer.diffusion.loading import Checkpoint
from riffcomposer.diffusion.prompts import PromptEncoder
from riffcomposer.diffusion.sampler import guidance_embedding
from riffcomposer.diffusion.schedulers import alphas_cumprod
from riffcomposer.plan.types import ClipJob

NOISE_SHARES = (0.25, 0.3, 0.4, 0.5)
"""Noise levels, as the share of noise in noise plus clean. With more noise the model no longer hears the
clip, and tells prompts apart by what it would play itself; with less, prompts hardly matter."""

NOISE_SEED = 20230318


def noise_levels(checkpoint: Checkpoint) -> list[tuple[float, float, float]]:
    """The levels at which clips are compared: factors of clean and of noise, and the timestep of each.

    A model with a noise schedule takes the nearest step of its own to each share.
    """
    if checkpoint.profile.prediction == "flow":
        return [(1 - share, share, 1000 * share) for share in NOISE_SHARES]
    kept = alphas_cumprod(checkpoint.scheduler_config)
    clean, noise = kept.sqrt(), (1 - kept).sqrt()
    shares = noise / (clean + noise)
    steps = [int((shares - share).abs().argmin()) for share in NOISE_SHARES]
    return [(float(clean[step]), float(noise[step]), float(step)) for step in steps]


@torch.inference_mode()
def denoising_errors(checkpoint: Checkpoint, clean: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
    """The mean squared error of the network's prediction at each level.

    Args:
        checkpoint: The loaded networks.
        clean: Latents of one clip, float32 [channels, height, width].
        text: Embeddings of the prompts, [prompts, tokens, width].

    Returns:
        float32 [levels, prompts] on the CPU.
    """
    device, dtype, prediction = checkpoint.device, checkpoint.dtype, checkpoint.profile.prediction
    generator = torch.Generator("cpu").manual_seed(NOISE_SEED)
    extra: dict[str, torch.Tensor] = {}
    if checkpoint.profile.guidance_embedding:
        unguided = torch.ones(len(text), device=device)
        extra["timestep_cond"] = guidance_embedding(unguided, checkpoint.unet.config.time_cond_proj_dim).to(
            dtype
        )
    rows = []
    for kept, added, timestep in noise_levels(checkpoint):
        noise = torch.randn(clean.shape, generator=generator).to(device)
        noised = (kept * clean + added * noise).expand(len(text), *clean.shape)
        inputs = unet_input(noised, None, conditioned=checkpoint.profile.init_conditioning).to(dtype)
        output = checkpoint.unet(
            inputs.contiguous(memory_format=torch.channels_last),
            torch.tensor(timestep, device=device),
            encoder_hidden_states=text.to(dtype),
            return_dict=False,
            **extra,
        )[0].float()
        wanted = {
            "epsilon": noise,
            "v_prediction": kept * noise - added * clean,
            "flow": noise - clean,
        }[prediction]
        rows.append((output - wanted).square().mean(dim=(1, 2, 3)).cpu())
    return torch.stack(rows)


def clip_nearness(checkpoint: Checkpoint, prompts: PromptEncoder, job: ClipJob, level: np.ndarray) -> float:
    """How near a clip is to its prompt, which between two points is mixed as the sampler mixes it.

    Args:
        checkpoint, prompts: What rendered the clip, with the LoRA files of its job applied.
        level: [channels, n_mels, frames], 0..1.

    Returns:
        See `nearness`.
    """
    place = job.place
    chunks = prompts.chunks_needed(("", place.a.prompt, place.b.prompt))
    empty, first, second = (
        prompts.encode(text, chunks, job.loras) for text in ("", place.a.prompt, place.b.prompt)
    )
    clean = encode(checkpoint, level[None].astype(np.float32))[0]
    text = torch.stack([empty, torch.lerp(first, second, place.alpha)])
    return nearness(denoising_errors(checkpoint, clean, text))


def nearness(errors: torch.Tensor) -> float:
    """The share of the empty prompt's error that the prompt takes away, the mean over all levels.

    Args:
        errors: [levels, 2]: with the empty prompt, and with the clip's.

    Returns:
        0 if the prompt says nothing of the clip, below 0 if it says something else.
    """
    empty, own = errors.double().unbind(1)
    return float((1 - own / empty).mean())
