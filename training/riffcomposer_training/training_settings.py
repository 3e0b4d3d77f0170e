"""The sizes of a training run: a toy for tests, one for two CPU cores, and one for a GPU.

Each stage has a share of the time, so one number, the minutes in all, sets the length of a run. The networks
of every setting fit the shipped folder's limit of 100 MB in half precision.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Setting:
    """One size of the recipe.

    Attributes:
        name: `toy`, `cpu` or `gpu`.
        clips: Training clips to render, at most (the data stage also has a time budget).
        patch: Side in pixels of the square patches that become one latent (`latent_scale`).
        latent_channels: Principal components kept per patch.
        whitening: Exponent p of std^p by which each component is divided: 1 gives all channels equal
            power, 0 keeps the power that they have in images (coarse detail survives noise longer).
        autoencoder_width, autoencoder_blocks: Channels, and (encoder, decoder) residual blocks.
        autoencoder_batch: Clips per step.
        autoencoder_learning_rate: Highest learning rate of the autoencoder stage.
        decoder_batch, decoder_clips: Clips per step when the decoder alone is trained, and clips in memory.
        unet_channels, unet_layers: Channels by level, and residual blocks in a level.
        unet_groups: Groups of its group norms.
        batch: Clips per step of the diffusion and distillation stages.
        learning_rate, warmup_steps: Highest learning rate of the diffusion stage, and steps to it.
        widths: Widths of batches in columns of 160 ms, and the share of each; renders are 24 to 36 wide at
            most tempi.
        timbre_share: Share of samples that start from another sound (see `flow_samples`).
        pair_share: How often that sound is the same music played by others, where there is such a clip.
        spectrum_share: How often else it is the clip with another clip's average spectrum laid on.
        empty_caption: Share of captions replaced by nothing, for guidance.
        distillation_learning_rate: Highest learning rate of the distillation stage.
        guidance_range: Guidance scales that the student learns.
        clips_per_shard: Clips in one file.
        save_seconds, refresh_seconds: How often the state of the diffusion stage is saved, and how often it
            looks for new clips.
        first_shards: Shards to wait for; then later stages run while clips are still rendered and encoded
            by other processes. 0 to render all of them first.
        evaluated_clips: Held-out captions that the evaluation renders.
        scorer_seconds: How long the evaluation trains its scorer.
        shares: Share of the whole time for each stage that can be cut short.
    """

    name: str
    clips: int
    patch: int = 16
    latent_channels: int = 32
    whitening: float = 0.75
    autoencoder_width: int = 128
    autoencoder_blocks: tuple[int, int] = (1, 2)
    autoencoder_batch: int = 4
    autoencoder_learning_rate: float = 3e-4
    decoder_batch: int = 8
    decoder_clips: int = 1024
    unet_channels: tuple[int, ...] = (64, 128, 192)
    unet_layers: int = 1
    unet_groups: int = 16
    batch: int = 8
    learning_rate: float = 7e-4
    warmup_steps: int = 50
    widths: tuple[tuple[int, float], ...] = ((36, 0.4), (32, 0.3), (28, 0.15), (24, 0.15))
    timbre_share: float = 0.75
    pair_share: float = 0.8
    spectrum_share: float = 1.0
    empty_caption: float = 0.1
    distillation_learning_rate: float = 1e-4
    guidance_range: tuple[float, float] = (1.0, 7.0)
    clips_per_shard: int = 256
    save_seconds: float = 180.0
    refresh_seconds: float = 180.0
    first_shards: int = 0
    evaluated_clips: int = 24
    scorer_seconds: float = 120.0
    shares: dict[str, float] = field(
        default_factory=lambda: {"data": 0.12, "autoencoder": 0.15, "diffusion": 0.6, "distillation": 0.13}
    )


SETTINGS = {
    "toy": Setting(
        name="toy",
        clips=16,
        clips_per_shard=8,
        latent_channels=8,
        autoencoder_width=32,
        autoencoder_blocks=(1, 1),
        autoencoder_batch=2,
        unet_channels=(16, 32),
        unet_groups=8,
        batch=2,
        warmup_steps=2,
        evaluated_clips=6,
        scorer_seconds=5.0,
    ),
    # Principal components alone rebuild clips better than an autoencoder after a short training, and two
    # passes for guidance are cheap at this size. So the autoencoder and the student get no time.
    "cpu": Setting(
        name="cpu",
        clips=12_000,
        batch=16,
        learning_rate=9e-4,
        shares={"data": 0.15, "autoencoder": 0.0, "diffusion": 0.8, "distillation": 0.0},
    ),
    # The networks of the cpu setting, so that a laptop renders as fast with what a GPU has trained. Small
    # shards, since training begins with the first of them.
    "gpu": Setting(
        name="gpu",
        clips=70_000,
        decoder_batch=64,
        decoder_clips=6144,
        batch=256,
        learning_rate=1e-3,
        warmup_steps=100,
        clips_per_shard=48,
        save_seconds=120.0,
        refresh_seconds=15.0,
        first_shards=6,
        evaluated_clips=200,
        scorer_seconds=60.0,
        shares={"data": 0.85, "autoencoder": 0.0, "diffusion": 0.9, "distillation": 0.0},
    ),
}
