"""`tempo: auto`: what is measured of a recording, in quarter notes of the song's meter."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile

from riffcomposer.cli.main import main
from riffcomposer.errors import SongError
from riffcomposer.plan.inits import InitClip
from riffcomposer.render.measured_sounds import MeasuredSound, pulses
from riffcomposer.render.session import Session
from riffcomposer.store.store import Store
from riffcomposer.units import Meter

RATE = 22_050


def recording(path: Path, quarters_per_minute: float, meter: Meter, strong: Fraction, bars: int = 16) -> Path:
    """Drum strokes: loud ones every `strong` quarter notes, soft ones on the beats, bass at the bar lines."""
    generator = np.random.default_rng(3)
    per_quarter = 60 / quarters_per_minute * RATE
    audio = np.zeros(round(bars * float(meter.quarters_per_bar) * per_quarter) + RATE, np.float32)
    decay = np.exp(-np.arange(RATE // 8) / (0.02 * RATE))
    thump = np.sin(2 * np.pi * 60 * np.arange(RATE // 8) / RATE) * decay
    step = meter.quarters_per_beat
    for number in range(round(bars * meter.quarters_per_bar / step)):
        at = round(float(number * step) * per_quarter)
        loud = (number * step) % strong == 0
        audio[at : at + len(decay)] += (0.5 if loud else 0.06) * generator.standard_normal(len(decay)) * decay
        if (number * step) % meter.quarters_per_bar == 0:
            audio[at : at + len(thump)] += 0.8 * thump
    soundfile.write(path, audio, RATE)
    return path


@pytest.mark.parametrize(
    ("meter", "strong", "tempo", "near"),
    [
        ("4/4", Fraction(1), 97.0, 90),
        ("6/8", Fraction(3, 2), 96.0, 100),
        ("6/8", Fraction(3, 2), 150.0, 150),
        ("12/8", Fraction(3, 2), 120.0, 110),
        ("7/8", Fraction(1, 2), 61.7, 65),
        ("2/2", Fraction(2), 160.0, 150),
    ],
)
def test_tempi_are_in_quarter_notes(
    tmp_path: Path, meter: str, strong: Fraction, tempo: float, near: int
) -> None:
    parsed = Meter.parse(meter)
    path = recording(tmp_path / "take.wav", tempo, parsed, strong)
    sound = MeasuredSound(path, "0" * 64, Store(tmp_path / "store"))
    found = sound.tempo(parsed, Fraction(near))
    assert float(found.bpm) == pytest.approx(tempo, rel=1e-3)
    assert found.is_certain
    assert float(found.first_beat) == pytest.approx(0, abs=0.02)


def test_the_usual_pulse_comes_first() -> None:
    assert pulses(Meter(4, 4)) == pulses(Meter(3, 4)) == [1]
    assert pulses(Meter(6, 8)) == [Fraction(3, 2), Fraction(1, 2)]
    assert pulses(Meter(7, 8)) == [Fraction(1, 2), 1]
    assert pulses(Meter(3, 8)) == [Fraction(1, 2), 1]


@pytest.fixture
def song(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RIFFCOMPOSER_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("RIFFCOMPOSER_DEVICE", "cpu")
    path = tmp_path / "song.yaml"
    path.write_text(
        "tempo: 100\nmeter: 6/8\ndefaults: {init: {path: take.wav, tempo: auto}}\n"
        "sections: [{prompt: folk, bars: 8}]\n"
    )
    return path


def test_plan_says_what_was_measured_and_how_sure_it_is(
    song: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recording(song.with_name("take.wav"), 96, Meter(6, 8), Fraction(3, 2))
    with pytest.raises(SystemExit):
        main(["plan", os.fspath(song)])
    line = next(line for line in capsys.readouterr().out.splitlines() if "measured" in line)
    assert "take.wav: 96" in line
    assert "% sure" in line
    plan = Session().plan(song).plan
    init = plan.jobs[plan.clips[0].key].init
    assert isinstance(init, InitClip)
    assert float(init.tempo) == pytest.approx(96, rel=1e-3)


def test_what_has_no_beat_is_refused(song: Path) -> None:
    noise = 0.1 * np.random.default_rng(1).standard_normal(20 * RATE)
    soundfile.write(song.with_name("take.wav"), noise, RATE)
    with pytest.raises(SongError, match=r"the tempo of 'take\.wav' is uncertain"):
        Session().plan(song)
