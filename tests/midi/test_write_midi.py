"""Writing compositions as MIDI: what is written is read back, by our reader and by mido."""

from __future__ import annotations

import io
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import mido
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from riffcomposer.composer.instruments import INSTRUMENTS
from riffcomposer.composer.meters import METERS
from riffcomposer.composer.piece import Part
from riffcomposer.composer.section import Composition, compose_section
from riffcomposer.composer.section_score import Score
from riffcomposer.composer.styles import STYLES
from riffcomposer.composer.theory import Note
from riffcomposer.composer.words import KIT_WORDS
from riffcomposer.errors import MidiError
from riffcomposer.midi.general_midi import kit_of, kit_program, program_of
from riffcomposer.midi.read import read_midi
from riffcomposer.midi.song import MidiSong, tempo_of
from riffcomposer.midi.write import TICKS, midi_bytes, write_midi

TICK = 1 / TICKS
Span = tuple[int, float, float, int]


def composed(**asked: Any) -> Composition:
    usual: dict[str, Any] = {"bars": Fraction(4), "tempo": 96.0, "style": "jazz", "key": "A minor"}
    return compose_section(Score(**usual | asked))


def with_notes(composition: Composition, *notes: Note, **changes: Any) -> Composition:
    part = Part("lead", INSTRUMENTS["flute"], "", notes, 0.0, (True,) * 4, **changes)
    return replace(composition, parts=(part,))


def read_back(folder: Path, *sections: tuple[str, Composition], tempo: Fraction = Fraction(96)) -> MidiSong:
    write_midi(folder / "x.mid", sections, tempo=tempo, title="Song")
    return read_midi(folder / "x.mid")


def messages(*sections: tuple[str, Composition]) -> mido.MidiFile:
    return mido.MidiFile(file=io.BytesIO(midi_bytes(sections, tempo=Fraction(96))), charset="utf-8")


def one_key_per_pitch(spans: list[Span]) -> list[Span]:
    """The notes that a keyboard can play: of one pitch at one time the longest, each ended by the next."""
    longest: dict[tuple[int, int], Span] = {}
    for span in spans:
        place = (span[0], round(span[1] / TICK))
        if place not in longest or longest[place][2] < span[2]:
            longest[place] = span
    ordered = [longest[place] for place in sorted(longest)]
    return [
        (pitch, start, min(end, following[1]) if following and following[0] == pitch else end, velocity)
        for (pitch, start, end, velocity), following in zip(ordered, [*ordered[1:], None], strict=True)
    ]


SCORES = st.builds(
    Score,
    bars=st.sampled_from([Fraction(1), Fraction(4), Fraction(7, 2), Fraction(8)]),
    tempo=st.just(96.0),
    style=st.sampled_from(list(STYLES)),
    key=st.sampled_from(["A minor", "F# dorian", "Bb", ""]),
    meter=st.sampled_from(METERS),
    seed=st.integers(0, 50),
    opens=st.booleans(),
    closes=st.booleans(),
)


def player_of(part: Part) -> tuple[str, str]:
    return part.role, part.instrument.name if part.instrument else part.kit


def written_spans(compositions: list[Composition]) -> dict[tuple[int, bool], list[Span]]:
    """What a file of these sections has to hold, by program and whether it is a kit."""
    every = [part for composition in compositions for part in composition.parts if part.notes]
    loudest = {
        player_of(part): max(other.gain_db for other in every if player_of(other) == player_of(part))
        for part in every
    }
    early = any(note.start < 0 for part in compositions[0].parts for note in part.notes)
    start = float(compositions[0].score.measure.beats) if early else 0.0
    players: dict[tuple[str, str], list[Span]] = {}
    for composition in compositions:
        for part in composition.parts:
            # A player that is less loud in one section is so by the channel's volume, read as velocity.
            share = 10 ** ((part.gain_db - loudest.get(player_of(part), 0.0)) / 40)
            for note in part.notes:
                at = start + note.start
                span = (note.pitch, at, at + note.length, round(note.velocity * share))
                players.setdefault(player_of(part), []).append(span)
        start += float(composition.score.beats)
    wanted: dict[tuple[int, bool], list[Span]] = {}
    for (role, sound), spans in players.items():
        program = kit_program(sound) if role == "drums" else program_of(INSTRUMENTS[sound])
        wanted.setdefault((program, role == "drums"), []).extend(one_key_per_pitch(spans))
    return wanted


@pytest.mark.no_cover
@settings(max_examples=40)
@given(st.lists(SCORES, min_size=1, max_size=4))
def test_reading_back_gives_the_same_notes(
    tmp_path_factory: pytest.TempPathFactory, scores: list[Score]
) -> None:
    compositions = [compose_section(score) for score in scores]
    wanted = written_spans(compositions)
    assume(wanted)
    song = read_back(
        tmp_path_factory.getbasetemp(),
        *((score.style, each) for score, each in zip(scores, compositions, strict=True)),
    )
    found: dict[tuple[int, bool], list[Span]] = {}
    for part in song.parts:
        found.setdefault((part.program, part.is_drums), []).extend(
            (note.pitch, note.start, note.start + note.length, note.velocity) for note in part.notes
        )
    assert set(found) == set(wanted)
    for kind, spans in found.items():
        expected = sorted((pitch, round(at / TICK), end, loud) for pitch, at, end, loud in wanted[kind])
        got = sorted((pitch, round(at / TICK), end, loud) for pitch, at, end, loud in spans)
        assert [each[:2] for each in got] == [each[:2] for each in expected]
        for one, other in zip(got, expected, strict=True):
            assert one[2] == pytest.approx(other[2], abs=1 / 32)
            assert one[3] == pytest.approx(other[3], abs=1)


def test_tempo_meters_keys_markers_and_chords(tmp_path: Path) -> None:
    sections = (
        ("intro ♪", composed(chords="Am7 | Dm7 | E7 | Am7", bars=Fraction(4))),
        ("waltz", composed(meter="3/4", key="Eb", bars=Fraction(2))),
        ("odd", composed(meter="3/4", key="D dorian", bars=Fraction(3, 2))),
        ("end", composed(meter="3/4", key="D dorian", bars=Fraction(1))),
    )
    song = read_back(tmp_path, *sections, tempo=Fraction(187, 2))
    assert tempo_of(song) == Fraction(187, 2)
    shift = song.markers[0][0]
    assert [(float(at - shift), name) for at, name in song.markers] == [
        (0, "intro ♪"),
        (16, "waltz"),
        (22, "odd"),
        (26.5, "end"),
    ]
    starts = {bar.start for bar in song.bars}
    assert all(at in starts for at, _ in song.markers if at < song.length), "a section starts a bar"
    assert [meter for _, meter in song.meters] == ["4/4", "3/4"]
    first = messages(*sections).tracks[0]
    assert [each.key for each in first if each.type == "key_signature"] == ["Am", "Eb", "C"]
    assert [each.text for each in first if each.type == "text"][:4] == ["Am7", "Dm7", "E7", "Am7"]


def test_a_pick_up_before_the_first_section_moves_everything_by_a_bar(tmp_path: Path) -> None:
    early = with_notes(composed(meter="3/4"), Note(-0.5, 0.5, 70, 80), Note(0.0, 1.0, 72, 90))
    song = read_back(tmp_path, ("a", early))
    assert [note.start for note in song.parts[0].notes] == [2.5, 3.0]
    assert song.markers[0][0] == 3


def test_a_later_pick_up_is_in_the_section_before(tmp_path: Path) -> None:
    first = with_notes(composed(), Note(15.0, 1.0, 70, 80))
    second = with_notes(composed(), Note(-0.5, 0.5, 70, 80))
    song = read_back(tmp_path, ("a", first), ("b", second))
    assert [(note.start, note.length) for note in song.parts[0].notes] == [(15.0, 0.5), (15.5, 0.5)]


def test_bends_are_written_within_their_range(tmp_path: Path) -> None:
    bent = with_notes(composed(), Note(1.0, 1.0, 70, 80, bend=-5.0), Note(3.0, 1.0, 72, 90))
    part = read_back(tmp_path, ("a", bent)).parts[0]
    assert part.bends[1] == (1.0, pytest.approx(-5.0, abs=0.01))
    assert part.bends[-1][1] == 0.0
    assert part.bends[-1][0] == pytest.approx(1 + 8 * 480 / 44_100 * 96 / 60, abs=0.01)


def test_level_place_and_kit(tmp_path: Path) -> None:
    quiet = with_notes(composed(), Note(0.0, 1.0, 60, 80), pan=-1.0)
    quiet = replace(quiet, parts=(replace(quiet.parts[0], gain_db=-6.0),))
    part = read_back(tmp_path, ("a", quiet)).parts[0]
    assert (part.name, part.volume_db, part.pan) == ("lead: flute", pytest.approx(-6, abs=0.2), -1.0)
    drums = replace(quiet, parts=(Part("drums", None, "brush", (Note(0.0, 0.1, 38, 70),), 0.0, (True,)),))
    part = read_back(tmp_path, ("a", drums)).parts[0]
    assert (part.channel, part.is_drums, part.sound) == (10, True, "brush kit")


def test_more_players_than_channels_share_them_in_different_sections(tmp_path: Path) -> None:
    names = [name for name, each in INSTRUMENTS.items() if not each.voice][:20]
    sections = []
    for place, name in enumerate(names):
        composition = with_notes(composed(), Note(float(place % 4), 1.0, 40 + place, 80))
        parts = (replace(composition.parts[0], instrument=INSTRUMENTS[name]),)
        sections.append((name, replace(composition, parts=parts)))
    song = read_back(tmp_path, *sections)
    assert {part.program: part.notes[0].pitch for part in song.parts} == {
        INSTRUMENTS[name].program: 40 + place for place, name in enumerate(names)
    }
    assert 10 not in {part.channel for part in song.parts}


def test_every_instrument_and_kit_has_a_program() -> None:
    for instrument in INSTRUMENTS.values():
        assert 0 <= program_of(instrument) <= 127
    for kit in KIT_WORDS:
        assert kit in ("909", "gated", "chip") or kit_of(kit_program(kit)) == kit


def test_nothing_to_write() -> None:
    with pytest.raises(MidiError, match="no section"):
        midi_bytes([], tempo=Fraction(96))
