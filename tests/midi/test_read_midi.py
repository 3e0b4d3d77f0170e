"""Reading MIDI files: notes, pedal, controllers, parts, texts, containers."""

from __future__ import annotations

from pathlib import Path

import pytest
from raw_midi import (
    END,
    TICKS,
    chunk,
    control,
    event,
    header,
    meta,
    named,
    note,
    off,
    on,
    program,
    smf,
    track,
    wheel,
    written,
)

from riffcomposer.errors import MidiError
from riffcomposer.midi.read import SHORTEST, read_midi
from riffcomposer.midi.song import MidiSong


def read(folder: Path, *tracks: bytes, form: int = 1, division: int = TICKS) -> MidiSong:
    return read_midi(written(folder, smf(*tracks, form=form, division=division)))


def plain(song: MidiSong, part: int = 0) -> list[tuple[float, float, int, int]]:
    return [(each.start, each.length, each.pitch, each.velocity) for each in song.parts[part].notes]


def test_notes_are_in_quarters_whatever_the_tempo(tmp_path: Path) -> None:
    song = read(
        tmp_path, meta(0, 0x51, b"\x03\x0d\x40") + note(60, 240, delta=480) + note(62, 960, velocity=99)
    )
    assert plain(song) == [(1.0, 0.5, 60, 64), (1.5, 2.0, 62, 99)]
    assert song.length == 3.5


def test_running_status_and_velocity_0_end_notes(tmp_path: Path) -> None:
    song = read(tmp_path, b"\0\x90\x40\x40" + b"\x60\x40\0" + b"\0\x43\x40" + b"\x60\x43\0")
    assert plain(song) == [(0.0, 0.2, 64, 64), (0.2, 0.2, 67, 64)]


def test_a_missing_end_of_track_and_what_follows_the_end_are_no_fault(tmp_path: Path) -> None:
    open_ended = header(2) + chunk(b"MTrk", note(60)) + chunk(b"MTrk", note(62) + END + b"\xfd\xfd")
    song = read_midi(written(tmp_path, open_ended))
    assert [part.notes[0].pitch for part in song.parts] == [60, 62]


def test_overlapping_notes_of_one_pitch_end_in_the_order_they_started(tmp_path: Path) -> None:
    song = read(tmp_path, on(0, 60, 10) + on(480, 60, 20) + off(480, 60) + off(480, 60))
    assert plain(song) == [(0.0, 2.0, 60, 10), (1.0, 2.0, 60, 20)]


def test_notes_without_an_end_last_16_quarters_but_not_past_their_track(tmp_path: Path) -> None:
    song = read(tmp_path, on(0, 60) + note(62, 480, delta=20 * 480 - 480) + on(0, 64) + event(960, 0xC0, 1))
    assert [(start, length) for start, length, _, _ in plain(song)] == [(0.0, 16.0), (19.0, 1.0), (20.0, 2.0)]
    assert "2 notes without an end" in song.remarks[0]


def test_notes_without_length_get_one(tmp_path: Path) -> None:
    song = read(tmp_path, note(60, 0) + note(60, 480))
    assert plain(song) == [(0.0, SHORTEST, 60, 64), (0.0, 1.0, 60, 64)]


def test_the_pedal_holds_notes_until_it_comes_up_or_the_pitch_returns(tmp_path: Path) -> None:
    song = read(
        tmp_path,
        control(0, 64, 127)
        + note(60, 240)
        + note(62, 240)
        + note(60, 240)
        + control(240, 64, 0)
        + note(64, 240),
    )
    assert plain(song) == [(0.0, 1.0, 60, 64), (0.5, 1.5, 62, 64), (1.0, 1.0, 60, 64), (2.0, 0.5, 64, 64)]


def test_a_pedal_that_never_comes_up_does_not_hold_for_ever(tmp_path: Path) -> None:
    song = read(tmp_path, control(0, 64, 127) + note(60, 480) + note(62, 480, delta=99 * 480))
    assert plain(song)[0] == (0.0, 17.0, 60, 64)


@pytest.mark.parametrize(("controller", "ends"), [(120, 1.0), (123, 2.0), (121, 2.0)])
def test_sound_off_notes_off_and_reset(tmp_path: Path, controller: int, ends: float) -> None:
    # Sound off ends a note at once; notes off leaves it to the pedal; a reset lifts the pedal only.
    song = read(
        tmp_path,
        control(0, 64, 127) + on(0, 60) + control(480, controller, 0) + control(480, 64, 0) + off(0, 60),
    )
    assert plain(song) == [(0.0, ends, 60, 64)]


def test_changes_of_volume_and_expression_become_velocity(tmp_path: Path) -> None:
    song = read(
        tmp_path,
        control(0, 7, 100)
        + note(60, velocity=80)
        + control(0, 7, 50)
        + note(62, velocity=80)
        + control(0, 11, 64)
        + note(64, velocity=127)
        + control(0, 7, 0)
        + note(65),
    )
    assert [velocity for *_, velocity in plain(song)] == [80, 40, 32], "a silent note is left out"
    assert song.parts[0].volume_db == 0.0


def test_a_swell_counts_by_its_loudest_moment(tmp_path: Path) -> None:
    swell = control(0, 11, 0) + on(0, 60, 90) + control(240, 11, 127) + off(240, 60)
    assert plain(read(tmp_path, swell)) == [(0.0, 1.0, 60, 90)]


def test_a_steady_volume_is_the_parts_level(tmp_path: Path) -> None:
    song = read(tmp_path, control(0, 7, 50) + control(0, 10, 127) + note(60, velocity=80))
    assert plain(song) == [(0.0, 1.0, 60, 80)]
    assert song.parts[0].volume_db == pytest.approx(-12.04, abs=0.01)
    assert song.parts[0].pan == 1.0


def test_the_wheel_bends_by_the_registered_range(tmp_path: Path) -> None:
    to_range = control(0, 101, 0) + control(0, 100, 0) + control(0, 6, 12) + control(0, 38, 50)
    done = control(0, 101, 127) + control(0, 100, 127) + control(0, 6, 1)
    song = read(tmp_path, note() + wheel(0, 4096) + to_range + done + note() + wheel(0, -8192) + note())
    assert song.parts[0].bends == ((0.0, 0.0), (1.0, 1.0), (1.0, 6.0), (1.0, 6.25), (2.0, -12.5))


def test_data_of_other_parameters_is_not_a_bend_range(tmp_path: Path) -> None:
    other = (
        control(0, 101, 0) + control(0, 100, 0) + control(0, 99, 1) + control(0, 98, 8) + control(0, 6, 64)
    )
    song = read(tmp_path, other + wheel(0, 4096) + note())
    assert song.parts[0].bends[-1] == (0.0, 1.0)


def test_a_program_change_within_a_track_makes_a_part(tmp_path: Path) -> None:
    song = read(tmp_path, named(b"Solo") + program(0, 40) + note(60) + program(0, 73) + note(72))
    assert [(part.track, part.name, part.sound) for part in song.parts] == [
        (1, "Solo", "Violin"),
        (1, "Solo", "Flute"),
    ]


def test_format_0_has_a_track_per_channel(tmp_path: Path) -> None:
    song = read(
        tmp_path,
        named(b"My Song") + program(0, 33, 2) + note(60) + note(40, channel=2) + note(36, channel=10),
        form=0,
    )
    assert [(part.track, part.name, part.channel) for part in song.parts] == [
        (1, "Acoustic Grand Piano", 1),
        (2, "Fingered Bass", 2),
        (3, "Drums", 10),
    ]


def test_tracks_on_one_channel_share_its_program_and_pedal(tmp_path: Path) -> None:
    left = named(b"left") + note(40, 240)
    song = read(
        tmp_path, named(b"right") + program(0, 6) + control(0, 64, 127) + control(960, 64, 0) + note(70), left
    )
    assert [(part.name, part.program, part.notes[0].length) for part in song.parts] == [
        ("right", 6, 1.0),
        ("left", 6, 2.0),
    ]


def test_tracks_that_each_name_a_program_for_one_channel_keep_to_themselves(tmp_path: Path) -> None:
    tracks = [named(bytes([65 + each])) + program(0, each) + note(60 + each) for each in (10, 20, 30)]
    song = read(tmp_path, *tracks)
    assert [(part.program, part.notes[0].pitch) for part in song.parts] == [(10, 70), (20, 80), (30, 90)]


def test_drums_are_on_channel_10_and_in_drum_banks(tmp_path: Path) -> None:
    xg_on = b"\0\xf0\x08\x43\x10\x4c\0\0\x7e\0\xf7"
    gs_rhythm = b"\0\xf0\x0a\x41\x10\x42\x12\x40\x12\x15\x02\x17\xf7"
    bank_127 = control(0, 0, 127, 1) + program(0, 0, 1) + note(36, channel=1)
    gm2 = control(0, 0, 120, 4) + program(0, 32, 4) + note(36, channel=4)
    melody_on_10 = control(0, 0, 121, 10) + program(0, 40, 10) + note(60, channel=10)
    second = note(36, channel=2)
    song = read(tmp_path, gs_rhythm + bank_127 + gm2 + second)
    assert {part.channel: part.is_drums for part in song.parts} == {1: False, 2: True, 4: True}
    song = read(tmp_path, xg_on + bank_127 + second + melody_on_10)
    assert {part.channel: part.is_drums for part in song.parts} == {1: True, 2: False, 10: False}


def test_kits_are_named(tmp_path: Path) -> None:
    song = read(
        tmp_path, program(0, 40, 10) + note(36, channel=10) + program(0, 27, 10) + note(36, channel=10)
    )
    assert [part.sound for part in song.parts] == ["brush kit", "electronic kit"]


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        ("Flügel ♪".encode(), "Flügel ♪"),
        ("Gérard".encode("latin-1"), "Gérard"),
        ("ピアノ".encode("cp932"), "ピアノ"),
        ("旋律".encode("cp932"), "旋律"),
        (b"a\0b\x1b[31m\r\n  c\x7f", "ab[31m c"),
        ("left\u202eright\u200b".encode(), "leftright"),
        (b"x" * 5000, "x" * 100),
        ("é".encode() * 3000, "é" * 100),
        (b"\x81\x8d\x9d", "\N{REPLACEMENT CHARACTER}" * 3),
    ],
)
def test_texts_in_any_encoding_are_shown(tmp_path: Path, content: bytes, shown: str) -> None:
    assert read(tmp_path, named(content) + note()).parts[0].name == shown


def test_rmid_is_unwrapped_and_other_chunks_passed_over(tmp_path: Path) -> None:
    inside = header() + chunk(b"XFIH", b"abc") + track(note(61))
    info = b"DISP\x03\0\0\0abc\0"
    data = b"data" + len(inside).to_bytes(4, "little") + inside
    path = written(tmp_path, b"RIFF\0\0\0\0RMID" + info + data, "x.rmi")
    assert read_midi(path).parts[0].notes[0].pitch == 61


def test_smpte_time_is_laid_on_quarters_of_the_first_tempo(tmp_path: Path) -> None:
    # 25 frames of 40 ticks: a tick is a millisecond; 90 BPM: a quarter is 666.7 ms.
    song = read(tmp_path, meta(0, 0x51, (666_667).to_bytes(3, "big")) + note(60, 2000), division=0xE728)
    assert song.parts[0].notes[0].length == pytest.approx(3, abs=1e-5)
    assert [float(tempo) for _, tempo in song.tempi] == [90.0]
    assert "SMPTE" in song.remarks[0]


def test_system_exclusive_and_a_wrong_key_or_meter_are_passed_over(tmp_path: Path) -> None:
    odd = meta(0, 0x59, b"\x20\x05") + meta(0, 0x58, b"\0\0\0\0") + meta(0, 0x7F, b"\xff" * 999)
    song = read(tmp_path, b"\0\xf0\x81\x00" + b"\x7e" * 128 + odd + note())
    assert (song.key, song.meters) == ("", ((0, "4/4"),))


def test_tracks_are_chosen_by_number_name_and_sound(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        smf(
            named(b"Melody") + program(0, 73, 1) + note(72, channel=1),
            named(b"Bass Line") + program(0, 33, 2) + note(40, channel=2),
            named(b"Beat") + note(36, channel=10),
            named(b"melody") + program(0, 40, 3) + note(71, channel=3),
        ),
    )

    def chosen(*tracks: str | int) -> list[int]:
        return [part.track for part in read_midi(path, tracks=tracks).parts]

    assert chosen() == [1, 2, 3, 4]
    assert chosen("MELODY") == [1, 4]
    assert chosen(3, " bass  line ") == [2, 3]
    assert chosen("violin", "drums") == [3, 4]
    with pytest.raises(
        MidiError, match=r"has no track 'Bass Lime': did you mean 'Bass Line'\? Its tracks are 1 Melody, 2"
    ):
        chosen("Bass Lime")
    with pytest.raises(MidiError, match="has no track 5: its tracks are 1 Melody"):
        chosen(1, 5)


def test_a_track_is_found_by_what_is_before_its_colon(tmp_path: Path) -> None:
    tracks = (
        named(b"Lead: Vibraphone") + note(72),
        named(b"bass: Fretless") + note(40),
        named(b"Bass") + note(41),
    )
    path = written(tmp_path, smf(*tracks))
    assert [part.track for part in read_midi(path, tracks=("lead",)).parts] == [1]
    assert [part.track for part in read_midi(path, tracks=("lead: vibraphone",)).parts] == [1]
    assert [part.track for part in read_midi(path, tracks=("bass",)).parts] == [3], "a name comes first"
    with pytest.raises(MidiError, match=r"its tracks are 1 'Lead: Vibraphone', 2 'bass: Fretless', 3 Bass"):
        read_midi(path, tracks=("choir",))


def test_a_named_track_wins_over_its_sound(tmp_path: Path) -> None:
    beat, other = named(b"Beat") + note(36, channel=10), named(b"Drums") + note(60)
    path = written(tmp_path, smf(beat, other))
    assert [part.track for part in read_midi(path, tracks=("drums",)).parts] == [2]
