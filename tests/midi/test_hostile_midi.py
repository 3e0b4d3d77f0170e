"""Files that are no MIDI, are damaged, or mean harm: only `MidiError` comes out, in bounded memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_midi import (
    END,
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
from riffcomposer.midi import read as read_module
from riffcomposer.midi import smf_chunks, smf_events
from riffcomposer.midi.describe import describe
from riffcomposer.midi.read import read_midi
from riffcomposer.midi.song import MidiSong

GOOD = smf(named(b"good") + note(60))

REFUSED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty"),
    "text": (b"hello world", "is a text file, not a MIDI file"),
    "random": (b"\x01\xfe\x02", "is not a MIDI file; save it as a Standard MIDI File"),
    "wave": (b"RIFF\x24\0\0\0WAVEfmt ", "is a WAV file, not a MIDI file"),
    "web page": (b"<!doctype html><html>", "is an HTML page"),
    "cut in the header": (GOOD[:12], "ends within its header"),
    "short header": (b"MThd\0\0\0\2\0\1\0\1\1\xe0" + GOOD[14:], "a header of 2 bytes instead of 6"),
    "cut in a track": (GOOD[:-5], "track 1 has 21 bytes by its header, and 16 are there"),
    "no tracks": (header(0), "holds 0 of its 0 tracks"),
    "a track too few": (header(3) + track(note()), "holds 1 of its 3 tracks"),
    "a huge track": (header() + b"MTrk\xff\xff\xff\xff", "4,294,967,295 bytes by its header"),
    "a huge foreign chunk": (header() + b"junk\xff\xff\xff\xff" + track(note()), "holds 0 of its 1 tracks"),
    "format 2": (smf(note(), note(), form=2), "format 2, which holds 2 pieces"),
    "format 9": (smf(note(), form=9), "format 9; formats 0 and 1 are read"),
    "division 0": (smf(note(), division=0), "0 ticks per quarter note"),
    "division of 1 frame": (smf(note(), division=0xFF28), "40 ticks of 1 frames per second"),
    "division of 0 ticks": (smf(note(), division=0xE700), "0 ticks of 25 frames"),
    "tempo 0": (smf(meta(0, 0x51, b"\0\0\0") + note()), "a tempo is 3 bytes that are not all 0"),
    "tempo of 4 bytes": (smf(meta(0, 0x51, b"\x3b\x9a\xca\0") + note()), "a tempo is 3 bytes"),
    "no notes": (smf(program(0, 1)), "holds no notes that sound"),
    "silent notes": (smf(control(0, 7, 0) + note()), "holds no notes that sound"),
    "running status of nothing": (smf(b"\0\x40\x40"), "byte 1 is data without a status"),
    "lost data": (smf(b"\0\x90\x40\xb0\x07\x40"), "is a status where data is expected"),
    "real time": (smf(b"\0\xf8" + note()), "0xf8, which is no event of a file"),
    "endless number": (smf(b"\xff" * 1000), "longer than four bytes"),
    "endless text": (smf(b"\0\xff\x01\xff\xff\xff\x7f" + b"x"), "it ends within an event"),
    "cut in an event": (header() + chunk(b"MTrk", b"\0\x90\x40"), "it ends within an event"),
    "late": (smf(b"\xff\xff\xff\x7f\x90\x40\x40" + off(480, 64)), "files of up to 40,000 are read"),
    "latest": (smf(b"\xff\xff\xff\x7f\xc0\0" * 9 + note()), "later than 2,147,483,648"),
    "tiny bars": (smf(meta(0, 0x58, b"\1\6\0\0") + note(60, 601_000)), "has more than 20,000 bars"),
    "rmid without midi": (b"RIFF\0\0\0\0RMIDLIST\0\0\0\0", "without MIDI in it"),
    "rmid in rmid": (b"RIFF\0\0\0\0RMIDdata\x0c\0\0\0RIFF\0\0\0\0RMID", "is not a MIDI file"),
    "too many tracks": (header(1025) + track(note()) * 1025, "has 1,025 tracks; up to 1,024 are read"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_what_where_and_what_to_do(tmp_path: Path, name: str) -> None:
    content, says = REFUSED[name]
    path = written(tmp_path, content)
    with pytest.raises(MidiError) as refusal:
        read_midi(path)
    assert str(refusal.value).startswith(f"{path}: ")
    assert says in str(refusal.value)


def test_what_is_no_regular_file_or_not_there(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.mid", Path("a\0b")):
        with pytest.raises(MidiError):
            read_midi(path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.mid")
        with pytest.raises(MidiError, match="is not a regular file"):
            read_midi(tmp_path / "pipe.mid")


def test_a_large_file_is_refused_unread(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    os.truncate(path, smf_chunks.MAX_FILE_BYTES + 1)
    with pytest.raises(MidiError, match="has 16,777,217 bytes; MIDI files of up to 16,777,216"):
        read_midi(path)


@pytest.mark.parametrize(
    ("module", "limit", "content", "says"),
    [
        (smf_events, "MAX_EVENTS", smf(note() * 10), "more than 9 events"),
        (smf_events, "MAX_EVENTS", smf(note() * 2, note() * 3), "more than 9 events"),
        (smf_events, "MAX_EVENTS", smf(meta(0, 1, b"") * 10), "more than 9 events"),
        (smf_events, "MAX_CHANGES", smf(meta(0, 0x51, b"\1\1\1") * 10 + note()), "more than 9 changes"),
        (
            read_module,
            "MAX_PARTS",
            smf(b"".join(program(0, each) + note() for each in range(10))),
            "more than 9",
        ),
    ],
)
def test_limits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: object, limit: str, content: bytes, says: str
) -> None:
    monkeypatch.setattr(module, limit, 9)
    with pytest.raises(MidiError, match=says):
        read_midi(written(tmp_path, content))


NOTES = smf_events.MAX_EVENTS - 10
WORST = {
    "notes that never end": lambda: smf(b"\0\x90\x40\x40" + b"\0\x40\x40" * NOTES),
    "one pitch, all on, then all off": lambda: smf(
        b"\0\x90\x40\x40" + (b"\0\x40\x40" + b"\0\x40\0") * (NOTES // 2)
    ),
    "a volume for each note": lambda: smf((control(0, 7, 9) + control(0, 7, 8) + on(1, 60)) * (NOTES // 3)),
    "bends": lambda: smf(note() + b"".join(wheel(1, each % 999) for each in range(NOTES - 9))),
    "all notes off, again and again": lambda: smf((on(0, 60) + control(0, 123, 0)) * (NOTES // 2)),
    "numbers without an end": lambda: smf(b"\xff" * (15 << 20)),
    "empty chunks": lambda: header() + chunk(b"XXXX", b"") * (15 << 17) + track(note()),
    "system exclusive": lambda: smf(note() + (b"\0\xf0\xff\xff\x7f" + b"\x41" * 0x1FFFFF) * 7),
}


READ_ALL = """
import re, sys
from pathlib import Path
from riffcomposer.errors import MidiError
from riffcomposer.midi.describe import describe
from riffcomposer.midi.read import read_midi
for name in sys.argv[1:]:
    try:
        describe(read_midi(Path(name)))
    except MidiError as refusal:
        print(refusal)
# Unlike `ru_maxrss`, this peak is not handed on by the process that started this one.
print(int(re.search(r"VmHWM:\\s+([0-9]+) kB", Path("/proc/self/status").read_text())[1]) >> 10)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a process's peak of memory is read from /proc")
def test_memory_is_bounded(tmp_path: Path) -> None:
    files = [written(tmp_path, make(), f"{number}.mid") for number, make in enumerate(WORST.values())]
    done = subprocess.run(
        [sys.executable, "-c", READ_ALL, *map(str, files)], capture_output=True, text=True, check=True
    )
    assert int(done.stdout.split()[-1]) < 200, "MB"


SEEDS = (
    GOOD,
    smf(
        named("ピアノ".encode("cp932"))
        + meta(0, 0x58, b"\7\3\0\0")
        + meta(0, 0x51, b"\7\xa1\x20")
        + meta(9, 6, b"A"),
        program(0, 4)
        + control(0, 64, 127)
        + b"\0\x90\x40\x40\x60\x43\x40\x60\x40\0"
        + wheel(0, 999)
        + note(50),
        named(b"Drums") + b"".join(note(36 + each, 60, channel=10) for each in range(9)),
    ),
    b"RIFF\0\0\0\0RMIDdata" + len(GOOD).to_bytes(4, "little") + GOOD,
    smf(note() + b"\0\xf0\x05\x43\x10\x4c\0\xf7" + note(), form=0, division=0xE250),
)

PATCHES = st.lists(
    st.tuples(
        st.sampled_from(["set", "delete", "insert"]),
        st.integers(0, 300),
        st.one_of(
            st.binary(min_size=1, max_size=6),
            st.sampled_from(
                [END, b"\xff\xff\xff\x7f", b"\x90", b"MTrk", event(0, 0xB0, 123, 0), b"\xff\x2f\0"]
            ),
        ),
    ),
    min_size=1,
    max_size=8,
)


def attempt(path: Path) -> tuple[MidiSong | None, str]:
    """Reads a file; returns the song, or what it was refused with. Any other error is the test's failure."""
    try:
        song = read_midi(path)
    except MidiError as refusal:
        return None, str(refusal)
    describe(song).encode()
    return song, ""


@pytest.mark.no_cover
@settings(max_examples=600)
@given(st.sampled_from(SEEDS), PATCHES)
def test_a_mutated_file_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, seed: bytes, patches: list[tuple[str, int, bytes]]
) -> None:
    content = bytearray(seed)
    for kind, place, patch in patches:
        at = place % (len(content) + 1)
        content[at : at + (0 if kind == "insert" else len(patch))] = b"" if kind == "delete" else patch
    path = written(tmp_path_factory.getbasetemp(), bytes(content), "mutated.mid")
    song, refusal = attempt(path)
    if song is None:
        assert refusal.startswith(f"{path}: ")
        return
    for part in song.parts:
        assert [each.start for each in part.notes] == sorted(each.start for each in part.notes)
        for each in part.notes:
            assert each.start >= 0
            assert each.length > 0
            assert 0 <= each.pitch <= 127
            assert 1 <= each.velocity <= 127
            assert each.start < song.bars[-1].end


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_any_track_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = written(tmp_path_factory.getbasetemp(), header() + chunk(b"MTrk", content), "random.mid")
    song, refusal = attempt(path)
    assert song or refusal.startswith(f"{path}: ")
