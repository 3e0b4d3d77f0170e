"""`riffcompose inspect` on MIDI files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from raw_midi import meta, named, note, program, smf, wheel, written

from riffcomposer.cli.main import main
from riffcomposer.media.kinds import MIDI, MIDI_SUFFIXES, kind_of, name_fault


@pytest.fixture
def song(tmp_path: Path) -> Path:
    conductor = meta(0, 0x51, b"\x0a\x2c\x2a") + meta(0, 0x58, b"\4\2\0\0") + meta(0, 0x59, b"\0\1")
    conductor += meta(0, 6, b"intro") + meta(4 * 480, 6, b"verse") + meta(0, 0x58, b"\3\2\0\0")
    melody = named(b"Tune [red]\xff") + program(0, 73) + wheel(0, 99) + note(72, 480) + note(84, 6 * 480)
    return written(tmp_path, smf(conductor, melody, named(b"Beat") + note(36, channel=10)))


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        main(["inspect", *map(str, arguments)])
    out, error = capsys.readouterr()
    return int(stop.value.code or 0), out, error


def test_people_get_text(song: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, song)
    assert code == 0
    assert out.splitlines() == [
        "file      song.mid",
        "tempo     90 BPM",
        "meter     4/4, 3/4 from bar 2",
        "key       A minor",
        "bars      2 (0:04.7 at 90 BPM)",
        "markers   intro, verse from bar 2",
        "tracks",
        "     name         sound         notes  range",
        "  1  Tune [red]ÿ  Flute             2  C5 to C6",
        "  2  Beat         acoustic kit      1",
    ]


def test_json_has_everything(song: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, song, "--json")
    found = json.loads(out)
    assert code == 0
    assert (found["format"], found["tempo"], found["bars"], found["key"]) == ("midi", 90.0, 2, "A minor")
    assert found["tracks"][0] == {
        "number": 1,
        "name": "Tune [red]ÿ",
        "channel": 1,
        "sounds": ["Flute"],
        "is_drums": False,
        "notes": 2,
        "low": 72,
        "high": 84,
        "bends": True,
    }


def test_a_midi_file_has_no_recipe(song: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, error = run(capsys, song, "--song-out", song.with_suffix(".yaml"))
    assert (code, "holds no recipe" in error) == (2, True)


def test_a_damaged_one_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, error = run(capsys, written(tmp_path, smf(note())[:-3]))
    assert (code, "it may be cut off" in error) == (3, True)


def test_what_is_midi_is_known_under_any_name(song: Path) -> None:
    wrong = song.rename(song.with_suffix(".wav"))
    assert kind_of(wrong) is MIDI
    fault = name_fault(MIDI, wrong.name)
    assert fault is not None
    assert (fault.code, fault.message) == ("wrong-suffix", "is a MIDI file, and is read as that")
    assert all(name_fault(MIDI, f"x{suffix}") is None for suffix in MIDI_SUFFIXES)
