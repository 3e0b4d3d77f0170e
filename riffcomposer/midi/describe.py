"""Says what is in a MIDI file: tempo, meter, bars, and its tracks with the numbers that songs name."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from riffcomposer.composer.theory import PITCH_NAMES
from riffcomposer.midi.song import MidiPart, MidiSong, tempo_of

_SHOWN = 12
"""Most tempi, meters and markers that the text lists."""


def facts(song: MidiSong) -> dict[str, Any]:
    """What is in a file, as plain values for JSON."""
    tempo = tempo_of(song)
    return {
        "file": song.name,
        "format": "midi",
        "tempo": float(tempo),
        "tempi": [{"bar": song.bar_at(float(at)), "tempo": float(bpm)} for at, bpm in song.tempi],
        "meters": [{"bar": bar, "meter": meter} for bar, meter in song.meters],
        "bars": len(song.bars),
        "seconds": round(float(song.length * 60 / tempo), 3),
        "key": song.key,
        "markers": [{"bar": song.bar_at(float(at)), "name": text} for at, text in song.markers],
        "tracks": [_track(list(parts)) for _, parts in groupby(song.parts, key=lambda part: part.track)],
        "remarks": list(song.remarks),
    }


def _track(parts: list[MidiPart]) -> dict[str, Any]:
    low, high = min(part.low for part in parts), max(part.high for part in parts)
    return {
        "number": parts[0].track,
        "name": parts[0].name,
        "channel": parts[0].channel,
        "sounds": list(dict.fromkeys(part.sound for part in parts)),
        "is_drums": all(part.is_drums for part in parts),
        "notes": sum(len(part.notes) for part in parts),
        "low": low,
        "high": high,
        "bends": any(part.bends for part in parts),
    }


def describe(song: MidiSong) -> str:
    """What is in a file, as text for people. Bars count from 1, as in a score."""
    found = facts(song)
    rows = [("tempo", _tempi(found)), ("meter", _changes(found["meters"], "meter"))]
    if found["key"]:
        rows.append(("key", found["key"]))
    minutes, seconds = divmod(found["seconds"], 60)
    rows.append(("bars", f"{found['bars']} ({int(minutes)}:{seconds:04.1f} at {found['tempo']:g} BPM)"))
    if found["markers"]:
        rows.append(("markers", _changes(found["markers"], "name")))
    rows += [("note", remark) for remark in found["remarks"]]
    lines = [f"{name:<10}{value}" for name, value in rows]
    return "\n".join(["file      " + found["file"], *lines, "tracks", *_table(found["tracks"])])


def _tempi(found: dict[str, Any]) -> str:
    text = f"{found['tempo']:g} BPM"
    return (
        text if len(found["tempi"]) == 1 else f"{text} for the most part; {_changes(found['tempi'], 'tempo')}"
    )


def _changes(entries: list[dict[str, Any]], name: str) -> str:
    """`4/4, 3/4 from bar 9`."""
    shown = [
        f"{entry[name]:g}" if isinstance(entry[name], float) else str(entry[name])
        for entry in entries[:_SHOWN]
    ]
    parts = [
        text if not entry["bar"] else f"{text} from bar {entry['bar'] + 1}"
        for text, entry in zip(shown, entries[:_SHOWN], strict=True)
    ]
    more = len(entries) - _SHOWN
    return ", ".join(parts) + (f", and {more} more" if more > 0 else "")


def _table(tracks: list[dict[str, Any]]) -> list[str]:
    cells = [("", "name", "sound", "notes", "range")]
    for track in tracks:
        span = "" if track["is_drums"] else f"{_pitch(track['low'])} to {_pitch(track['high'])}"
        cells.append(
            (str(track["number"]), track["name"], ", ".join(track["sounds"][:3]), f"{track['notes']:,}", span)
        )
    widths = [max(len(row[column]) for row in cells) for column in range(4)]
    first = max(3, widths[0])
    lines = [
        f"{number:>{first}}  {name:<{widths[1]}}  {sound:<{widths[2]}}  {notes:>{widths[3]}}  {span}"
        for number, name, sound, notes, span in cells
    ]
    return [line.rstrip() for line in lines]


def _pitch(number: int) -> str:
    """`C4` for 60."""
    return f"{PITCH_NAMES[number % 12]}{number // 12 - 1}"
