"""Makes the loop catalogue: two-bar loops of every style as mel images, and masks.

    python -m riffcomposer_training.loop_catalogue FONTS_FOLDER

writes `clips/`, `masks/` and `catalogue.json` into `riffcomposer/loops/`. Each loop is composed for a chosen
cast of instruments and played three times. The middle repeat is kept and its start is crossfaded with what
follows its end, so that it repeats without a seam. All loops have the same loudness.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

import numpy as np
import numpy.typing as npt
from PIL import Image

from riffcomposer import files
from riffcomposer.composer.arrangement import compose_loop
from riffcomposer.composer.style import Style
from riffcomposer.composer.styles import STYLES
from riffcomposer.composer.theory import PITCH_NAMES
from riffcomposer.loops.catalogue import FOLDER
from riffcomposer.media.picture import exif_tags
from riffcomposer.synth.piece_audio import LOUDNESS_DB, loudness_db, render_piece
from riffcomposer.synth.soundfont_player import SoundFontPlayer
from riffcomposer.synth.voices import SAMPLE_RATE, Audio
from riffcomposer_training import fonts
from riffcomposer_training.fast_mel import FRAMES, MARGIN_FRAMES, PARAMETERS, mels_at
from riffcomposer_training.windows import WINDOW_S, draw_layout

LOOP_SAMPLES = FRAMES * PARAMETERS.hop_length
SEAM_S = 0.04
"""Length of the crossfade by which a loop closes on itself."""

REPEATS = 3
"""How often a loop is played; the middle repeat is kept."""

LOOP_LOUDNESS_DB = LOUDNESS_DB - 2.5


@dataclass(frozen=True)
class Loop:
    """The description from which one loop of the catalogue is made.

    Attributes:
        name: Name of the loop, which starts with its style.
        style: A key of `STYLES`.
        description: One line.
        cast: Role to `instrument` or `instrument: pattern`.
        key: `A minor`; empty for drums.
        progression: Roman numerals, one per bar; empty for one of the style's.
        take: Number of the take; every number gives another one.
        font: Number of the sound font, 0 or 1.
        tempo: 93.75, or 187.5 for styles that count twice as fast (the beat grid is the same).
        tags: Search words, beside those of the style and the instruments.
    """

    name: str
    style: str
    description: str
    cast: Mapping[str, str]
    key: str = ""
    progression: str = ""
    take: int = 0
    tempo: float = 93.75
    tags: Sequence[str] = field(default_factory=tuple)
    font: int = 0


def read_loops(path: Path) -> list[Loop]:
    """Reads the list of loops (`catalogue_loops.json` beside this file)."""
    return [Loop(**entry) for entry in json.loads(path.read_text(encoding="utf-8"))]


def close_loop(audio: Audio) -> Audio:
    """The middle of three repeats, its start crossfaded with what follows its end, so that it repeats."""
    middle = audio[LOOP_SAMPLES : 2 * LOOP_SAMPLES].copy()
    after = audio[2 * LOOP_SAMPLES : 2 * LOOP_SAMPLES + int(SEAM_S * SAMPLE_RATE)]
    ramp = np.linspace(0, 1, len(after), dtype=np.float32)
    middle[: len(after)] = middle[: len(after)] * ramp + after * (1 - ramp)
    return middle


def _player(text: str) -> tuple[str, str]:
    """`instrument: pattern` as a pair; the pattern may be missing."""
    name, _, pattern = text.partition(":")
    return name.strip(), pattern.strip()


def _scale(style: Style, mode: str) -> str:
    """The style's scale for a key that says major or minor only."""
    bright = ("major", "lydian", "mixolydian", "major pentatonic")
    fitting = [scale for scale in style.scales if (scale in bright) == (mode == "major")]
    return mode if mode in style.scales else (fitting or list(style.scales))[0]


def loop_audio(loop: Loop, player: SoundFontPlayer) -> Audio:
    """Renders a loop.

    Returns:
        Audio float32 [225,792] (5.12 s) at the catalogue's loudness.
    """
    tonic, _, mode = loop.key.partition(" ")
    style = STYLES[loop.style]
    cast = {role: _player(text) for role, text in loop.cast.items()}
    seed = f"{loop.name} {loop.take}"
    rng = Random(seed)
    layout = replace(draw_layout(rng, REPEATS, style, loop.tempo), lead_in_bars=0)
    piece = compose_loop(
        rng,
        seed,
        layout,
        style,
        cast,
        tonic=PITCH_NAMES.index(tonic) if tonic else 0,
        scale=_scale(style, mode),
        progression=loop.progression,
    )
    duration_s = layout.phrase_start_s(layout.phrases - 1) + WINDOW_S + 0.35
    (audio,) = render_piece(replace(piece, font=loop.font), duration_s=duration_s, player=player)
    closed = close_loop(audio)
    return closed * np.float32(10 ** ((LOOP_LOUDNESS_DB - loudness_db(closed)) / 20))


def circular_levels(loop: Audio) -> npt.NDArray[np.float32]:
    """Levels [512, 512] of a loop that repeats without end."""
    margin = MARGIN_FRAMES * PARAMETERS.hop_length
    mel = mels_at(np.concatenate([loop[-margin:], loop, loop[: 2 * margin]]), [margin], FRAMES)[0]
    mel = mel / max(PARAMETERS.max_volume, float(mel.max()))  # nothing is clipped; a pure tone gives way
    return np.asarray(mel**PARAMETERS.power_for_image, np.float32)


def write_grey(path: Path, pixels: npt.NDArray[np.uint8], *, tagged: bool) -> str:
    """Writes an 8-bit grey PNG, with the spectrogram's parameters in EXIF if `tagged`.

    Returns:
        The sha256 of the file.
    """
    image = Image.fromarray(pixels)
    exif = Image.Exif()
    if tagged:
        exif.update(exif_tags(PARAMETERS))
    with files.replacing(path, durable=False) as temporary:
        image.save(temporary, format="PNG", optimize=True, **({"exif": exif} if tagged else {}))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def masks() -> dict[str, tuple[str, npt.NDArray[np.uint8]]]:
    """The masks: name to (description, pixels [512, 512]); white is repainted, black kept."""
    white = np.ones((FRAMES, FRAMES))
    frames = np.arange(FRAMES)
    up = np.linspace(1, 0, FRAMES)[:, None]  # 1 in the top row, the highest band

    def lines(step: int, keep: float, half_width: int = 10) -> npt.NDArray[np.float64]:
        distance = np.minimum(frames % step, step - frames % step)
        shape = np.clip(1.5 - distance / half_width, 0, 1)
        return white - keep * shape[None, :]

    third = FRAMES // 3
    top, bottom = white.copy(), white.copy()
    top[:third] = 0.25
    bottom[-third:] = 0.25
    low = np.clip((FRAMES - 1 - np.arange(FRAMES)[:, None]) / 96, 0, 1) * white
    upper_kept = np.clip(1.125 - np.clip(up * 2 - 0.7, 0, 1), 0.125, 1) * white
    second_bar = np.clip((frames - 248) / 16, 0, 1)[None, :] * white
    made = {
        "beats-80": ("Every beat is repainted at 80 % only: a light hold on the onsets", lines(64, 0.2)),
        "beats-75": ("Every beat is repainted at 75 % only", lines(64, 0.25)),
        "beats-50": ("Every beat is repainted by half: onsets stay audible", lines(64, 0.5)),
        "downbeats-50": ("The first beat of each bar is repainted by half", lines(256, 0.5, 16)),
        "eighths-75": ("Every eighth note is repainted at 75 % only", lines(32, 0.25, 6)),
        "gradient-up": ("Repaints the highs fully, the lows less and less", (0.25 + 0.75 * up) * white),
        "gradient-down": ("Repaints the lows fully, the highs less and less", (1 - 0.75 * up) * white),
        "gradient-dark": ("Repaints the lows; the upper half is kept more and more", upper_kept),
        "top-third": ("The top third (hats, air) is mostly kept, the rest repainted", top),
        "top-third-75": ("The top third is repainted at 75 % only", np.where(top < 1, 0.75, 1.0)),
        "bottom-third": ("The bottom third (bass, kick) is mostly kept, the rest repainted", bottom),
        "bottom-third-75": ("The bottom third is repainted at 75 % only", np.where(bottom < 1, 0.75, 1.0)),
        "keep-bass": ("The lowest bands are kept, fading into full repaint above", low),
        "second-bar": ("The first bar is kept, the second repainted", second_bar),
    }
    return {name: (text, np.rint(255 * shape).astype(np.uint8)) for name, (text, shape) in made.items()}


def write_catalogue(folder: Path, loops: Sequence[Loop], player: SoundFontPlayer) -> None:
    """Writes every loop, every mask and `catalogue.json` into `folder`."""
    clips = []
    for loop in loops:
        level = circular_levels(loop_audio(loop, player))
        path = folder / "clips" / f"{loop.name}.png"
        digest = write_grey(path, np.rint(255 - 255 * level[::-1]).astype(np.uint8), tagged=True)
        tags = list(dict.fromkeys([*_tags(loop), *loop.tags]))
        clips.append(
            {
                "name": loop.name,
                "style": loop.style,
                "description": loop.description,
                "tempo": 93.75,
                "bars": 2,
                "meter": "4/4",
                "key": loop.key,
                "tags": tags,
                "file": f"clips/{path.name}",
                "sha256": digest,
            }
        )
    shapes = []
    for name, (text, pixels) in masks().items():
        digest = write_grey(folder / "masks" / f"{name}.png", pixels, tagged=False)
        shapes.append({"name": name, "description": text, "file": f"masks/{name}.png", "sha256": digest})
    rows = ",\n".join("    " + json.dumps(entry, ensure_ascii=False) for entry in clips)
    mask_rows = ",\n".join("    " + json.dumps(entry, ensure_ascii=False) for entry in shapes)
    files.write_text(
        folder / "catalogue.json", f'{{\n  "clips": [\n{rows}\n  ],\n  "masks": [\n{mask_rows}\n  ]\n}}\n'
    )


def _tags(loop: Loop) -> list[str]:
    """Search words: the style's and its players'."""
    machines = ("808", "909", "gated", "chip", "brush")
    players = [_player(text)[0] for role, text in loop.cast.items() if role != "drums"]
    kit = _player(loop.cast.get("drums", ""))[0]
    drums = ([f"{kit} drums"] if kit in machines else []) + (["drums"] if kit else [])
    return [*players, *drums, *STYLES[loop.style].tags]


def main(arguments: Sequence[str]) -> None:
    """Writes the shipped catalogue with the fonts of a folder."""
    player = SoundFontPlayer(fonts.find(Path(arguments[0]) if arguments else None))
    write_catalogue(FOLDER, read_loops(Path(__file__).parent / "catalogue_loops.json"), player)


if __name__ == "__main__":
    main(sys.argv[1:])
