"""A stored clip as a picture and as sound."""

from __future__ import annotations

import io
from functools import lru_cache

import numpy as np
import torch

from riffcomposer.checkpoints.locate import locate_model
from riffcomposer.mix.blocks import Audio
from riffcomposer.render.clip_stage import load_level
from riffcomposer.render.passage_work import DecodeSettings, decoder_for
from riffcomposer.render.renderer import PHASE_SEED
from riffcomposer.spectrogram.image import image_from_level
from riffcomposer.spectrogram_parameters import SpectrogramParameters
from riffcomposer.store.store import Store
from riffcomposer.studio.live_sound import wav_bytes
from riffcomposer.studio.workspace import Workspace
from riffcomposer.versions import DECODER_VERSION

PEAK = 0.84


def clip_audio(level: np.ndarray, parameters: SpectrogramParameters) -> Audio:
    """Decodes one clip by itself, at a peak of -1.5 dBFS: `[channels, samples]`."""
    decoder = decoder_for(parameters, DecodeSettings("default", DECODER_VERSION, PHASE_SEED), 2)
    exponent = np.float32(1 / parameters.power_for_image)
    mel = np.float32(parameters.max_volume) * np.clip(level, 0, 1).astype(np.float32) ** exponent
    audio: Audio = decoder.decode(torch.from_numpy(mel)).cpu().numpy()
    return audio * np.float32(PEAK / max(1e-6, float(np.abs(audio).max())))


@lru_cache(maxsize=1)
def _parameters(workspace: Workspace) -> SpectrogramParameters:
    return locate_model("default", workspace.root).profile.spectrogram


def clip_png(store: Store, key: str, workspace: Workspace) -> bytes:
    """A clip's spectrogram as Riffusion draws it. Raises `RenderError` if the store has no such clip."""
    image = image_from_level(load_level(store, key), _parameters(workspace))
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", exif=image.getexif())
    return buffer.getvalue()


def clip_wav(store: Store, key: str, workspace: Workspace) -> bytes:
    """A clip decoded by itself. Raises `RenderError` if the store has no such clip."""
    parameters = _parameters(workspace)
    return wav_bytes(clip_audio(load_level(store, key), parameters), parameters.sample_rate)
