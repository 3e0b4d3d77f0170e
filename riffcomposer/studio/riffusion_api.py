"""Riffusion's own request: one clip between two prompts, as its server answers it.

The fields and the answer are those of `riffusion/datatypes.py` and `riffusion/server.py` in Riffusion's hobby
repository, so that its web app can use this server.
"""

from __future__ import annotations

import base64
import io
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from riffcomposer.errors import UsageError
from riffcomposer.loops.catalogue import catalogue
from riffcomposer.mix.blocks import ArrayReader
from riffcomposer.mix.encoding import encode
from riffcomposer.plan.keys import job_key
from riffcomposer.plan.types import Place, Point
from riffcomposer.song.reader import parse_song
from riffcomposer.spectrogram.image import image_from_level
from riffcomposer.studio.clip_files import clip_audio
from riffcomposer.studio.engines import level_of
from riffcomposer.studio.jam_walk import JamPoint, JamStart, JamWalk
from riffcomposer.studio.service import Studio

SEED_IMAGES = {
    "og_beat": "lofi-drums",
    "agile": "house-piano",
    "marim": "world-kalimba",
    "motorway": "synthwave-drive",
    "vibes": "lofi-vibes",
    "epic": "orchestral-brass",
    "folksy": "folk-guitar",
    "funk": "funk-groove",
    "hustle": "hiphop-808",
    "latin": "latin-montuno",
    "lounge": "bossa-piano",
    "pressure": "techno-drums",
    "rock": "rock-riff",
    "stomp": "blues-shuffle",
    "wild": "dnb-break",
}
"""Seed images of Riffusion's server and web app, which do not ship here, and loops of ours in their place."""

MASKS = {
    "beat_lines_75": "beats-75",
    "beat_lines_80": "beats-80",
    "gradient_dark": "gradient-dark",
    "gradient_top_70": "gradient-up",
    "top_third_75": "top-third-75",
    "top_third_95": "top-third",
}


class PromptInput(BaseModel):
    """One end of the interpolation."""

    model_config = ConfigDict(extra="ignore")

    prompt: str = Field(max_length=500)
    seed: int = Field(ge=0, lt=2**63)
    negative_prompt: str | None = Field(None, max_length=500)
    denoising: float = Field(0.75, ge=0, le=1)
    guidance: float = Field(7.0, ge=0, le=30)


class InferenceInput(BaseModel):
    """The body of `POST /run_inference/`."""

    model_config = ConfigDict(extra="ignore")

    start: PromptInput
    end: PromptInput
    alpha: float = Field(ge=0, le=1)
    num_inference_steps: int = Field(50, ge=1, le=200)
    seed_image_id: str = Field("og_beat", max_length=100)
    mask_image_id: str | None = Field(None, max_length=100)


class InferenceOutput(BaseModel):
    """The answer: a JPEG and an MP3 as data addresses."""

    image: str
    audio: str
    duration_s: float


def run_inference(studio: Studio, wanted: InferenceInput) -> InferenceOutput:
    """Renders one clip, or takes it from the store.

    Raises:
        UsageError: No such seed image or mask.
        SongError: A value that a song may not have.
        RenderError: The clip failed.
    """
    loop = _named(wanted.seed_image_id, SEED_IMAGES, list(catalogue().clips), "seed_image_id")
    start = JamStart("loop", loop, negative_prompt=wanted.start.negative_prompt or "")
    ends = [JamPoint(end.prompt, end.seed, end.denoising) for end in (wanted.start, wanted.end)]
    walk = JamWalk.of(start, ends[0], 1)
    song = parse_song(walk.song("Riffusion"), studio.workspace.root / "riffusion.yaml")
    section = song.resolved.sections[0]
    if wanted.mask_image_id:
        mask = _named(wanted.mask_image_id, MASKS, list(catalogue().masks), "mask_image_id")
        section = replace(section, mask=mask)
    section = replace(section, num_inference_steps=wanted.num_inference_steps)
    song = replace(song, resolved=replace(song.resolved, sections=(section,)))
    with studio.session() as session:
        prepared = session.plan(song)
    template = prepared.plan.jobs[prepared.plan.clips[0].key]
    points = [Point(end.prompt, end.seed, end.denoising, end.guidance) for end in (wanted.start, wanted.end)]
    place = Place(points[0], points[1], wanted.alpha)
    # Exactly as wide as Riffusion's: its clients join clips end to end.
    job = replace(template, place=place, width_frames=prepared.model.profile.image_width)
    key = job_key(job)
    engine = studio.engines.open(studio.settings.device)
    level = level_of(key, job, prepared.model, engine, studio.store)
    parameters = prepared.model.profile.spectrogram
    audio = clip_audio(level, parameters)
    return InferenceOutput(
        image=_data("image/jpeg", _jpeg(image_from_level(level, parameters))),
        audio=_data("audio/mpeg", _mp3(audio, parameters.sample_rate)),
        duration_s=audio.shape[1] / parameters.sample_rate,
    )


def _named(name: str, known: dict[str, str], ours: list[str], what: str) -> str:
    if name in known:
        return known[name]
    if name in ours:
        return name
    raise UsageError(f"{what} {name!r}: there are {', '.join([*known, *ours])}")


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _jpeg(image: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=95, exif=image.getexif())
    return buffer.getvalue()


def _mp3(audio: np.ndarray, sample_rate: int) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp3"
        encode(ArrayReader(audio), sample_rate, path, "mp3")
        return path.read_bytes()
