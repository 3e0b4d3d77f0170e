"""MIDI files as what clips start from: each clip has its own bars of the file, at the song's tempo."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from planned_songs import planned, section, song
from raw_midi import TICKS, meta, note, smf, written

from riffcomposer.diffusion import midi_clips
from riffcomposer.diffusion.midi_clips import MidiPlayer
from riffcomposer.errors import RenderError, SongError
from riffcomposer.files import file_sha256
from riffcomposer.plan.inits import MidiInit
from riffcomposer.plan.section_settings import InputFile
from riffcomposer.plan.types import Plan
from riffcomposer.spectrogram_parameters import SpectrogramParameters

PARAMS = SpectrogramParameters()
QUARTER = Fraction(64)
"""Frames of a quarter note at 93.75 BPM."""
PITCHES = (60, 65, 70, 75)
BANDS = [
    round(float(2595 * np.log10(1 + 440 * 2 ** ((pitch - 69) / 12) / 700)) / 3073 * 512) for pitch in PITCHES
]
"""The mel band of each pitch: bands are even on the mel scale up to 10 kHz, which is 3073 mel."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Four bars of 4/4, each with a pitch of its own that is no partial of another, held for the bar."""
    return written(tmp_path, smf(b"".join(note(pitch, 4 * TICKS) for pitch in PITCHES)))


def init(path: Path, bar: int = 0, *, bars: int = 4) -> MidiInit:
    at = Fraction(4 * bar)
    return MidiInit(path.name, path, file_sha256(path), (), Fraction(0), Fraction(4 * bars), "sound", at)


def level(player: MidiPlayer, start: MidiInit, frames: int = 320) -> np.ndarray:
    return player.level(start, width_frames=frames, frames_per_quarter=QUARTER)


def heard(part: np.ndarray) -> int:
    """Which of the pitches is loudest."""
    bands = part[0].mean(axis=1)
    return int(np.argmax([bands[band - 1 : band + 2].max() for band in BANDS]))


def test_each_clip_has_its_own_bar(path: Path) -> None:
    player = MidiPlayer(PARAMS)
    found = [level(player, init(path, bar)) for bar in range(4)]
    assert [heard(part[:, :, 40:240]) for part in found] == [0, 1, 2, 3]
    assert heard(found[1][:, :, 290:320]) == 2, "the surplus is the next bar"
    assert heard(level(player, init(path, 3))[:, :, 290:320]) == 0, "after the end it starts again"


def test_stretches_are_joined_without_a_step(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is played in stretches has in each bar what it has when it is played whole."""
    whole = level(MidiPlayer(PARAMS), init(path), frames=1024)
    monkeypatch.setattr(midi_clips, "STRETCH_BARS", 2)
    parts = level(MidiPlayer(PARAMS), init(path), frames=1024)
    assert [heard(parts[:, :, 256 * bar + 40 : 256 * bar + 240]) for bar in range(4)] == [0, 1, 2, 3]
    assert np.abs(parts[:, :, 500:525].max(axis=1) - whole[:, :, 500:525].max(axis=1)).max() < 0.15


def test_a_file_that_has_changed_is_refused(path: Path) -> None:
    start = init(path)
    path.write_bytes(smf(note(60)))
    with pytest.raises(RenderError, match="has changed since the song was planned"):
        level(MidiPlayer(PARAMS), start)


def plan_of(path: Path, **fields: object) -> Plan:
    """The plan of a song whose section starts from the file."""
    start = {"path": "tune.mid", **fields}
    found = InputFile(path, file_sha256(path), "midi")
    return planned(song(section("a", bars=8, init=start)), files=lambda *_: found, sound="sound")


def test_a_section_reads_the_file_on_and_turns_round(path: Path) -> None:
    plan = plan_of(path)
    inits = [plan.jobs[clip.key].init for clip in plan.clips]
    assert all(isinstance(each, MidiInit) for each in inits)
    assert [each.at_quarters for each in inits if isinstance(each, MidiInit)] == [0, 8, 0, 8]
    assert {each.loop_quarters for each in inits if isinstance(each, MidiInit)} == {16}


def test_tracks_start_and_the_synth_decide(path: Path) -> None:
    plans = [plan_of(path), plan_of(path, tracks=[1]), plan_of(path, start="1 bar"), plan_of(path, bars=2)]
    keys = [set(plan.jobs) for plan in plans]
    assert not any(one & other for index, one in enumerate(keys) for other in keys[:index])
    job = next(iter(plans[2].jobs.values()))
    assert isinstance(job.init, MidiInit)
    assert (job.init.start_quarters, job.init.loop_quarters) == (4, 12)
    assert replace(job.init, sound="other") != job.init


@pytest.mark.parametrize(
    ("fields", "message"),
    [({"tracks": [9]}, "tune.mid"), ({"start": "9 bars"}, "ends before its music starts")],
)
def test_what_the_file_lacks_is_said(path: Path, fields: dict[str, object], message: str) -> None:
    with pytest.raises(SongError, match=message):
        plan_of(path, **fields)


def test_meters_of_the_file_do_not_move_its_notes(tmp_path: Path) -> None:
    waltz = written(tmp_path, smf(meta(0, 0x58, bytes((3, 2, 24, 8))) + note(60, 9 * TICKS)))
    plan = plan_of(waltz)
    job = next(iter(plan.jobs.values()))
    assert isinstance(job.init, MidiInit)
    assert job.init.loop_quarters == 12  # nine quarters are three bars of the song's 4/4
