"""Plays notes with sound fonts (SF2 and SF3), by numpy alone.

A note sounds the same whatever was played before it and in whichever thread: a player keeps decoded samples
and nothing else.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from riffcomposer.composer.theory import Note
from riffcomposer.errors import UsageError
from riffcomposer.synth.pitch_wheel import PitchWheel
from riffcomposer.synth.soundfont_choice import font_path, font_state
from riffcomposer.synth.soundfont_file import SoundFontFile, Wave, Zone
from riffcomposer.synth.soundfont_presets import DRUM_BANK, nearest_kit, nearest_program
from riffcomposer.synth.soundfont_voice import (
    Tone,
    falling,
    glide_cents,
    level,
    make_tone,
    release,
    release_samples,
    tone_key,
)
from riffcomposer.synth.stereo_placement import DRUM_PANS
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
_SHORTEST_SAMPLES = 64
_CHOKE_S = 0.2
"""Time in which a drum that another one cuts would fall by 100 dB."""

_EXCLUSIVE_CLASS, _PAN = 57, 17
_KEPT_BYTES = 96 << 20
"""Memory for decoded samples, per font."""


class _WaveCache:
    """The decoded samples of a font that were used last; safe to use from several threads."""

    def __init__(self, font: SoundFontFile) -> None:
        self._font = font
        self._waves: OrderedDict[int, Wave] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, sample: int) -> Wave:
        with self._lock:
            wave = self._waves.get(sample)
            if wave is None:
                wave = self._waves[sample] = self._font.read_wave(sample)
                self._bytes += wave.audio.nbytes
            self._waves.move_to_end(sample)
            while self._bytes > _KEPT_BYTES and len(self._waves) > 1:
                self._bytes -= self._waves.popitem(last=False)[1].audio.nbytes
            return wave


class SoundFontPlayer:
    """Plays notes with sound fonts, whose presets it reads once.

    Args:
        fonts: Files in SF2 or SF3 format, at least one.

    Attributes:
        fonts: Number of loaded fonts.

    Raises:
        ModelError: A file is missing or is not a sound font.
        UsageError: There is no file.
    """

    def __init__(self, fonts: Sequence[Path]) -> None:
        if not fonts:
            raise UsageError("a sound font player needs a sound font; name at least one file")
        self._fonts = [SoundFontFile(path) for path in fonts]
        self._caches = [_WaveCache(font) for font in self._fonts]
        self.fonts = len(self._fonts)

    def render(
        self,
        program: int,
        notes: Sequence[Note],
        seconds_per_beat: float,
        samples: int,
        font: int = 0,
        *,
        kit: bool = False,
        bends: Sequence[tuple[float, float]] = (),
    ) -> Audio:
        """Plays notes with one preset.

        Args:
            program: General MIDI program, 0 to 127, or a drum kit's with `kit`.
            notes: Notes in order of their starts; a note with `bend` starts that many semitones off its
                pitch and glides to it.
            seconds_per_beat: Length of a beat.
            samples: Length of the result; what sounds on after it is cut.
            font: Number of the font, counted from 0 and from there again after the last. A preset that it
                lacks is taken from the first font that has it, else the nearest one of this font is played.
            kit: Whether `program` is a drum kit.
            bends: A pitch wheel (see `riffcomposer.composer.piece.Part`).

        Returns:
            Audio float32 [2, samples], left and right.
        """
        chosen, zones = self._preset(program, font % self.fonts, kit=kit)
        cache = self._caches[chosen]
        plan = _plan(zones, notes, seconds_per_beat, samples, kit=kit)
        wheel = PitchWheel(bends, seconds_per_beat * SAMPLE_RATE) if bends else None
        longest: dict[tuple[float, ...], int] = {}
        for hit in plan:
            longest[hit.tone] = max(longest.get(hit.tone, 0), hit.samples)
        tones: dict[tuple[float, ...], Tone] = {}
        out = np.zeros((2, samples), np.float32)
        for hit in plan:
            wave = cache.get(hit.zone.sample)
            if wheel is not None:
                # Each note hears another part of the wheel.
                bent = wheel.cents(hit.at, hit.samples, hit.note.tuned)
                hit.add_to(out, make_tone(hit.zone, wave, hit.note, hit.samples, bent))
                continue
            tone = tones.get(hit.tone)
            if tone is None:
                glide = glide_cents(hit.note.bend, longest[hit.tone])
                tone = tones[hit.tone] = make_tone(hit.zone, wave, hit.note, longest[hit.tone], glide)
            hit.add_to(out, tone)
        return out

    def _preset(self, program: int, font: int, *, kit: bool) -> tuple[int, tuple[Zone, ...]]:
        wanted = (DRUM_BANK, program) if kit else (0, program)
        for number in (font, *range(self.fonts)):
            if wanted in self._fonts[number].presets:
                return number, self._fonts[number].zones(*wanted)
        presets = self._fonts[font].presets
        nearest = nearest_kit(program, presets) if kit else nearest_program(program, presets)
        return font, self._fonts[font].zones(*nearest) if nearest else ()


class _Hit:
    """One note in one zone: when it begins, how long its key is down, and how long it is heard."""

    def __init__(self, note: Note, zone: Zone, at: int, held: int, length: int, lean: float) -> None:
        self.note, self.zone, self.at, self.held, self.lean = note, zone, at, held, lean
        self.samples = min(length, held + release_samples(zone))
        self.tone = tone_key(zone, note.pitch, note.velocity, note.bend)
        self.choked_at: int | None = None

    def add_to(self, out: Audio, tone: Tone) -> None:
        """Adds the note to `out`, [2, samples], with its envelope, level and place between left and right."""
        length = min(self.samples, len(tone.audio))
        if length <= 0:
            return
        sound = tone.audio[:length] * tone.held[:length]
        if length > self.held:
            after = tone.audio[self.held : length]
            sound[self.held :] = after * tone.held[self.held] * release(self.zone, len(after))
        if self.choked_at is not None and self.choked_at < length:
            sound[self.choked_at :] *= falling(_CHOKE_S, length - self.choked_at)
        angle = (min(500, max(-500, self.zone[_PAN])) / 1000 + 0.5) * np.pi / 2
        gain = level(self.zone, self.note.pitch, self.note.velocity)
        left, right = gain * np.cos(angle) * (1 - self.lean), gain * np.sin(angle) * (1 + self.lean)
        out[0, self.at : self.at + length] += np.float32(left) * sound
        out[1, self.at : self.at + length] += np.float32(right) * sound


def _plan(
    zones: Sequence[Zone], notes: Sequence[Note], seconds_per_beat: float, samples: int, *, kit: bool
) -> list[_Hit]:
    """Which zone plays when; a note of an exclusive class ends the earlier ones of its class (section 8.1.2).

    A kit whose drums the font leaves in the centre is spread as `DRUM_PANS` says, at the same level in mono.
    """
    pans = DRUM_PANS if kit and not any(zone[_PAN] for zone in zones) else {}
    hits: list[_Hit] = []
    sounding: dict[int, list[_Hit]] = {}
    for note in notes:
        at = round(note.start * seconds_per_beat * SAMPLE_RATE)
        if not 0 <= at < samples:
            continue
        held = max(_SHORTEST_SAMPLES, int(note.length * seconds_per_beat * SAMPLE_RATE))
        started: dict[int, list[_Hit]] = {}
        for zone in zones:
            if not zone.sounds(note.pitch, note.velocity):
                continue
            hit = _Hit(note, zone, at, held, samples - at, pans.get(note.pitch, 0.0))
            hits.append(hit)
            if zone[_EXCLUSIVE_CLASS]:
                started.setdefault(zone[_EXCLUSIVE_CLASS], []).append(hit)
        for number, now in started.items():
            for earlier in sounding.get(number, ()):
                if earlier.at < at:
                    earlier.choked_at = at - earlier.at
            sounding[number] = now
    return hits


_player_lock = threading.Lock()


def default_player() -> SoundFontPlayer:
    """A player with the sound font in use, which is loaded once while its file stays the same.

    Raises:
        ModelError: The file is missing or is not a sound font (see `soundfont_choice.font_path`).
    """
    path, size, modified_ns = font_state(font_path())
    with _player_lock:
        return _loaded(path, size, modified_ns)


@lru_cache(maxsize=1)
def _loaded(path: Path, _size: int, _modified_ns: int) -> SoundFontPlayer:
    return SoundFontPlayer([path])
