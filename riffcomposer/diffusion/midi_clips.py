"""Levels of users' MIDI files, which clips start from: played by the synth, cut at the clip.

A file is played in stretches of `STRETCH_BARS` of its bars, so that memory is bounded. Each begins with a bar
of the music before it, so that what sounds there rings on, and is joined to the one before by a short
crossfade.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from riffcomposer.diffusion.played_levels import TAIL_SECONDS, Audio, Recent, level_at, played
from riffcomposer.errors import RenderError
from riffcomposer.files import file_sha256
from riffcomposer.midi.midi_piece import as_piece
from riffcomposer.midi.read import read_midi
from riffcomposer.midi.song import MidiSong
from riffcomposer.plan.inits import MidiInit
from riffcomposer.spectrogram.threads import one_thread
from riffcomposer.spectrogram_parameters import SpectrogramParameters
from riffcomposer.units import round_half_up, round_up

STRETCH_BARS = 48
_JOIN_SECONDS = 0.02


class MidiPlayer:
    """Plays the MIDI files of a model's clips.

    Args:
        params: The model's spectrogram format.
    """

    def __init__(self, params: SpectrogramParameters) -> None:
        self.params = params
        self._songs: Recent[MidiSong] = Recent()
        self._sounds: Recent[tuple[Audio, int]] = Recent()

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
        quarter = frames_per_quarter / self.params.frames_per_second * self.params.sample_rate
        start = round_half_up(init.at_quarters * quarter)
        return level_at(
            lambda first, length: self._turning(init, first, length, quarter),
            start,
            width_frames,
            self.params,
        )

    def _turning(self, init: MidiInit, first: int, length: int, quarter: Fraction) -> Audio:
        """Samples of the music from `first` on, which starts again after `loop_quarters`."""
        loop = round_half_up(init.loop_quarters * quarter)
        origin = round_half_up(init.start_quarters * quarter)
        pieces: list[Audio] = []
        done = 0
        while done < length:
            at = (first + done) % loop
            count = min(length - done, loop - at)
            pieces.append(self._file(init, origin + at, count, quarter))
            done += count
        return np.concatenate(pieces, axis=1)

    def _file(self, init: MidiInit, first: int, length: int, quarter: Fraction) -> Audio:
        """Samples of the file itself; silence after its end."""
        song = self._song(init)
        audio = np.zeros((2 if self.params.stereo else 1, length), np.float32)
        join = round(_JOIN_SECONDS * self.params.sample_rate)
        count = round_up(Fraction(len(song.bars), STRETCH_BARS))
        for number in range(count):
            bars = song.bars[number * STRETCH_BARS : (number + 1) * STRETCH_BARS]
            start, end = (round_half_up(place * quarter) for place in (bars[0].start, bars[-1].end))
            is_last = number + 1 == count
            past = end + round(TAIL_SECONDS * self.params.sample_rate) if is_last else end
            begin, stop = max(first, start - (join if number else 0)), min(first + length, past)
            if begin >= stop:
                continue
            sound, lead_in = self._stretch(init, song, number, quarter)
            part = sound[:, lead_in + begin - start : lead_in + stop - start]
            places = np.arange(begin, begin + part.shape[1])
            # Each sample is in one stretch, or in two whose gains add up to 1 over the join before a border.
            gains = np.clip((places - start + join) / join, 0, 1) if number else np.ones(len(places))
            if not is_last:
                gains = gains * np.clip((end - places) / join, 0, 1)
            audio[:, begin - first : begin - first + part.shape[1]] += part * gains.astype(np.float32)
        return audio

    def _song(self, init: MidiInit) -> MidiSong:
        def read() -> MidiSong:
            if file_sha256(init.path) != init.sha256:
                raise RenderError(
                    f"{init.name}: {init.path} has changed since the song was planned; plan and render again"
                )
            return read_midi(init.path, tracks=init.tracks)

        return self._songs.get((init.sha256, init.tracks), read)

    def _stretch(self, init: MidiInit, song: MidiSong, number: int, quarter: Fraction) -> tuple[Audio, int]:
        """The sound of a stretch, and the sample at which its bars begin."""

        def play() -> tuple[Audio, int]:
            first = number * STRETCH_BARS
            piece = as_piece(
                song,
                start_bar=first,
                bars=min(STRETCH_BARS, len(song.bars) - first),
                tempo=float(60 * self.params.sample_rate / quarter),
            )
            lead_in = piece.layout.phrase_start_s(0) * self.params.sample_rate
            return played(piece, self.params), round(lead_in)

        return self._sounds.get((init.sha256, init.tracks, number, quarter), play)
