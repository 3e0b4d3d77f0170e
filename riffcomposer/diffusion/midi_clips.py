"""Levels of users' MIDI files, which clips start from: played by the synth, cut at the clip.

A file is played in stretches of `_STRETCH_BARS` of its bars, so that memory is bounded. Each begins with a
bar of the music before it, so that what sounds there rings on, and is joined to the one before by a short
crossfade.
"""

from __future__ import annotations

from collections import OrderedDict
from fractions import Fraction

import numpy as np
import torch

from riffcomposer.diffusion.score_clips import TAIL_SECONDS, margin_frames
from riffcomposer.errors import RenderError
from riffcomposer.files import file_sha256
from riffcomposer.midi.midi_piece import as_piece
from riffcomposer.midi.read import read_midi
from riffcomposer.midi.song import MidiSong
from riffcomposer.plan.types import MidiInit
from riffcomposer.spectrogram.audio_files import resampled
from riffcomposer.spectrogram.mel import levels_from_mel, mel_from_audio
from riffcomposer.spectrogram.threads import one_thread
from riffcomposer.spectrogram_parameters import SpectrogramParameters
from riffcomposer.synth.piece_audio import render_piece
from riffcomposer.synth.voices import SAMPLE_RATE
from riffcomposer.units import round_half_up

_STRETCH_BARS = 48
_REMEMBERED = 2
_JOIN_SECONDS = 0.02


class MidiPlayer:
    """Plays the MIDI files of a model's clips.

    Args:
        params: The model's spectrogram format.
    """

    def __init__(self, params: SpectrogramParameters) -> None:
        self.params = params
        self._songs: OrderedDict[tuple[str, tuple[str | int, ...]], MidiSong] = OrderedDict()
        self._sounds: OrderedDict[tuple[str, tuple[str | int, ...], int, Fraction], np.ndarray] = (
            OrderedDict()
        )

    @one_thread()
    def level(self, init: MidiInit, *, width_frames: int, frames_per_quarter: Fraction) -> np.ndarray:
        """The level that a clip starts from.

        Args:
            init: The file, and where in it the clip starts.
            width_frames: Width of the clip in frames.
            frames_per_quarter: The model's frames per quarter note of the song.

        Returns:
            Level float32 [1 or 2, n_mels, width_frames], 0..1; frame 0 is centred on the clip's first sample.

        Raises:
            RenderError: The file has changed since the song was planned.
            MidiError: The file cannot be read.
        """
        params = self.params
        samples_per_quarter = frames_per_quarter / params.frames_per_second * params.sample_rate
        margin = margin_frames(params)
        first = round_half_up(init.at_quarters * samples_per_quarter) - margin * params.hop_length
        audio = self._turning(
            init, first, (width_frames + 2 * margin) * params.hop_length, samples_per_quarter
        )
        level = levels_from_mel(mel_from_audio(torch.from_numpy(audio), params), params).numpy()
        return np.clip(level[:, :, margin : margin + width_frames], 0.0, 1.0).astype(np.float32)

    def _turning(self, init: MidiInit, first: int, length: int, samples_per_quarter: Fraction) -> np.ndarray:
        """Samples of the music from `first` on, which starts again after `loop_quarters`."""
        loop = round_half_up(init.loop_quarters * samples_per_quarter)
        origin = round_half_up(init.start_quarters * samples_per_quarter)
        pieces, done = [], 0
        while done < length:
            at = (first + done) % loop
            count = min(length - done, loop - at)
            pieces.append(self._file(init, origin + at, count, samples_per_quarter))
            done += count
        return np.concatenate(pieces, axis=1)

    def _file(self, init: MidiInit, first: int, length: int, samples_per_quarter: Fraction) -> np.ndarray:
        """Samples of the file itself, float32 [channels, length]; silence after its end."""
        song = self._song(init)
        audio = np.zeros((2 if self.params.stereo else 1, length), np.float32)
        join = round(_JOIN_SECONDS * self.params.sample_rate)
        for number in range(-(-len(song.bars) // _STRETCH_BARS)):
            bars = song.bars[number * _STRETCH_BARS : (number + 1) * _STRETCH_BARS]
            start = round_half_up(bars[0].start * samples_per_quarter)
            is_last = bars[-1] is song.bars[-1]
            end = round_half_up(bars[-1].end * samples_per_quarter)
            end += round(TAIL_SECONDS * self.params.sample_rate) if is_last else 0
            begin = max(first, start - (join if number else 0))
            stop = min(first + length, end)
            if begin >= stop:
                continue
            sound, lead_in = self._sound(init, song, number, samples_per_quarter)
            part = sound[:, lead_in + begin - start : lead_in + stop - start]
            gains = np.ones(part.shape[1], np.float32)
            if number:
                gains *= np.clip((np.arange(begin, begin + part.shape[1]) - start + join) / join, 0, 1)
            if not is_last:
                gains *= np.clip((end - np.arange(begin, begin + part.shape[1])) / join, 0, 1)
            audio[:, begin - first : begin - first + part.shape[1]] += part * gains.astype(np.float32)
        return audio

    def _song(self, init: MidiInit) -> MidiSong:
        key = (init.sha256, init.tracks)
        if key not in self._songs:
            if file_sha256(init.path) != init.sha256:
                raise RenderError(
                    f"{init.name}: {init.path} has changed since the song was planned; plan and render again"
                )
            self._songs[key] = read_midi(init.path, tracks=init.tracks)
            while len(self._songs) > _REMEMBERED:
                self._songs.popitem(last=False)
        self._songs.move_to_end(key)
        return self._songs[key]

    def _sound(
        self, init: MidiInit, song: MidiSong, number: int, samples_per_quarter: Fraction
    ) -> tuple[np.ndarray, int]:
        """The sound of a stretch, float32 [channels, samples], and the sample at which its bars begin."""
        rate = self.params.sample_rate
        key = (init.sha256, init.tracks, number, samples_per_quarter)
        first = number * _STRETCH_BARS
        bars = min(_STRETCH_BARS, len(song.bars) - first)
        tempo = float(60 * rate / samples_per_quarter)
        piece = as_piece(song, start_bar=first, bars=bars, tempo=tempo)
        lead_in = round_half_up(
            Fraction(piece.layout.lead_in_bars)
            * Fraction(piece.layout.bar_beats).limit_denominator(64)
            * samples_per_quarter
        )
        if key in self._sounds:
            self._sounds.move_to_end(key)
            return self._sounds[key], lead_in
        sound = render_piece(
            piece, duration_s=piece.layout.duration_s + TAIL_SECONDS, stereo=self.params.stereo
        )
        if rate != SAMPLE_RATE:
            sound = resampled(sound, SAMPLE_RATE, rate)
        self._sounds[key] = sound
        while len(self._sounds) > _REMEMBERED:
            self._sounds.popitem(last=False)
        return sound, lead_in
