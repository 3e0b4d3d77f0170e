"""Bars of a MIDI file as a piece for the synth."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from raw_midi import control, meta, named, note, off, on, program, smf, wheel, written

from riffcomposer.composer.instruments import INSTRUMENTS
from riffcomposer.composer.piece import Part
from riffcomposer.errors import MidiError
from riffcomposer.midi.general_midi import PROGRAM_NAMES, instrument_of
from riffcomposer.midi.midi_piece import as_piece, lead_of, role_of
from riffcomposer.midi.read import read_midi
from riffcomposer.midi.song import MidiSong

BAR = 4 * 480


def read(folder: Path, *tracks: bytes) -> MidiSong:
    return read_midi(written(folder, smf(*tracks)))


def spans(part: Part) -> list[tuple[float, float, int]]:
    return [(each.start, each.length, each.pitch) for each in part.notes]


@pytest.fixture
def four_bars(tmp_path: Path) -> MidiSong:
    return read(tmp_path, meta(0, 0x59, b"\0\1"), b"".join(note(60 + bar, BAR) for bar in range(4)))


def test_a_stretch_has_its_bars_and_the_one_before(four_bars: MidiSong) -> None:
    piece = as_piece(four_bars, start_bar=2, bars=1, tempo=90.0)
    assert (piece.layout.tempo, piece.layout.bar_beats, piece.layout.bars) == (90.0, 4.0, 2)
    assert spans(piece.parts[0]) == [(0.0, 4.0, 61), (4.0, 4.0, 62)]
    assert (piece.key, piece.parts[0].active) == ("A minor", (True,))


def test_the_lead_in_is_silent_where_the_file_starts(four_bars: MidiSong) -> None:
    piece = as_piece(four_bars, start_bar=0, bars=2, tempo=90.0)
    assert spans(piece.parts[0]) == [(4.0, 4.0, 60), (8.0, 4.0, 61)]
    assert spans(as_piece(four_bars, start_bar=0, bars=1, tempo=90.0, lead_in_bars=0).parts[0]) == [
        (0.0, 4.0, 60)
    ]


def test_notes_are_cut_at_the_stretchs_ends(tmp_path: Path) -> None:
    piece = as_piece(read(tmp_path, note(60, 4 * BAR)), start_bar=1, bars=2, tempo=90.0, lead_in_bars=0)
    assert spans(piece.parts[0]) == [(0.0, 8.0, 60)]
    assert piece.parts[0].active == (True, True)


def test_a_part_is_active_in_the_bars_that_it_sounds_in(tmp_path: Path) -> None:
    song = read(
        tmp_path, note(60, 480, delta=BAR) + note(60, 2 * BAR, delta=BAR) + note(60, 480, delta=3 * BAR)
    )
    piece = as_piece(song, start_bar=1, bars=6, tempo=90.0)
    assert piece.parts[0].active == (True, True, True, True, False, False)


def test_a_drum_before_the_stretch_is_not_struck_again(tmp_path: Path) -> None:
    song = read(tmp_path, note(49, BAR + 100, channel=10) + note(36, BAR - 100, channel=10))
    assert spans(as_piece(song, start_bar=1, bars=1, tempo=90.0, lead_in_bars=0).parts[0]) == [
        (pytest.approx(100 / 480), pytest.approx(4 - 100 / 480), 36)
    ]


def test_more_bars_than_there_are(four_bars: MidiSong) -> None:
    for start, bars in ((3, 2), (-1, 2), (0, 0), (4, 1)):
        with pytest.raises(MidiError, match="has 4 bars"):
            as_piece(four_bars, start_bar=start, bars=bars, tempo=90.0)


def test_meter_changes_keep_places_in_quarters(tmp_path: Path) -> None:
    song = read(
        tmp_path, meta(0, 0x58, b"\3\2\0\0") + meta(3 * 480, 0x58, b"\4\2\0\0"), note(60, 7 * 480) + note(61)
    )
    piece = as_piece(song, start_bar=0, bars=2, tempo=90.0, lead_in_bars=0)
    assert (piece.layout.bar_beats, piece.layout.bars) == (3.0, 3), "7 quarters need 3 bars of 3/4"
    assert spans(piece.parts[0]) == [(0.0, 7.0, 60)]


@pytest.mark.parametrize(
    ("events", "pitch", "bend"),
    [
        (wheel(0, -8192) + on(0, 60) + wheel(60, 0) + off(420, 60), 60, -2.0),
        (on(0, 60) + wheel(60, 8191) + off(420, 60), 62, pytest.approx(-2, abs=0.01)),
        (wheel(0, 4096) + note(60), 61, 0.0),
        (
            on(0, 60) + wheel(60, 800) + wheel(60, -800) + wheel(60, 800) + wheel(60, 0) + off(240, 60),
            60,
            0.0,
        ),
        (note(60) + wheel(0, 8191), 60, 0.0),
    ],
    ids=["scoop", "string bend", "held bend", "vibrato", "after the note"],
)
def test_the_wheel_is_in_the_notes(tmp_path: Path, events: bytes, pitch: int, bend: float) -> None:
    played = as_piece(read(tmp_path, events), start_bar=0, bars=1, tempo=90.0).parts[0].notes[0]
    assert (played.pitch, played.bend) == (pitch, bend)


def test_a_soft_stretch_stays_softer_than_a_loud_one(tmp_path: Path) -> None:
    soft = b"".join(note(60, BAR, velocity=40) for _ in range(4))
    loud = b"".join(note(60, BAR, velocity=90) for _ in range(4))
    song = read(tmp_path, soft + loud)
    first, second = (as_piece(song, start_bar=bar, bars=4, tempo=90.0).loudness_db for bar in (0, 4))
    assert second - first == pytest.approx(40 * math.log10(90 / 40), abs=0.1)
    assert as_piece(song, start_bar=0, bars=8, tempo=90.0).loudness_db == pytest.approx(0)


def test_a_part_keeps_its_wheel_from_the_stretch_on(tmp_path: Path) -> None:
    events = on(0, 60) + wheel(240, 8191) + wheel(0, 4096) + wheel(BAR, 0) + off(BAR, 60)
    song = read(tmp_path, events)
    first = as_piece(song, start_bar=0, bars=1, tempo=90.0, lead_in_bars=0).parts[0]
    assert first.bends == ((0.0, 0.0), (0.5, 1.0)), "the last of two events at one place counts"
    assert first.notes[0].tuned == 1
    second = as_piece(song, start_bar=1, bars=1, tempo=90.0, lead_in_bars=0).parts[0]
    assert second.bends == ((0.0, 1.0), (0.5, 0.0))
    third = as_piece(song, start_bar=2, bars=1, tempo=90.0, lead_in_bars=0).parts
    assert all(part.bends == () for part in third)


def test_roles_follow_sounds_and_the_melody_is_the_highest_line(tmp_path: Path) -> None:
    song = read(
        tmp_path,
        named(b"tune") + program(0, 73, 1) + note(84, channel=1) + note(86, channel=1),
        program(0, 0, 2) + on(0, 60, channel=2) + on(0, 90, channel=2) + off(480, 60, 2) + off(0, 90, 2),
        program(0, 33, 3) + note(40, channel=3),
        program(0, 89, 4) + note(60, channel=4),
        note(36, channel=10),
        program(0, 40, 5) + note(70, channel=5),
    )
    assert [role_of(part) for part in song.parts] == ["comp", "comp", "bass", "pad", "drums", "comp"]
    assert lead_of(song.parts) == 1
    piece = as_piece(song, start_bar=0, bars=1, tempo=90.0, roles={1: "second", 6: "lead"})
    assert [part.role for part in piece.parts] == ["second", "comp", "bass", "pad", "drums", "lead"]


def test_level_and_pan_reach_the_part(tmp_path: Path) -> None:
    loud = program(0, 4, 1) + control(0, 10, 1) + note(60, velocity=90, channel=1)
    quiet = program(0, 40, 2) + control(0, 7, 50, 2) + note(60, velocity=90, channel=2)
    piece = as_piece(read(tmp_path, loud, quiet), start_bar=0, bars=1, tempo=90.0)
    assert [part.gain_db for part in piece.parts] == [0.0, pytest.approx(-12.04, abs=0.01)]
    assert [part.pan for part in piece.parts] == [-1.0, 0.0]


def test_every_program_is_an_instrument() -> None:
    assert len(PROGRAM_NAMES) == 128
    for number in range(128):
        assert instrument_of(number).program == number
    assert instrument_of(73) is INSTRUMENTS["flute"]
    assert instrument_of(127).name == "gunshot"
