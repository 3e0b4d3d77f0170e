"""Bars, meters, tempi, keys and markers of MIDI files."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from raw_midi import meta, note, smf, written

from riffcomposer.midi.read import read_midi
from riffcomposer.midi.song import MidiSong, tempo_of
from riffcomposer.midi.timeline import MeterEvent, lay_bars, lay_tempi


def read(folder: Path, *tracks: bytes) -> MidiSong:
    return read_midi(written(folder, smf(*tracks)))


def meter(delta: int, top: int, power: int) -> bytes:
    return meta(delta, 0x58, bytes((top, power, 24, 8)))


def tempo(delta: int, bpm: float) -> bytes:
    return meta(delta, 0x51, round(60e6 / bpm).to_bytes(3, "big"))


def test_bars_follow_the_files_meters(tmp_path: Path) -> None:
    song = read(tmp_path, meter(0, 4, 2) + meter(8 * 480, 7, 3), note(60, 15 * 480))
    assert [(float(bar.start), float(bar.length), bar.meter) for bar in song.bars] == [
        (0, 4, "4/4"),
        (4, 4, "4/4"),
        (8, 3.5, "7/8"),
        (11.5, 3.5, "7/8"),
    ]
    assert song.meters == ((0, "4/4"), (2, "7/8"))
    assert [song.bar_at(quarter) for quarter in (0, 3.99, 4, 8, 11.6, 99)] == [0, 0, 1, 2, 3, 3]


def test_a_meter_inside_a_bar_begins_one(tmp_path: Path) -> None:
    song = read(tmp_path, meter(0, 4, 2) + meter(6 * 480, 3, 2), note(60, 9 * 480))
    assert [(float(bar.start), float(bar.length)) for bar in song.bars] == [(0, 4), (4, 2), (6, 3)]


def test_a_last_note_that_rings_on_makes_no_bar(tmp_path: Path) -> None:
    assert len(read(tmp_path, note(60, 4 * 480 + 40)).bars) == 1
    assert len(read(tmp_path, note(60, 4 * 480) + note(60, 10)).bars) == 2


@given(
    st.lists(
        st.tuples(
            st.fractions(0, 60, max_denominator=48), st.integers(1, 13), st.sampled_from([1, 2, 4, 8, 16])
        )
    ),
    st.fractions(Fraction(1, 48), 64, max_denominator=48),
)
def test_bars_have_no_gaps_and_cover_the_file(
    meters: list[tuple[Fraction, int, int]], length: Fraction
) -> None:
    events = [MeterEvent(*each) for each in sorted(meters)]
    bars = lay_bars(events, length)
    assert bars[0].start == 0
    assert all(left.end == right.start for left, right in pairwise(bars))
    assert bars[-1].start < length <= bars[-1].end
    starts = {bar.start for bar in bars}
    assert all(event.start in starts for event in events if event.start < length)


def test_the_longest_tempo_is_the_files(tmp_path: Path) -> None:
    song = read(tmp_path, tempo(0, 60) + tempo(480, 92) + tempo(9 * 480, 40), note(60, 12 * 480))
    assert tempo_of(song) == 92
    assert [(float(at), float(bpm)) for at, bpm in song.tempi] == [(0, 60), (1, 92), (10, 40)]


def test_without_a_tempo_it_is_120(tmp_path: Path) -> None:
    assert tempo_of(read(tmp_path, note())) == 120


@given(st.integers(2000, 40_000))
def test_tempi_of_a_hundredth_survive_microseconds(hundredths: int) -> None:
    micros = round(Fraction(6_000_000_000, hundredths))
    assert abs(lay_tempi([(Fraction(0), micros)])[0][1] - Fraction(hundredths, 100)) <= Fraction(2, 1000)


@pytest.mark.parametrize(
    ("content", "name"), [(b"\0\1", "A minor"), (b"\xfd\0", "Eb major"), (b"\7\0", "C# major")]
)
def test_keys(tmp_path: Path, content: bytes, name: str) -> None:
    assert read(tmp_path, meta(0, 0x59, content) + note()).key == name


def test_markers(tmp_path: Path) -> None:
    song = read(tmp_path, meta(0, 6, b"intro") + meta(960, 6, b"verse"), note(60, 2000))
    assert song.markers == ((0, "intro"), (2, "verse"))
