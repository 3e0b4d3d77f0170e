"""The songs that `riffcompose new` writes."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from riffcomposer.cli.starter_styles import STARTERS, Starter

if TYPE_CHECKING:
    from riffcomposer.loops.catalogue import Catalogue, Loop


def starter_song(title: str, style: str, schema: str, catalogue: Catalogue) -> str:
    """Returns the text of a song to start from.

    Args:
        title: The song's title.
        style: A key of `STARTERS`.
        schema: Path of the JSON Schema, for editors.
        catalogue: The loops that may be named.
    """
    starter = STARTERS[style]
    return _head(title, style, starter, schema, catalogue) + _FORMS[starter.form](starter) + _TAIL


def _loops(starter: Starter, catalogue: Catalogue) -> list[Loop]:
    """Returns the catalogue's loops for a style."""
    found = []
    for word in starter.loops:
        for loop in catalogue.clips.values():
            text = " ".join((loop.name, loop.style, *loop.tags)).lower()
            if word in text and loop.meter == starter.meter and loop not in found:
                found.append(loop)
    return found


def _head(title: str, style: str, starter: Starter, schema: str, catalogue: Catalogue) -> str:
    parts = f"    parts: {starter.parts}\n" if starter.parts else ""
    names = ", ".join(loop.name for loop in _loops(starter, catalogue)[:4])
    loops = f"; loops that suit: {names}" if names else ""
    return f"""\
# yaml-language-server: $schema={schema}
# Hear it:        riffcompose render THIS_FILE
# Before that:    riffcompose check, riffcompose plan; the notes: riffcompose score
title: {_quoted(title)}
tempo: {starter.tempo:g}                    # BPM
meter: {starter.meter}
seed: {zlib.crc32(title.encode())}              # another seed, other notes and another take
model: default

defaults:                     # settings for every section that does not state its own
  init: score                 # music that is composed for each section; the model paints over it
  # init: clips/mine.wav      # or start from a recording or a loop{loops}
  score:
    style: {style}
    key: {starter.key}
{parts}    # chords: "i | VI | III | VII"     # your own chords, or names: "Am9 | Fmaj7 | C | G"
  strength: {starter.strength:g}              # how far a render moves away from the score, 0 to 1
  alpha_curve: ease           # how a walk moves: slowly near each of its points

sections:
"""


def _song(starter: Starter) -> str:
    return f"""\
  - name: intro
    prompt: {_quoted(starter.quiet)}
    bars: 8
    score: {{energy: {{0: 0.15, 8: 0.35}}}}     # who plays, and how densely: points by bar
    fade_in: 1 bar

  - name: verse               # one prompt; each clip has the next seed
    prompt: {_quoted(starter.main)}
    seed: 7
    bars: 16
    score: {{energy: {{0: 0.25, 8: 0.65}}}}
    transition: {{type: bridge, clips: 1}}     # a clip that leads over; or cut, or crossfade

  - name: chorus              # another theme has other chords and another melody
    prompt: {_quoted(starter.other)}
    seed: 11
    bars: 16
    score: {{theme: B, energy: {{0: 0.6, 8: 0.85}}}}
    transition: {{type: crossfade, length: 2 beats}}

  - name: break
    prompt: {_quoted(starter.quiet)}
    seed: 15
    bars: 8
    score: {{energy: {{0: 0.15, 8: 0.3}}}}
    gain_db: {{0: -3, 8: 0}}    # numbers may move over the bars

  - use: chorus               # the same section again, varied; keys stated here replace its own
    seed: 21

  - name: outro
    use: intro
    score: {{energy: {{0: 0.4, 8: 0.1}}}}
    fade_in: 0s
    fade_out: 3 bars
    transition: {{type: crossfade, length: 2 beats}}
"""


def _tune(starter: Starter) -> str:
    return f"""\
  - name: opening
    prompt: {_quoted(starter.quiet)}
    bars: 4
    score: {{energy: 0.2}}

  - name: first tune          # one prompt; each clip has the next seed
    prompt: {_quoted(starter.main)}
    seed: 7
    bars: 16
    score: {{energy: {{0: 0.35, 8: 0.55}}}}     # who plays, and how densely: points by bar
    transition: {{type: crossfade, length: 1 beat}}

  - name: second tune         # another theme has other chords and another melody
    prompt: {_quoted(starter.other)}
    seed: 11
    bars: 16
    score: {{theme: B, energy: {{0: 0.45, 8: 0.8}}}}

  - name: first tune again    # the same section again, varied; keys stated here replace its own
    use: first tune
    seed: 21
    score: {{energy: {{0: 0.6, 8: 0.8}}}}

  - name: ending
    prompt: {_quoted(starter.quiet)}
    bars: 8
    score: {{energy: {{0: 0.4, 8: 0.1}}}}
    fade_out: 2 bars
    transition: {{type: crossfade, length: 1 bar}}
"""


def _drift(starter: Starter) -> str:
    return f"""\
  - name: far away
    prompt: {_quoted(starter.quiet)}
    bars: 8
    score: {{energy: {{0: 0.15, 8: 0.3}}}}      # who plays, and how densely: points by bar
    fade_in: 2 bars

  - name: nearer              # several points: the sound turns from one into the next
    walk:
      - {{prompt: {_quoted(starter.main)}, seed: 7}}
      - {{prompt: {_quoted(starter.other)}, seed: 7}}
    bars: 16
    score: {{energy: {{0: 0.35, 16: 0.7}}}}
    transition: {{type: crossfade, length: 3 beats}}

  - name: another place       # another theme has other chords and another melody
    prompt: {_quoted(starter.other)}
    seed: 11
    bars: 12
    score: {{theme: B, energy: {{0: 0.7, 12: 0.4}}}}
    gain_db: {{0: 0, 12: -3}}   # numbers may move over the bars
    transition: {{type: crossfade, length: 3 beats}}

  - use: nearer               # the same section again, varied; keys stated here replace its own
    bars: 12
    score: {{energy: {{0: 0.6, 12: 0.3}}}}

  - name: away again
    use: far away
    score: {{energy: {{0: 0.3, 8: 0.1}}}}
    fade_in: 0s
    fade_out: 4 bars
"""


_FORMS = {"song": _song, "tune": _tune, "drift": _drift}

_TAIL = """
master:
  chain:
    - highpass: {cutoff_frequency_hz: 30}
    - compressor: {threshold_db: -18, ratio: 2, attack_ms: 10, release_ms: 150}
    - reverb: {room_size: 0.2, wet_level: 0.08, dry_level: 0.5}
  integrated_lufs: -14
  true_peak_dbtp: -1

output:
  formats: [flac]             # wav, flac, mp3, ogg
  stereo_width: 0.3           # 0 is mono
"""


def _quoted(text: str) -> str:
    """Writes a text as YAML in single quotes."""
    return "'" + text.replace("'", "''") + "'"
