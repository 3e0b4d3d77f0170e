"""The sampler: denoises a batch of clips from text, from a loop (img2img), or between two prompts.

It follows Riffusion (riffusion_pipeline.py): a clip is at `alpha` between point A and point B; their prompt
embeddings are mixed linearly and their noise spherically. Strength and guidance scale are mixed by the
planner. Three things differ from Riffusion on purpose: the negative prompt has an effect; a loop is encoded
to the mean of its distribution and not to a random draw; and outside a mask the original is re-noised to the
level *after* each step and not before it, so that black regions end exactly as the original.

Conventions: latents are float32 `[batch, channels, height, width]`; the networks may run in half precision.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from riffcomposer.diffusion.init_conditioning import unet_input
from riffcomposer.diffusion.loading import Checkpoint
from riffcomposer.diffusion.noise import ClipNoise
from riffcomposer.diffusion.schedulers import make_path
from riffcomposer.strength import KEPT_UNTIL


@dataclass(frozen=True)
class SamplerClip:
    """The sampler's input for one clip; `BatchSettings` has what a batch shares.

    Attributes:
        text_a, text_b, negative: Embeddings of the prompts, float32 [tokens, width].
        alpha: Position between point A (0) and point B (1).
        guidance_scale: Factor of classifier-free guidance; 1 is no guidance.
        model_strength: Strength 0..1 on the model's own scale (see `ModelProfile.strength_map`).
        noise: Source of the clip's noise; nothing has been drawn from it yet.
        clean: Latents of the loop, [channels, height, width]; None starts from noise alone.
        mask: 1 where the clip is repainted, 0 where the loop is kept, [1, height, width].
    """

    text_a: torch.Tensor
    text_b: torch.Tensor
    negative: torch.Tensor
    alpha: float
    guidance_scale: float
    model_strength: float
    noise: ClipNoise
    clean: torch.Tensor | None = None
    mask: torch.Tensor | None = None


@dataclass(frozen=True)
class BatchSettings:
    """What the clips of a batch have in common.

    Attributes:
        scheduler: Name of the scheduler (`riffcomposer.diffusion.schedulers.NAMES`).
        num_inference_steps: Steps of the whole schedule.
        count: Steps that are run, at most `num_inference_steps`.
        from_noise: Whether clips start from noise alone: there is no loop, or the strength is 1.
        guided: Whether any guidance scale is not 1.
    """

    scheduler: str
    num_inference_steps: int
    count: int
    from_noise: bool
    guided: bool


Unet = Callable[..., torch.Tensor]


def guidance_embedding(guidance_scale: torch.Tensor, size: int) -> torch.Tensor:
    """Embeds guidance scales as the input of a UNet that was distilled with guidance.

    The sines and cosines of 1000 * (scale - 1), as diffusers' latent consistency pipelines make them
    (after https://github.com/google-research/vdm).

    Args:
        guidance_scale: [batch].
        size: The UNet's `time_cond_proj_dim`.

    Returns:
        float32 [batch, size].
    """
    half = size // 2
    rates = torch.exp(
        -torch.arange(half, device=guidance_scale.device) * (torch.log(torch.tensor(10000.0)) / (half - 1))
    )
    angles = (guidance_scale.float() - 1)[:, None] * 1000 * rates[None]
    embedded = torch.cat([angles.sin(), angles.cos()], dim=1)
    return torch.nn.functional.pad(embedded, (0, size - embedded.shape[1]))


def detail_shares(detail_guidance: float, starts: torch.Tensor) -> torch.Tensor:
    """How much of the guidance what changes over time gets, by where a clip starts.

    It is the model's `detail_guidance` up to `KEPT_UNTIL` and rises to 1 at pure noise, where there is no
    loop whose notes could be kept.

    Args:
        detail_guidance: See `ModelProfile`.
        starts: Where on the model's scale each clip starts, 0 to 1 (noise), [batch].

    Returns:
        [batch], 0 to 1.
    """
    rising = ((starts - KEPT_UNTIL) / (1 - KEPT_UNTIL)).clamp(0, 1)
    return detail_guidance + (1 - detail_guidance) * rising


def guided(
    away: torch.Tensor, towards: torch.Tensor, scales: torch.Tensor, details: torch.Tensor
) -> torch.Tensor:
    """Classifier-free guidance (Ho and Salimans 2022), weaker for what changes over time.

    What guidance adds is split into its mean over time, the timbre, and the rest, the notes; each has a scale
    of its own, as in frequency-decoupled guidance (Sadat et al. 2025), here along time and at frequency 0.

    Args:
        away, towards: The network's outputs without and with the prompt, [batch, channels, height, width].
        scales: Guidance scale of each clip, [batch].
        details: How much of the guidance the rest gets, 0..1, [batch]; 1 is plain guidance.
    """
    scale, detail = (values[:, None, None, None] for values in (scales, details))
    change = towards - away
    if bool((details == 1).all()):
        return away + scale * change
    timbre = change.mean(dim=3, keepdim=True)
    return towards + (scale - 1) * (timbre + detail * (change - timbre))


@torch.inference_mode()
def sample(
    checkpoint: Checkpoint,
    clips: Sequence[SamplerClip],
    settings: BatchSettings,
    *,
    unet: Unet | None = None,
    after_step: Callable[[int, int], None] = lambda step, of: None,
) -> torch.Tensor:
    """Runs one batch.

    Args:
        checkpoint: The loaded networks.
        clips: At least one clip; all latents and embeddings have equal shapes.
        settings: What the clips have in common.
        unet: A compiled form of the checkpoint's UNet, if there is one.
        after_step: Called with (steps done, steps in all) after each; it may raise to stop.

    Returns:
        Clean latents, [batch, channels, height, width].
    """
    device, dtype, profile = checkpoint.device, checkpoint.dtype, checkpoint.profile
    network = unet or checkpoint.unet

    # 1. Mix the prompts of the two points linearly.
    alphas = torch.tensor([clip.alpha for clip in clips], device=device)[:, None, None]
    text = torch.lerp(
        torch.stack([clip.text_a for clip in clips]), torch.stack([clip.text_b for clip in clips]), alphas
    )

    # 2. Draw each clip's noise from its own generators, mixed spherically.
    noise = torch.stack([clip.noise.draw() for clip in clips]).to(device)

    def fresh() -> torch.Tensor:
        return torch.stack([clip.noise.draw() for clip in clips]).to(device)

    # 3. Lay out the steps: strength says where on the schedule they start.
    starts = torch.tensor([clip.model_strength for clip in clips])
    path = make_path(
        settings.scheduler,
        checkpoint.scheduler_config,
        profile.prediction,
        settings.num_inference_steps,
        settings.count,
        starts,
        device,
        from_noise=settings.from_noise,
    )

    # 4. Put noise on the loops, or start from noise alone.
    clean = _stacked([clip.clean for clip in clips], noise)
    latents = path.start(None if settings.from_noise else clean, noise)
    mask = None
    if clean is not None and any(clip.mask is not None for clip in clips):
        mask = _stacked([clip.mask for clip in clips], torch.ones_like(noise[:, :1]))

    # 5. Prepare guidance: a second pass with the negative prompt, or an input of its own.
    scales = torch.tensor([clip.guidance_scale for clip in clips], device=device)
    extra: dict[str, torch.Tensor] = {}
    twice = settings.guided and not profile.guidance_embedding
    kept = detail_shares(profile.detail_guidance, starts)
    details = (torch.ones_like(kept) if settings.from_noise else kept).to(device)
    if profile.guidance_embedding:
        extra["timestep_cond"] = guidance_embedding(scales, checkpoint.unet.config.time_cond_proj_dim).to(
            dtype
        )
    if twice:
        text = torch.cat([torch.stack([clip.negative for clip in clips]), text])
    text = text.to(dtype)

    # 6. A model that takes what clips start from is shown it, without noise.
    shown = None if settings.from_noise else clean

    for index in range(path.evaluations):
        # 7. Ask the UNet, both passes in one batch.
        inputs = unet_input(path.scaled(index, latents), shown, conditioned=profile.init_conditioning)
        inputs = inputs.to(dtype)
        time = path.timestep(index).to(device)
        if twice:
            inputs = torch.cat([inputs, inputs])
            time = torch.cat([time, time]) if time.ndim else time
        output = network(
            inputs.contiguous(memory_format=torch.channels_last),
            time,
            encoder_hidden_states=text,
            return_dict=False,
            **extra,
        )[0].float()
        if twice:
            away, towards = output.chunk(2)
            output = guided(away, towards, scales, details)
        # 8. Take the step.
        latents = path.step(index, output, latents, fresh)
        # 9. Outside the mask, put the original back at the current noise level.
        if mask is not None and clean is not None:
            latents = torch.lerp(path.renoised(index, clean, noise), latents, mask)
        after_step(index + 1, path.evaluations)
    return latents


def _stacked(parts: Sequence[torch.Tensor | None], otherwise: torch.Tensor) -> torch.Tensor | None:
    """Stacks the parts to one batch, with rows of `otherwise` in place of None; None if all are None."""
    if all(part is None for part in parts):
        return None
    rows = [other if part is None else part.to(other) for part, other in zip(parts, otherwise, strict=True)]
    return torch.stack(rows)
