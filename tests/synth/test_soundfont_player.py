"""What a sound font player makes of notes: pitch, glides, envelopes, velocity, kits, loops and filters."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from tiny_font import TinyZone, write_tiny_font

from riffcomposer.composer.theory import Note
from riffcomposer.errors import UsageError
from riffcomposer.synth.soundfont_choice import SHIPPED
from riffcomposer.synth.soundfont_player import SoundFontPlayer
from riffcomposer.synth.voices import SAMPLE_RATE

TENTH = SAMPLE_RATE // 10


def _peak_hz(audio: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio)), 1 << 18))
    return float(np.argmax(spectrum) * SAMPLE_RATE / (1 << 18))


def _level_db(audio: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(audio.astype(np.float64) ** 2) + 1e-20))


def _play(
    tmp_path: Path, notes: Sequence[Note], *zones: TinyZone, seconds: float = 1.0, kit: bool = False
) -> np.ndarray:
    """Left channel of notes, in seconds, on a tiny font."""
    player = SoundFontPlayer([write_tiny_font(tmp_path / "tiny.sf2", zones or (TinyZone(),))])
    return player.render(0, notes, 1.0, round(seconds * SAMPLE_RATE), kit=kit)[0]


def test_notes_are_in_tune_and_silent_before_they_start(player: SoundFontPlayer) -> None:
    notes = [Note(0.5, 1.0, 69, 100), Note(1.5, 50.0, 81, 100)]  # the second ends long after the render
    audio = player.render(0, notes, 0.5, SAMPLE_RATE)
    assert audio.shape == (2, SAMPLE_RATE)
    assert audio.dtype == np.float32
    left = audio[0]
    assert not np.any(left[: SAMPLE_RATE // 4])
    assert _peak_hz(left[12000:32000]) == pytest.approx(441, abs=0.5)
    assert _peak_hz(left[35000:44000]) == pytest.approx(882, abs=1)
    assert not np.any(player.render(0, [], 0.5, 4000))


def test_notes_that_begin_outside_the_render_are_not_heard(player: SoundFontPlayer) -> None:
    assert not np.any(player.render(0, [Note(3.0, 1.0, 69, 100), Note(-1.0, 0.5, 69, 100)], 0.5, SAMPLE_RATE))


def test_a_bent_note_glides_into_its_pitch_and_leaves_others_alone(player: SoundFontPlayer) -> None:
    audio = player.render(0, [Note(0.0, 4.0, 69, 100, bend=-3.0)], 0.5, SAMPLE_RATE)[0]
    assert _peak_hz(audio[: SAMPLE_RATE // 50]) < 410
    assert _peak_hz(audio[SAMPLE_RATE // 10 :]) == pytest.approx(441, abs=0.5)
    steady = player.render(0, [Note(0.0, 4.0, 76, 100)], 0.5, SAMPLE_RATE)[0]
    both = player.render(0, [Note(0.0, 4.0, 69, 100, bend=-3.0), Note(0.0, 4.0, 76, 100)], 0.5, SAMPLE_RATE)
    np.testing.assert_allclose(both[0], audio + steady, atol=1e-6)


def test_the_wheel_moves_the_pitch_while_a_note_sounds(player: SoundFontPlayer) -> None:
    """A second of the note as it is, one two semitones up, one back; the second note stays in tune."""
    wheel = ((0.0, 0.0), (2.0, 2.0), (4.0, 0.0))
    notes = [Note(0.0, 8.0, 69, 100), Note(6.0, 4.0, 81, 100)]
    audio = player.render(0, notes, 0.5, 4 * SAMPLE_RATE, bends=wheel)[0]
    second = SAMPLE_RATE
    assert _peak_hz(audio[1000 : second - 100]) == pytest.approx(441, abs=1)
    assert _peak_hz(audio[second + 1000 : 2 * second - 100]) == pytest.approx(441 * 2 ** (2 / 12), abs=1)
    assert _peak_hz(audio[2 * second + 1000 : 3 * second - 100]) == pytest.approx(441, abs=1)
    plain = player.render(0, notes[1:], 0.5, 4 * SAMPLE_RATE)[0]
    alone = player.render(0, notes[1:], 0.5, 4 * SAMPLE_RATE, bends=wheel)[0]
    np.testing.assert_allclose(alone, plain, atol=1e-5)


def test_a_vibrato_is_heard_and_what_the_pitch_holds_is_not_heard_twice(player: SoundFontPlayer) -> None:
    swing = tuple((at / 16, 0.5 * (-1) ** at) for at in range(64))
    trembling = player.render(0, [Note(0.0, 4.0, 69, 100)], 0.5, 2 * SAMPLE_RATE, bends=swing)[0]
    steady = player.render(0, [Note(0.0, 4.0, 69, 100)], 0.5, 2 * SAMPLE_RATE)[0]
    assert np.abs(trembling - steady).max() > 0.3 * np.abs(steady).max()
    held = player.render(0, [Note(0.0, 4.0, 71, 100, tuned=2)], 0.5, SAMPLE_RATE, bends=((0.0, 2.0),))[0]
    assert _peak_hz(held[2000:40_000]) == pytest.approx(441 * 2 ** (2 / 12), abs=1)


@pytest.mark.parametrize("length", [1e-6, 0.001, 0.01])
def test_short_notes_are_heard_and_end(player: SoundFontPlayer, length: float) -> None:
    audio = player.render(0, [Note(0.5, length, 69, 100)], 1.0, SAMPLE_RATE)[0]
    assert float(np.abs(audio).max()) > 0.01
    end = SAMPLE_RATE // 2 + max(64, int(length * SAMPLE_RATE)) + 64
    assert not np.any(audio[end:])


def test_a_released_note_falls_by_100_db_in_its_release_time(tmp_path: Path) -> None:
    half_second = round(1200 * np.log2(0.5))
    audio = _play(tmp_path, [Note(0.0, 0.2, 69, 127)], TinyZone({54: 1, 38: half_second}))
    held, later = audio[4410:8820], audio[2 * TENTH + TENTH // 2 : 3 * TENTH + TENTH // 2]
    # A tenth of a second is 20 dB; the stretch lies 5 to 15 hundredths after the release.
    assert _level_db(held) - _level_db(later) == pytest.approx(16.4, abs=0.5)
    assert not np.any(audio[round(0.72 * SAMPLE_RATE) :])


def test_attack_decay_and_sustain(tmp_path: Path) -> None:
    tenth = round(1200 * np.log2(0.1))
    shape = TinyZone({54: 1, 34: tenth, 36: tenth, 37: 200})
    audio = np.abs(_play(tmp_path, [Note(0.0, 1.0, 69, 127)], shape))
    assert audio[:100].max() < 0.05 * audio.max()
    assert audio[TENTH - 200 : TENTH + 200].max() == pytest.approx(audio.max(), rel=0.05)
    sustained = audio[3 * TENTH :].max()
    assert 20 * np.log10(audio.max() / sustained) == pytest.approx(20, abs=0.5)


def test_velocity_is_the_specifications_curve_unless_the_font_says_otherwise(tmp_path: Path) -> None:
    def fall(zone: TinyZone) -> float:
        loud, quiet = (_play(tmp_path, [Note(0.0, 1.0, 69, velocity)], zone) for velocity in (127, 64))
        return _level_db(loud) - _level_db(quiet)

    plain = 40 * np.log10(127 / 64)
    assert fall(TinyZone()) == pytest.approx(plain, abs=0.05)
    assert fall(TinyZone({54: 1}, [(0x0502, 48, 480)])) == pytest.approx(plain / 2, abs=0.05)


def test_attenuation_pan_and_tuning(tmp_path: Path) -> None:
    note = [Note(0.0, 1.0, 69, 127)]
    plain = _play(tmp_path, note)
    quieter = _play(tmp_path, note, TinyZone({54: 1, 48: 100}))
    assert _level_db(plain) - _level_db(quieter) == pytest.approx(4.0, abs=0.01)
    assert not np.any(np.abs(_play(tmp_path, note, TinyZone({54: 1, 17: 500}))) > 1e-6)
    assert _peak_hz(_play(tmp_path, note, TinyZone({54: 1, 51: 12, 52: 50}))) == pytest.approx(
        882 * 2 ** (0.5 / 12), abs=1
    )
    assert _peak_hz(_play(tmp_path, note, TinyZone({54: 1, 58: 57}))) == pytest.approx(882, abs=1)


def test_a_sample_without_a_loop_ends_and_with_one_goes_on_without_a_step(tmp_path: Path) -> None:
    note = [Note(0.0, 1.0, 70, 127)]
    once = _play(tmp_path, note, TinyZone({}))
    assert not np.any(once[4400:])
    looped = _play(tmp_path, note, TinyZone())
    steps = np.abs(np.diff(looped[100:-100], 2))
    assert float(steps.max()) < 1.1 * float(np.percentile(steps, 99))


def test_a_loop_that_is_passed_very_often_stays_in_tune(tmp_path: Path) -> None:
    long = _play(tmp_path, [Note(0.0, 30.0, 73, 127)], seconds=20.0)
    assert _peak_hz(long[-SAMPLE_RATE:]) == pytest.approx(441 * 2 ** (4 / 12), abs=0.2)
    steps = np.abs(np.diff(long[-SAMPLE_RATE:], 2))
    assert float(steps.max()) < 1.1 * float(np.percentile(steps, 99))


def test_keys_and_velocities_choose_zones(tmp_path: Path) -> None:
    zones = (
        TinyZone({43: 0 | 68 << 8, 54: 1}),
        TinyZone({43: 69 | 127 << 8, 44: 0 | 99 << 8, 51: 12, 54: 1}),
    )
    notes = [Note(0.0, 0.3, 68, 120), Note(0.4, 0.2, 69, 90), Note(0.7, 0.3, 69, 100)]
    audio = _play(tmp_path, notes, *zones)
    assert _peak_hz(audio[: 2 * TENTH]) == pytest.approx(416, abs=4)
    assert _peak_hz(audio[4 * TENTH : 6 * TENTH]) == pytest.approx(882, abs=4)
    assert not np.any(audio[7 * TENTH :])


def test_a_filter_takes_highs_away_and_opens_with_its_envelope(tmp_path: Path) -> None:
    note = [Note(0.0, 1.0, 105, 127)]  # 3528 Hz
    closed = round(1200 * np.log2(441 / 8.176))
    plain, dark = (_play(tmp_path, note, TinyZone({54: 1, 8: cents})) for cents in (13500, closed))
    assert _level_db(plain) - _level_db(dark) == pytest.approx(36.6, abs=2)
    opening = _play(tmp_path, note, TinyZone({54: 1, 8: closed, 11: 6000, 26: 0}))
    assert _level_db(opening[-TENTH:]) > _level_db(opening[:TENTH]) + 12


def test_oscillators_move_pitch_and_level(tmp_path: Path) -> None:
    note = [Note(0.0, 1.0, 69, 127)]
    vibrato = _play(tmp_path, note, TinyZone({54: 1, 6: 200, 24: 0}))  # 8.2 Hz, two semitones
    swings = [_peak_hz(vibrato[at : at + 1200]) for at in range(0, 20000, 600)]
    assert max(swings) == pytest.approx(495, abs=20)
    assert min(swings) == pytest.approx(393, abs=20)
    tremolo = _play(tmp_path, note, TinyZone({54: 1, 13: 60, 22: 0}))
    levels = [_level_db(tremolo[at : at + 600]) for at in range(0, 20000, 300)]
    assert max(levels) - min(levels) == pytest.approx(12, abs=2.5)


def test_a_drum_of_an_exclusive_class_cuts_the_other(tmp_path: Path) -> None:
    zones = (TinyZone({43: 46 | 46 << 8, 57: 1, 54: 1}), TinyZone({43: 42 | 42 << 8, 57: 1, 54: 1}))
    notes = [Note(0.0, 0.9, 46, 127), Note(0.5, 0.01, 42, 1)]
    audio = _play(tmp_path, notes, *zones, kit=True)
    assert _level_db(audio[4 * TENTH : 5 * TENTH]) > _level_db(audio[6 * TENTH : 7 * TENTH]) + 45


def test_a_kit_in_the_centre_is_spread_and_one_with_places_of_its_own_is_not(tmp_path: Path) -> None:
    note = [Note(0.0, 0.5, 49, 127)]
    for pan, spread in ((0, 0.4), (-100, None)):
        player = SoundFontPlayer([write_tiny_font(tmp_path / f"{pan}.sf2", [TinyZone({54: 1, 17: pan})])])
        left, right = player.render(0, note, 1.0, SAMPLE_RATE, kit=True)
        plain_left, plain_right = player.render(0, note, 1.0, SAMPLE_RATE)
        wanted = (1.0, 1.0) if spread is None else (1 + spread, 1 - spread)
        np.testing.assert_allclose(left, wanted[0] * plain_left, atol=1e-6)
        np.testing.assert_allclose(right, wanted[1] * plain_right, atol=1e-6)


def test_samples_do_not_depend_on_what_was_played_before_or_beside() -> None:
    def take(program: int) -> np.ndarray:
        notes = [Note(0.2 * index, 0.4, 40 + 3 * index, 40 + 7 * index) for index in range(12)]
        return player.render(program, notes, 0.5, 2 * SAMPLE_RATE)

    programs = (0, 48, 73, 29, 46)
    player = SoundFontPlayer([SHIPPED])
    first = [take(program) for program in programs]
    player = SoundFontPlayer([SHIPPED])
    with ThreadPoolExecutor(4) as pool:
        again = list(pool.map(take, [*reversed(programs)] * 2))
    for number, audio in enumerate(reversed(first)):
        assert np.array_equal(audio, again[number])
        assert np.array_equal(audio, again[number + len(programs)])


def test_a_preset_that_a_font_lacks_is_taken_from_another_or_from_the_nearest(tmp_path: Path) -> None:
    low = write_tiny_font(tmp_path / "low.sf2", [TinyZone({54: 1, 51: -12})], [(0, 0), (0, 48)])
    high = write_tiny_font(tmp_path / "high.sf2", [TinyZone()], [(0, 40), (128, 0)])
    note = [Note(0.0, 1.0, 69, 100)]
    player = SoundFontPlayer([low, high])

    def hz(program: int, font: int) -> float:
        return _peak_hz(player.render(program, note, 1.0, SAMPLE_RATE, font)[0])

    assert hz(0, 0) == pytest.approx(220.5, abs=1)
    assert hz(40, 0) == pytest.approx(441, abs=1)
    assert hz(0, 1) == pytest.approx(220.5, abs=1)
    assert hz(51, 1) == pytest.approx(441, abs=1)
    assert np.any(player.render(25, note, 1.0, SAMPLE_RATE, 1, kit=True))
    without_kit = SoundFontPlayer([low])
    assert not np.any(without_kit.render(0, note, 1.0, SAMPLE_RATE, kit=True))


def test_a_player_without_a_font_says_so() -> None:
    with pytest.raises(UsageError, match="name at least one file"):
        SoundFontPlayer([])
