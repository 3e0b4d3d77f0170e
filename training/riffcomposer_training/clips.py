"""Makes training clips: composes and renders pieces, takes the mel of every window, and writes shards.

A shard is `shard_0000.npz` with `levels`, uint8 [clips, 512, 576], row 0 the lowest band, 255 * level
rounded, and `shard_0000.json` with one entry per clip. The same seed gives the same collection, so it can be
made again and need not be kept.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt

from riffcomposer import files
from riffcomposer.synth.piece_audio import render_piece
from riffcomposer.synth.soundfont_player import SoundFontPlayer
from riffcomposer.synth.voices import SAMPLE_RATE, Audio
from riffcomposer_training.captions import caption, sounding
from riffcomposer_training.collection import CollectionPiece, compose
from riffcomposer_training.fast_mel import PARAMETERS, mels_at
from riffcomposer_training.other_players import with_other_players
from riffcomposer_training.windows import WINDOW_S, on_grid, rendered_s

CAPTIONS = 3
PAIR_SHARE = 0.75
"""Share of the pieces that are also played by others (see `other_players`)."""


@dataclass(frozen=True)
class Clip:
    """One training clip: `levels` uint8 [512, 576], and its JSON entry."""

    levels: npt.NDArray[np.uint8]
    entry: dict[str, Any]


def levels_at(audio: Audio, starts: Sequence[int]) -> npt.NDArray[np.float32]:
    """Levels of stretches; all are turned down by one factor if the loudest bin is above level 1."""
    mel = mels_at(audio, starts)
    loudest = float(mel.max())
    if loudest > PARAMETERS.max_volume:
        mel *= PARAMETERS.max_volume / loudest
    return np.asarray((mel / PARAMETERS.max_volume) ** PARAMETERS.power_for_image, np.float32)


def clips_of(collected: CollectionPiece, player: SoundFontPlayer, *, replayed: str = "") -> list[Clip]:
    """Renders a piece and cuts it into clips; windows in which nothing sounds are left out.

    Args:
        collected: The piece.
        player: Plays the sampled instruments.
        replayed: The seed of the piece that is played by others here; empty for a piece as it was composed.
    """
    piece, layout = collected.piece, collected.piece.layout
    (audio,) = render_piece(
        piece, duration_s=rendered_s(layout, collected.starts), roles=collected.heard, player=player
    )
    starts = [round(start * layout.seconds_per_beat * SAMPLE_RATE) for start in collected.starts]
    levels = levels_at(audio, starts)
    rng = Random(f"captions {piece.seed}")
    clips = []
    for window in range(len(starts)):
        parts = sounding(collected, window)
        if not parts or float(levels[window].max()) < 0.3:
            continue
        texts = list(dict.fromkeys(caption(collected, window, rng) for _ in range(CAPTIONS)))
        entry = {
            "caption": texts[0],
            "captions": texts,
            "kind": collected.kind,
            "style": piece.style,
            "piece": replayed or piece.seed,
            "replayed": bool(replayed),
            "window": window,
            "tempo": layout.tempo,
            "key": piece.key,
            "scale": piece.scale,
            "bars": round(WINDOW_S / layout.seconds_per_bar, 3),
            "beats_per_bar": layout.bar_beats,
            "meter": collected.meter,
            "on_grid": collected.kind != "score" and on_grid(layout),
            "mix": piece.mix,
            "instruments": [part.instrument.name if part.instrument else part.kit for part in parts],
            "roles": [part.role for part in parts],
        }
        clips.append(Clip(np.round(levels[window] * 255).astype(np.uint8), entry))
    return clips


def write_shard(folder: Path, number: int, clips: Sequence[Clip]) -> None:
    """Writes one shard; the JSON file comes last, so a shard with both files is complete."""
    name = f"shard_{number:04d}"
    levels = np.stack([clip.levels for clip in clips])
    with (
        files.replacing(folder / f"{name}.npz", durable=False) as temporary,
        # numpy compresses at level 6 only, which would take longer than the rendering on many cores.
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("levels.npy", "w", force_zip64=True) as handle,
    ):
        np.lib.format.write_array(handle, levels, allow_pickle=False)
    entries = json.dumps([clip.entry for clip in clips], indent=0)
    files.write_text(folder / f"{name}.json", entries, durable=False)


@cache
def _loaded_player(fonts: tuple[Path, ...]) -> SoundFontPlayer:
    """A player with these fonts, loaded once per process."""
    return SoundFontPlayer(fonts)


def generate(
    fonts: Sequence[Path],
    seed: int,
    first: int,
    pieces: int,
) -> Iterator[Clip]:
    """Makes the clips of pieces `first` to `first + pieces - 1`, in order.

    The clips of a piece are followed by the same music played by others, for a share of the pieces.

    Args:
        fonts: SoundFont files.
        seed: Seed of the collection.
        first: Number of the first piece.
        pieces: Number of pieces.
    """
    player = _loaded_player(tuple(fonts))
    for index in range(first, first + pieces):
        collected = compose(seed, index)
        yield from clips_of(collected, player)
        rng = Random(f"others {collected.piece.seed}")
        others = with_other_players(collected, rng) if rng.random() < PAIR_SHARE else None
        if others is not None:
            yield from clips_of(others, player, replayed=collected.piece.seed)
