"""The grid: how many bars a clip holds, how wide its image is, and at which sample each bar starts.

Conventions: a *frame* is a column of the spectrogram (10 ms with Riffusion's parameters). Bars and
frames are exact fractions until a position becomes a sample; each position is rounded once.
"""

from __future__ import annotations

from fractions import Fraction

from riffcomposer.checkpoints.profile import ModelProfile
from riffcomposer.errors import SongError
from riffcomposer.plan.types import Grid
from riffcomposer.song.resolved import ResolvedSection, ResolvedSong
from riffcomposer.units import Timebase, round_down, round_half_up, round_up


def timebase(song: ResolvedSong, profile: ModelProfile) -> Timebase:
    """Returns the song's tempo and meter at the model's sample rate."""
    return Timebase(song.tempo, song.meter, profile.spectrogram.sample_rate)


def make_grid(song: ResolvedSong, profile: ModelProfile) -> Grid:
    """Fits whole bars into the model's image.

    A slot is as many whole bars as fit `image_width` frames, at least one. The render is wider by the
    longest overlap that a section asks for, rounded up to a multiple of `width_step`.

    Raises:
        SongError: A bar, or a bar and the overlap, is wider than the model's widest image.
    """
    time = timebase(song, profile)
    frames_per_second = profile.spectrogram.frames_per_second
    bar_frames = time.seconds_per_bar * frames_per_second
    widest = profile.max_width // profile.width_step * profile.width_step

    def overlap(section: ResolvedSection) -> int:
        return round_up(time.seconds(section.overlap) * frames_per_second)

    longest = max(song.sections, key=overlap)
    clip_bars = max(1, round_down(profile.image_width / bar_frames))
    while True:
        slot = round_up(clip_bars * bar_frames)
        width = round_up(Fraction(slot + overlap(longest), profile.width_step)) * profile.width_step
        if width <= widest:
            break
        if clip_bars > 1:
            clip_bars -= 1
            continue
        if slot >= widest:
            tempo = round_up(song.tempo * (slot + overlap(longest)) / widest)
            raise SongError.fault(
                "too-slow",
                f"a bar of {song.meter} at {float(song.tempo):g} BPM is {slot} frames wide, and "
                f"{profile.name} makes images of at most {widest}",
                ("tempo",),
                f"use a tempo of at least {tempo} BPM or a shorter meter",
            )
        raise SongError.fault(
            "overlap-too-long",
            f"a bar of {slot} frames and an overlap of {longest.overlap} ({overlap(longest)} frames) do not "
            f"fit the widest image of {profile.name}, {widest} frames",
            longest.where("overlap"),
            f"use an overlap of at most {(widest - slot) * 1000 // frames_per_second} ms, or a faster tempo",
        )
    return Grid(
        tempo=song.tempo,
        meter=str(song.meter),
        sample_rate=time.sample_rate,
        hop_length=profile.spectrogram.hop_length,
        clip_bars=clip_bars,
        samples_per_bar=time.samples_per_bar,
        width_frames=width,
        overlap_frames=width - slot,
        join_samples=time.samples(longest.overlap),
        top_hz=profile.spectrogram.max_frequency,
    )


def sample_at(grid: Grid, bar: Fraction | int) -> int:
    """Returns the absolute sample of a position in bars, rounded once."""
    return round_half_up(bar * grid.samples_per_bar)


def section_bars(section: ResolvedSection, song: ResolvedSong, grid: Grid) -> Fraction:
    """Returns the length of a section's own part, without its bridge, in bars.

    `bars` is used unchanged; a `duration` becomes the nearest number of whole bars, at least one, so
    that the next section starts on a downbeat.
    """
    if section.clips is not None:
        return Fraction(section.clips * grid.clip_bars)
    if section.bars is not None:
        return section.bars
    assert section.duration is not None, "the song's rules see to it that a length is stated"
    bars = Timebase(song.tempo, song.meter, grid.sample_rate).bars(section.duration)
    return Fraction(max(1, round_half_up(bars)))


def slots(bars: Fraction, grid: Grid) -> int:
    """Returns how many clips a length needs; the last may be cut short."""
    return round_up(bars / grid.clip_bars)
