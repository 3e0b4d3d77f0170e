"""The mel spectrogram of a passage: clips placed on the beat grid and joined, read in ranges of frames.

A clip starts at a sample, which is not always a frame. Where it is not, its mel is read between frames, by
Lagrange interpolation over six frames of the *magnitude*.

A clip is wider than its slot. Its surplus is crossfaded with the next clip in mel *power*, band by band, with
weights that add up to one (`riffcomposer.mix.band_crossfade`). So the power in a join is between the powers
of the two clips, and the decoder makes one sound of it. `docs/explanation/joins.md` says why, with figures.

Conventions: frame `j` of the timeline is centred on sample `j * hop_length` after its start. Levels
and mels as in `riffcomposer.spectrogram_parameters`.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from riffcomposer.errors import AudioError
from riffcomposer.mix.band_crossfade import JOIN_FRAMES, BandCrossfade, plan_band_crossfade
from riffcomposer.spectrogram_parameters import SpectrogramParameters

Mel = NDArray[np.float32]

CACHED_CLIPS = 4
"""Mels kept in memory: the clips of a join, and earlier ones for the decoder's overlapping ranges."""

INTERPOLATION_FRAMES = 6


@dataclass(frozen=True)
class MelClip:
    """One clip of a timeline.

    Attributes:
        start_sample: Absolute position of its first frame's centre.
        slot_samples: Distance to the next clip's start.
        load: Returns its level, `[channels, n_mels, width]`, float16 or float32.
        key: Key of the levels; clips with equal keys are loaded once.
    """

    start_sample: int
    slot_samples: int
    load: Callable[[], NDArray[Any]]
    key: Hashable


class MelTimeline:
    """The mel of a passage, read by frames; loads clips as they are needed.

    Args:
        clips: In order; each starts where the one before it has its slot's end.
        start_sample: Absolute start of the passage.
        body_samples: Its length.
        tail_samples: Samples by which it continues after its body.
        params: The spectrogram's format (its hop, level and power).
        join_samples: Length of the joins where the surplus allows it; at least `JOIN_FRAMES` are used.
        wraps: Whether the passage is a loop of exactly `body_samples`. Then any frame can be read, also
            before 0 and after the end, where the clips are repeated.

    Raises:
        AudioError: There are no clips, or there is a gap between two of them.
    """

    def __init__(
        self,
        clips: Sequence[MelClip],
        *,
        start_sample: int,
        body_samples: int,
        tail_samples: int,
        params: SpectrogramParameters,
        join_samples: int = 0,
        wraps: bool = False,
    ) -> None:
        if not clips:
            raise AudioError("a passage needs at least one clip")
        for left, right in pairwise(clips):
            if left.start_sample + left.slot_samples != right.start_sample:
                raise AudioError(
                    f"a clip ends its slot at sample {left.start_sample + left.slot_samples}, "
                    f"and the next one starts at {right.start_sample}"
                )
        self._clips, self._params = tuple(clips), params
        self._hop = params.hop_length
        self._join_samples = max(JOIN_FRAMES * self._hop, join_samples)
        self._starts = [clip.start_sample - start_sample for clip in clips]
        self._period = body_samples if wraps else None
        self.samples = body_samples + tail_samples
        self.wraps = wraps
        self.frames = -(-self.samples // self._hop) + 1
        self._cache: OrderedDict[Hashable, Mel] = OrderedDict()
        self._widths: dict[Hashable, int] = {}
        self._crossfades: dict[int, BandCrossfade] = {}
        self.channels = self._mel(0).shape[0]

    def read(self, start_frame: int, end_frame: int) -> Mel:
        """Returns the mel `[channels, n_mels, end_frame - start_frame]` of those frames.

        Raises:
            AudioError: A clip is narrower than its slot.
        """
        power = np.zeros((self.channels, self._params.num_frequencies, end_frame - start_frame), np.float32)
        first_turn, last_turn = 0, 0
        if self._period:
            # A clip reaches over at most the next one: as far as two turns before, in a loop of one.
            first_turn = start_frame * self._hop // self._period - 2
            last_turn = (end_frame - 1) * self._hop // self._period
        for turn in range(first_turn, last_turn + 1):
            for index, start in enumerate(self._starts):
                self._add(power, index, start + turn * (self._period or 0), start_frame, end_frame)
        return np.sqrt(power, out=power)

    def joins(self) -> list[tuple[int, int]]:
        """Returns where clips are crossfaded: first and one-past-last sample, from the passage's start."""
        indices = range(len(self._clips)) if self._period else range(1, len(self._clips))
        return [(self._starts[index], self._starts[index] + self._overlap_into(index)) for index in indices]

    def _add(self, power: Mel, index: int, start: int, start_frame: int, end_frame: int) -> None:
        """Adds one clip's weighted power to the frames in which it sounds."""
        slot = self._clips[index].slot_samples
        following = (index + 1) % len(self._clips)
        is_last = following == 0 and not self._period
        # A clip sounds at most to the end of the next one's slot: most need not even be loaded.
        reach = start + slot + self._clips[following].slot_samples
        if start >= end_frame * self._hop or (reach <= start_frame * self._hop and not is_last):
            return
        overlap_out = 0 if is_last else self._overlap_into(following)
        # 1. The frames it covers. The last one sounds on as long as it is wide.
        stop = start + (self._width(index) * self._hop if is_last else slot + overlap_out)
        first = max(start_frame, -(-start // self._hop))
        last = min(end_frame, -(-stop // self._hop))
        if first >= last:
            return
        # 2. Its mel there, between its own frames.
        mel = read_between(self._mel(index), Fraction(first * self._hop - start, self._hop), last - first)
        # 3. Rising over the previous clip's surplus, falling over its own.
        samples = np.arange(first, last) * self._hop - start
        added = np.square(mel)
        if (index > 0 or self._period) and samples[0] < self._overlap_into(index):
            added *= self._crossfade_into(index).rise(samples).astype(np.float32)
        if not is_last and samples[-1] >= slot:
            added *= (1 - self._crossfade_into(following).rise(samples - slot)).astype(np.float32)
        power[:, :, first - start_frame : last - start_frame] += added

    def _overlap_into(self, index: int) -> int:
        """Returns the length of a clip's fade in: at most the surplus of the one before, and its own slot."""
        before = self._clips[index - 1]
        surplus = (self._width(index - 1) - 1) * self._hop - before.slot_samples
        if surplus < -self._hop:
            raise AudioError(
                f"a clip {self._width(index - 1)} frames wide cannot fill its slot of "
                f"{before.slot_samples} samples"
            )
        return max(0, min(surplus, self._join_samples, self._clips[index].slot_samples))

    def _crossfade_into(self, index: int) -> BandCrossfade:
        """Returns the crossfade from the clip before into this one."""
        if index not in self._crossfades:
            length = self._overlap_into(index)
            frames = -(-length // self._hop)
            leaving = Fraction(self._clips[index - 1].slot_samples, self._hop)
            falling = read_between(self._mel(index - 1), leaving, frames)
            rising = self._mel(index)[:, :, :frames]
            self._crossfades[index] = plan_band_crossfade(falling, rising, length, self._hop)
        return self._crossfades[index]

    def _width(self, index: int) -> int:
        key = self._clips[index].key
        if key not in self._widths:
            self._widths[key] = int(self._mel(index).shape[2])
        return self._widths[key]

    def _mel(self, index: int) -> Mel:
        key = self._clips[index].key
        if key not in self._cache:
            level = np.asarray(self._clips[index].load(), np.float32)
            if level.ndim != 3 or level.shape[1] != self._params.num_frequencies:
                raise AudioError(
                    f"a clip's level must be [channels, {self._params.num_frequencies}, width], "
                    f"got {list(level.shape)}"
                )
            exponent = np.float32(1 / self._params.power_for_image)
            self._cache[key] = np.float32(self._params.max_volume) * np.clip(level, 0, 1) ** exponent
        self._cache.move_to_end(key)
        while len(self._cache) > CACHED_CLIPS:
            self._cache.popitem(last=False)
        return self._cache[key]


def read_between(mel: Mel, start: Fraction, frames: int) -> Mel:
    """Reads `frames` frames from the position `start` on, which may be between two frames.

    Outside the mel, its first or last frame is repeated.
    """
    whole = math.floor(start)
    fraction = float(start - whole)
    if not fraction:
        return mel[:, :, np.clip(np.arange(whole, whole + frames), 0, mel.shape[2] - 1)]
    half = INTERPOLATION_FRAMES // 2
    offsets = np.arange(1 - half, half + 1)
    around = mel[:, :, np.clip(np.arange(whole + 1 - half, whole + frames + half), 0, mel.shape[2] - 1)]
    result = np.zeros((*mel.shape[:2], frames), np.float32)
    for offset in offsets:
        others = offsets[offsets != offset]
        weight = np.float32(np.prod((fraction - others) / (offset - others)))
        begin = offset + half - 1
        result += weight * around[:, :, begin : begin + frames]
    return np.maximum(result, 0, out=result)
