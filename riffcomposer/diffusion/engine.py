"""The diffusion engine: renders clip jobs in batches with one checkpoint.

An engine is built once and passed down; its constructor loads the checkpoint. A clip that fails does not
stop the others.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np

from riffcomposer.arrays import torch
from riffcomposer.checkpoints.profile import LocatedModel
from riffcomposer.device import BACKENDS
from riffcomposer.diffusion.caption_spectrum import held
from riffcomposer.diffusion.encoded_inits import EncodedInits
from riffcomposer.diffusion.init_clips import fit_mask
from riffcomposer.diffusion.init_levels import InitLevels
from riffcomposer.diffusion.latents import decode, encode
from riffcomposer.diffusion.loading import Checkpoint, load_checkpoint
from riffcomposer.diffusion.lora import LoraStack
from riffcomposer.diffusion.nearness import clip_nearness
from riffcomposer.diffusion.noise import ClipNoise
from riffcomposer.diffusion.prompts import PromptEncoder
from riffcomposer.diffusion.sampler import BatchSettings, SamplerClip, sample
from riffcomposer.diffusion.schedulers import check_scheduler
from riffcomposer.errors import Cancelled, RenderError, RiffcomposerError
from riffcomposer.plan.types import ClipJob, LoraFile
from riffcomposer.strength import FULL, effective_steps, strength_of

BATCH_LATENT_PIXELS = {"cpu": 5 * 32 * 32, "cuda": 16 * 64 * 64, "mps": 4 * 64 * 64}
"""Latent pixels per batch, by device type; batches get smaller where memory runs out.
`benchmarks/diffusion.py` measures the time per clip by batch size."""

DECODE_BATCH = {"cpu": 2, "cuda": 8, "mps": 2}
"""Clips decoded at once, by device type; on a CPU larger batches do not fit the cache."""

LARGEST_BATCH = 64


Row = TypeVar("Row")


@dataclass(frozen=True)
class ClipEvent:
    """Progress of one clip.

    Attributes:
        kind: `started`, `step`, `finished` or `failed`.
        key: The job's key.
        step, of: Steps done, and steps in all; both are 0 for a clip that needs none.
        eta_seconds: Estimated seconds until all jobs given to `render` are done; None at first.
        message: Why the clip failed; empty for other kinds.
    """

    kind: Literal["started", "step", "finished", "failed"]
    key: str
    step: int = 0
    of: int = 0
    eta_seconds: float | None = None
    message: str = ""


@dataclass(frozen=True)
class ClipFailure:
    """A clip that could not be rendered, and why; the other clips are not affected."""

    key: str
    message: str


@dataclass(frozen=True)
class _Group:
    """What clips must have in common to be rendered in one batch."""

    width_frames: int
    settings: BatchSettings
    chunks: int
    loras: tuple[LoraFile, ...]


def _is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)


class _Pace:
    """Estimates the seconds until the work ends, from the UNet evaluations done and still to do."""

    def __init__(self, evaluations: int) -> None:
        self._left = evaluations
        self._done = 0
        self._began = time.monotonic()

    def advance(self, evaluations: int) -> float | None:
        self._done += evaluations
        self._left = max(0, self._left - evaluations)
        elapsed = time.monotonic() - self._began
        return elapsed / self._done * self._left if self._done else None


class Engine:
    """A loaded checkpoint that renders clip jobs.

    Args:
        located: The checkpoint; it is verified before it is loaded.
        device: `auto`, `cpu`, `cuda`, `cuda:1` or `mps`.
        compile: Whether to compile the UNet for each shape (`torch.compile`). Compiling takes a minute or
            more before the first clip and needs a compiler on the machine, so None means no.
        hashes: Whether to compare the hash of every file that the profile lists.

    Raises:
        ModelError: The checkpoint is missing, damaged or does not fit.
        UsageError: The device does not exist on this machine.
    """

    def __init__(
        self, located: LocatedModel, *, device: str = "auto", compile: bool | None = None, hashes: bool = True
    ) -> None:
        self.located = located
        self.checkpoint: Checkpoint = load_checkpoint(located, device=device, hashes=hashes)
        profile = located.profile
        self._prompts = PromptEncoder(
            self.checkpoint.tokenizer, self.checkpoint.text_encoder, profile.text_length
        )
        self._loras = LoraStack(self.checkpoint)
        self._levels = InitLevels(located.profile.spectrogram)
        self._inits = EncodedInits(self._levels, self._encoded)
        self._batch_limit: dict[int, int] = {}
        self._compiled: Any = None
        if compile:
            self._compiled = torch.compile(self.checkpoint.unet)

    @property
    def backend(self) -> str:
        """Kind of device and number format, as written into a clip's key."""
        return BACKENDS[self.checkpoint.device.type]

    def close(self) -> None:
        """Frees the networks and all caches; the engine cannot render after that."""
        on_cuda = self.checkpoint.device.type == "cuda"
        del self.checkpoint, self._prompts, self._loras, self._inits, self._levels, self._compiled
        gc.collect()  # peft's layers refer to each other in circles
        if on_cuda:
            torch.cuda.empty_cache()

    def render(
        self,
        jobs: Mapping[str, ClipJob],
        *,
        on_event: Callable[[ClipEvent], None] | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Iterator[tuple[str, np.ndarray | ClipFailure]]:
        """Renders jobs in batches and yields the clips of each batch when it is finished.

        Args:
            jobs: Jobs by key. Their order only decides which clips are rendered first.
            on_event: Called with the progress of each clip.
            cancelled: Called between steps; True stops the rendering.

        Yields:
            A job's key with the clip's level, float32 [channels, n_mels, width], or with its failure.

        Raises:
            Cancelled: `cancelled` returned True. Clips yielded before are complete.
        """
        tell = on_event or (lambda event: None)
        groups: dict[_Group, list[str]] = {}
        failed: list[ClipFailure] = []
        for key, job in jobs.items():
            try:
                groups.setdefault(self._group(job), []).append(key)
            except RiffcomposerError as error:
                failed.append(ClipFailure(key, str(error)))
        pace = _Pace(sum(group.settings.count * len(keys) for group, keys in groups.items()))
        for failure in failed:
            tell(ClipEvent("failed", failure.key, message=failure.message))
            yield failure.key, failure
        for group, keys in groups.items():
            waiting = list(keys)
            while waiting:
                size = self._batch_size(group) if group.settings.count else 1
                batch, waiting = waiting[:size], waiting[size:]
                results = self._batch(group, {key: jobs[key] for key in batch}, pace, tell, cancelled)
                for key, result in results.items():
                    if isinstance(result, ClipFailure):
                        tell(ClipEvent("failed", key, message=result.message))
                    else:
                        count = group.settings.count
                        tell(ClipEvent("finished", key, count, count, pace.advance(0)))
                    yield key, result

    def nearness(self, job: ClipJob, level: np.ndarray) -> float:
        """How near a rendered clip is to its prompt, see `riffcomposer.diffusion.nearness`."""
        self._loras.apply(job.loras)
        return clip_nearness(self.checkpoint, self._prompts, job, level)

    def _group(self, job: ClipJob) -> _Group:
        """The settings that a job shares with its batch; raises for a job that the model cannot render."""
        profile = self.located.profile
        if job.strength > 0 or job.init is None:  # a loop as it is takes no steps and names no scheduler
            check_scheduler(job.scheduler, profile.prediction)
        if job.width_frames % profile.width_step or not 0 < job.width_frames <= profile.max_width:
            raise RenderError(
                f"a clip {job.width_frames} frames wide does not fit {profile.name}: widths are multiples of "
                f"{profile.width_step} up to {profile.max_width}"
            )
        if job.negative_prompt and not profile.supports_negative_prompt:
            raise RenderError(
                f"{profile.name} takes no negative prompt; remove it, or choose a model that does"
            )
        if job.backend != self.backend:
            raise RenderError(f"the clip was planned for {job.backend}, but this engine runs {self.backend}")
        strength = strength_of(job.strength, has_init=job.init is not None)
        count = effective_steps(job.num_inference_steps, strength)
        if count == 0 and strength > 0:
            raise RenderError(
                f"strength {job.strength:g} of {job.num_inference_steps} steps runs no step; raise either"
            )
        settings = BatchSettings(
            job.scheduler, job.num_inference_steps, count, strength >= FULL, job.guidance_scale != 1
        )
        prompts = (job.place.a.prompt, job.place.b.prompt, job.negative_prompt)
        return _Group(job.width_frames, settings, self._prompts.chunks_needed(prompts), job.loras)

    @property
    def frames_per_batch(self) -> int:
        """Number of frames that the clips of a batch may have together, by the size of their latents."""
        profile = self.located.profile
        pixels = BATCH_LATENT_PIXELS[self.checkpoint.device.type] * profile.latent_scale**2
        return pixels // profile.spectrogram.num_frequencies

    def _batch_size(self, group: _Group) -> int:
        """Number of clips to try at once: what fitted into memory before, else by the size of a latent."""
        fitting = max(1, min(LARGEST_BATCH, self.frames_per_batch // group.width_frames))
        return min(fitting, self._batch_limit.get(group.width_frames, fitting))

    def _batch(
        self,
        group: _Group,
        jobs: Mapping[str, ClipJob],
        pace: _Pace,
        tell: Callable[[ClipEvent], None],
        cancelled: Callable[[], bool],
    ) -> dict[str, np.ndarray | ClipFailure]:
        """Renders one batch; halves it when memory runs out, and retries one by one after other errors."""
        try:
            return dict(zip(jobs, self._attempt(group, jobs, pace, tell, cancelled), strict=True))
        except Cancelled:
            raise
        except Exception as error:  # noqa: BLE001 - one bad clip must not stop the others, whatever it raises
            exhausted = _is_out_of_memory(error)
            if len(jobs) == 1:
                (key,) = jobs
                return {key: ClipFailure(key, self._explain(error, group, exhausted))}
        if exhausted and self.checkpoint.device.type == "cuda":
            torch.cuda.empty_cache()
        size = -(-len(jobs) // 2) if exhausted else 1
        if exhausted:
            self._batch_limit[group.width_frames] = size
        keys = list(jobs)
        results: dict[str, np.ndarray | ClipFailure] = {}
        for at in range(0, len(keys), size):
            part = {key: jobs[key] for key in keys[at : at + size]}
            results |= self._batch(group, part, pace, tell, cancelled)
        return results

    def _explain(self, error: Exception, group: _Group, exhausted: bool) -> str:
        if exhausted:
            return (
                f"out of memory on {self.checkpoint.device} with one clip of {group.width_frames} frames; "
                "close other programs, or render with --device cpu"
            )
        if isinstance(error, RiffcomposerError):
            return str(error)
        return f"{type(error).__name__}: {error}"

    def _attempt(
        self,
        group: _Group,
        jobs: Mapping[str, ClipJob],
        pace: _Pace,
        tell: Callable[[ClipEvent], None],
        cancelled: Callable[[], bool],
    ) -> list[np.ndarray]:
        """Renders one batch; raises if any of its clips fails."""
        count = group.settings.count

        def check() -> None:
            if cancelled():
                raise Cancelled

        check()
        for key in jobs:
            tell(ClipEvent("started", key, 0, count, pace.advance(0)))
        if count == 0:
            return [self._levels.level(job) for job in jobs.values()]
        self._loras.apply(group.loras)
        clips = self._clips(group, list(jobs.values()))

        def after_step(step: int, of: int) -> None:
            check()
            eta = pace.advance(len(jobs))
            for key in jobs:
                tell(ClipEvent("step", key, step, of, eta))

        unet = self._compiled if not group.loras else None
        latents = sample(self.checkpoint, clips, group.settings, unet=unet, after_step=after_step)
        rows, size = list(latents), DECODE_BATCH[self.checkpoint.device.type]
        levels: list[np.ndarray] = []
        for at in range(0, len(rows), size):
            check()
            levels += self._halving(
                lambda part: decode(self.checkpoint, torch.stack(list(part))), rows[at : at + size]
            )
        if not all(np.isfinite(level).all() for level in levels):
            raise RenderError("the model gave values that are not finite; lower the guidance scale")
        return [self._held(level, job) for level, job in zip(levels, jobs.values(), strict=True)]

    def _held(self, level: np.ndarray, job: ClipJob) -> np.ndarray:
        """The level held to its prompts; one with a mask stays, since it ends exactly as its loop there."""
        spectra = self.checkpoint.caption_spectrum
        if spectra is None or job.mask is not None:
            return level
        strength = strength_of(job.strength, has_init=job.init is not None)
        init = None if strength >= FULL else self._inits[job].spectrum
        place, embedding = job.place, self._prompts.embedding
        shares = ((1 - place.alpha, place.a.prompt), (place.alpha, place.b.prompt))
        wishes = [(share, embedding(prompt, job.loras)) for share, prompt in shares]
        return held(level, self.located.profile, spectra, wishes, init, strength)

    def _halving(self, run: Callable[[Sequence[Row]], Any], rows: Sequence[Row]) -> list[Any]:
        """Runs `run` on all rows at once, or on halves of them if memory runs out."""
        try:
            return list(run(rows))
        except Exception as error:
            if len(rows) == 1 or not _is_out_of_memory(error):
                raise
        if self.checkpoint.device.type == "cuda":
            torch.cuda.empty_cache()
        half = len(rows) // 2
        return self._halving(run, rows[:half]) + self._halving(run, rows[half:])

    def _encoded(self, levels: Sequence[np.ndarray]) -> list[torch.Tensor]:
        """The latents of levels of equal shape."""
        return self._halving(lambda part: encode(self.checkpoint, np.stack(list(part))), levels)

    def _clips(self, group: _Group, jobs: Sequence[ClipJob]) -> list[SamplerClip]:
        """The sampler's input for each job."""
        profile = self.located.profile
        self._inits.encode(jobs)
        shape = (
            self.checkpoint.latent_channels,
            profile.spectrogram.num_frequencies // profile.latent_scale,
            group.width_frames // profile.latent_scale,
        )
        return [
            SamplerClip(
                text_a=self._prompts.encode(job.place.a.prompt, group.chunks, group.loras),
                text_b=self._prompts.encode(job.place.b.prompt, group.chunks, group.loras),
                negative=self._prompts.encode(job.negative_prompt, group.chunks, group.loras),
                alpha=job.place.alpha,
                guidance_scale=job.guidance_scale,
                model_strength=profile.model_strength(job.strength),
                noise=ClipNoise(job.place.a.seed, job.place.b.seed, job.place.alpha, shape),
                clean=self._inits[job].latents if job.init is not None else None,
                mask=self._latent_mask(job, shape),
            )
            for job in jobs
        ]

    def _latent_mask(self, job: ClipJob, shape: tuple[int, int, int]) -> torch.Tensor | None:
        """The mask in latent space: each latent pixel takes the mean of the image pixels under it."""
        if job.mask is None or job.init is None:
            return None
        profile = self.located.profile
        mask = fit_mask(
            job.mask,
            width_frames=job.width_frames,
            frames_per_quarter=job.frames_per_quarter,
            clip_quarters=job.clip_quarters,
            n_mels=profile.spectrogram.num_frequencies,
        )
        if profile.network_input == "image":
            mask = mask[::-1]
        _, height, width = shape
        blocks = mask.reshape(height, profile.latent_scale, width, profile.latent_scale)
        return torch.from_numpy(blocks.mean(axis=(1, 3), dtype=np.float64).astype(np.float32))[None]
