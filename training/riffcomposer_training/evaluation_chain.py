"""Renders and decodes clips for the evaluation, with an exported model and riffcomposer's decoder."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from riffcomposer.checkpoints.locate import locate_model

if TYPE_CHECKING:
    from riffcomposer.spectrogram.decoder import Decoder


class Chain:
    """An exported model and the decoder, with the settings that a render uses.

    Args:
        folder: The exported model.
    """

    def __init__(self, folder: Path) -> None:
        from riffcomposer.diffusion.loading import load_checkpoint
        from riffcomposer.diffusion.prompts import PromptEncoder
        from riffcomposer.spectrogram.decoder import Decoder

        self.located = locate_model(str(folder))
        self.checkpoint = load_checkpoint(self.located)
        profile = self.located.profile
        self.decoder = Decoder(profile.spectrogram, "default", seed=0)
        self._in_parallel = Decoder(profile.spectrogram, "default", seed=0, threads=1)
        self.prompts = PromptEncoder(
            self.checkpoint.tokenizer, self.checkpoint.text_encoder, profile.text_length
        )

    def render(
        self,
        prompts: Sequence[str],
        seeds: Sequence[int],
        *,
        init: np.ndarray[Any, Any] | None = None,
        strength: float = 1.0,
        steps: int | None = None,
        guidance_scale: float | None = None,
        width_frames: int = 512,
        batch: int = 4,
    ) -> np.ndarray[Any, Any]:
        """Renders clips.

        Args:
            prompts: One prompt per clip.
            seeds: One seed per clip.
            init: What clips start from, [clips, 512, frames]; None starts from noise.
            strength: Strength of img2img, 0..1.
            steps: Number of inference steps; the profile's if None.
            guidance_scale: The profile's if None.
            width_frames: Width of clips that start from noise.
            batch: Clips rendered at once.

        Returns:
            Levels float32 [clips, 512, frames].
        """
        from riffcomposer.diffusion.caption_spectrum import average_spectrum, held
        from riffcomposer.diffusion.latents import decode, encode
        from riffcomposer.diffusion.noise import ClipNoise
        from riffcomposer.diffusion.sampler import BatchSettings, SamplerClip, sample
        from riffcomposer.strength import effective_steps

        profile = self.located.profile
        steps = steps or profile.num_inference_steps
        scale = profile.guidance_scale if guidance_scale is None else guidance_scale
        pure = init is None
        width_frames = width_frames if init is None else init.shape[2]
        size = (512 // profile.latent_scale, width_frames // profile.latent_scale)
        settings = BatchSettings(profile.scheduler, steps, effective_steps(steps, strength), pure, scale != 1)
        spectra = self.checkpoint.caption_spectrum
        empty = self.prompts.encode("", 1)
        rendered = []
        for start in range(0, len(prompts), batch):
            part = slice(start, start + batch)
            cleans = (
                [None] * len(prompts[part]) if init is None else encode(self.checkpoint, init[part][:, None])
            )
            clips = [
                SamplerClip(
                    text_a=(states := self.prompts.encode(prompt, 1)[: profile.text_length]),
                    text_b=states,
                    negative=empty,
                    alpha=0.0,
                    guidance_scale=scale,
                    model_strength=profile.model_strength(strength),
                    noise=ClipNoise(seed, seed, 0.0, (self.checkpoint.latent_channels, *size)),
                    clean=clean,
                )
                for prompt, seed, clean in zip(prompts[part], seeds[part], cleans, strict=True)
            ]
            levels = decode(self.checkpoint, sample(self.checkpoint, clips, settings))
            if spectra is None:
                rendered += [level[0] for level in levels]
                continue
            for row, (level, prompt) in enumerate(zip(levels, prompts[part], strict=True)):
                start_spectrum = None
                if init is not None and strength < 1:
                    start_spectrum = average_spectrum(init[start + row][None], profile.spectrogram)
                wishes = [(1.0, self.prompts.embedding(prompt))]
                rendered.append(held(level, profile, spectra, wishes, start_spectrum, strength)[0])
        return np.stack(rendered)

    def coded(self, levels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Levels [clips, 512, frames] after the autoencoder, there and back."""
        from riffcomposer.diffusion.latents import decode, encode

        pairs = (decode(self.checkpoint, encode(self.checkpoint, level[None, None])) for level in levels)
        return np.stack([pair[0, 0] for pair in pairs])

    def sound(self, level: np.ndarray[Any, Any], decoder: Decoder | None = None) -> np.ndarray[Any, Any]:
        """Audio of one clip, float32 [samples]."""
        from riffcomposer.spectrogram.mel import mel_from_levels

        tensor = torch.from_numpy(np.ascontiguousarray(level))[None]
        mel = mel_from_levels(tensor, self.located.profile.spectrogram)
        return np.asarray((decoder or self.decoder).decode(mel), np.float32).reshape(-1)

    def heard(self, levels: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], list[np.ndarray[Any, Any]]]:
        """Decodes clips to sound; returns the levels of the sound, and the sound."""
        from riffcomposer.spectrogram.mel import levels_from_mel, mel_from_audio
        from riffcomposer.spectrogram.threads import available_cores

        parameters = self.located.profile.spectrogram

        def there_and_back(level: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
            sound = self.sound(level, self._in_parallel)
            mel = mel_from_audio(torch.from_numpy(sound)[None], parameters, fast=True)
            again = levels_from_mel(mel, parameters)[0, :, : level.shape[1]]
            return again.numpy(), sound

        with ThreadPoolExecutor(available_cores()) as pool:
            pairs = list(pool.map(there_and_back, levels))
        return np.stack([again for again, _ in pairs]), [sound for _, sound in pairs]


def clip_seconds(chain: Chain, seed: np.ndarray[Any, Any], clips: int = 4) -> dict[str, float]:
    """Seconds per clip at the profile's defaults, of sampling (autoencoder included) and of decoding."""
    strength = chain.located.profile.strength
    init = np.stack([seed] * clips)
    chain.render(["jazz piano trio"], [0], init=init[:1], strength=strength)
    chain.sound(seed)
    begun = time.perf_counter()
    made = chain.render(["jazz piano trio"] * clips, range(clips), init=init, strength=strength)
    sampled = time.perf_counter()
    for level in made:
        chain.sound(level)
    decoded = time.perf_counter()
    return {
        "seconds_sampling": (sampled - begun) / clips,
        "seconds_decoding": (decoded - sampled) / clips,
        "seconds_a_clip": (decoded - begun) / clips,
    }
