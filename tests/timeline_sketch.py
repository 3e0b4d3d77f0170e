"""What stands for the timeline's picture in renders that are not about it."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from riffcomposer.files import replacing
from riffcomposer.mix import timeline_image
from riffcomposer.mix.blocks import AudioReader
from riffcomposer.mix.timeline_image import TimelineSection, write_timeline

__all__ = ["TIMELINE", "sketch_timelines", "write_sketch", "write_timeline"]

TIMELINE = "riffcomposer.mix.timeline_image.write_timeline"


def sketch_timelines() -> None:
    """Lets this process sketch its timelines, as the fixture `sketched_timelines` lets the tests."""
    timeline_image.write_timeline = write_sketch


def write_sketch(
    path: Path,
    audio: AudioReader,
    sample_rate: int,
    sections: Sequence[TimelineSection],
    joins: Sequence[int] = (),
    *,
    cache_folder: Path | None = None,
    **words: Any,
) -> None:
    """Writes a PNG of one pixel that says what the picture would be drawn from.

    Its bytes differ where the sound, the sections, the joins or the words differ.
    """
    sound = sha256(audio.read(0, audio.samples).tobytes()).hexdigest()
    note = PngInfo()
    note.add_text("sketch", repr((sound, sample_rate, list(sections), list(joins), sorted(words.items()))))
    with replacing(path) as temporary:
        Image.new("L", (1, 1)).save(temporary, format="png", pnginfo=note)
