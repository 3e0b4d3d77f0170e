"""Plays notes with SoundFont files (SF2 and SF3) by the library tinysoundfont.

tinysoundfont is an optional library: only making a `SoundFontPlayer` needs it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from riffcomposer.composer.theory import Note
from riffcomposer.errors import ModelError
from riffcomposer.synth.voices import SAMPLE_RATE, Audio

KIT_PROGRAMS = {
    "acoustic": 0,
    "room": 8,
    "power": 16,
    "electronic": 24,
    "tr808": 25,
    "jazz": 32,
    "brush": 40,
    "orchestra": 48,
}
_DRUM_CHANNEL, _CHANNEL = 9, 0
_CENTRE, _BEND_RANGE = 8192, 2.0


class SoundFontPlayer:
    """Plays notes with sound fonts, which it loads once.

    Args:
        fonts: Files in SF2 or SF3 format; presets that one lacks are taken from the first.

    Attributes:
        fonts: Number of loaded fonts.

    Raises:
        ModelError: tinysoundfont is not installed.
    """

    def __init__(self, fonts: Sequence[Path]) -> None:
        try:
            import tinysoundfont
        except ImportError as error:
            raise ModelError(
                "sound fonts need tinysoundfont: pip install --no-deps tinysoundfont==0.3.7"
            ) from error

        self._synths = []
        for font in fonts:
            synth = tinysoundfont.Synth(samplerate=SAMPLE_RATE)
            self._synths.append((synth, synth.sfload(str(font))))
        self.fonts = len(self._synths)

    def render(
        self,
        program: int,
        notes: Sequence[Note],
        seconds_per_beat: float,
        samples: int,
        font: int = 0,
        *,
        kit: bool = False,
    ) -> Audio:
        """Plays notes with one preset.

        Args:
            program: General MIDI preset, or a drum kit's program with `kit`.
            notes: Notes in order of their starts; a note with `bend` starts that many semitones off its
                pitch and glides to it.
            seconds_per_beat: Length of a beat.
            samples: Length of the result.
            font: Number of the font; presets that it lacks are taken from font 0.
            kit: Whether `program` is a drum kit.

        Returns:
            Audio float32 [samples].
        """
        synth, sfid = self._synths[font % self.fonts]
        channel = _DRUM_CHANNEL if kit else _CHANNEL
        try:
            synth.program_select(channel, sfid, 128 if kit else 0, program, kit)
        except RuntimeError:
            synth, sfid = self._synths[0]
            synth.program_select(channel, sfid, 128 if kit else 0, program, kit)
        synth.pitchbend(channel, _CENTRE)
        events: list[tuple[int, int, int, int]] = []  # sample, order, pitch or bend, velocity
        for note in notes:
            on = round(note.start * seconds_per_beat * SAMPLE_RATE)
            if on >= samples:
                continue
            off = on + max(64, int(note.length * seconds_per_beat * SAMPLE_RATE))
            events += [(on, 2, note.pitch, note.velocity), (min(off, samples), 0, note.pitch, 0)]
            if note.bend:
                for step in range(9):
                    share = note.bend * (1 - step / 8) ** 1.5
                    value = int(_CENTRE + share / _BEND_RANGE * (_CENTRE - 1))
                    events.append((min(on + step * 480, samples), 1, min(16383, max(0, value)), 0))
        stereo = np.zeros((samples, 2), np.float32)
        view = memoryview(stereo.data).cast("B")
        at = 0
        for when, order, number, velocity in sorted(events):
            if when > at:
                synth.generate_simple(when - at, view[at * 8 : when * 8])
                at = when
            if order == 2:
                synth.noteon(channel, number, velocity)
            elif order == 0:
                synth.noteoff(channel, number)
            else:
                synth.pitchbend(channel, number)
        if at < samples:
            synth.generate_simple(samples - at, view[at * 8 :])
        synth.pitchbend(channel, _CENTRE)
        # A note that ends after the render would sound on into the next part and slow the synth down.
        synth.sounds_off(channel)
        synth.generate_simple(2048)
        return np.float32(0.5) * (stereo[:, 0] + stereo[:, 1])
