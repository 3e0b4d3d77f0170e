"""Mixing sections into one track: windows, effect chains, gains, fades, transitions, loops.

A passage is decoded audio. Its sections are cut from it with windows that add up to one, pass through their
own chains, and are summed at their absolute positions. Passages are joined by equal-power fades. Only one
block of one section is in memory at a time.

A section may be made of layers, which are mixed first (see `riffcomposer.mix.mixed_layers`).

The order in a section is window, chain, gain, fades. So after a cut or a crossfade a reverb rings on over the
next section, and a fade out fades its reverb too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from riffcomposer.curves import Curve
from riffcomposer.errors import AudioError
from riffcomposer.mix.automation import gains
from riffcomposer.mix.blocks import BLOCK_SAMPLES, Audio, AudioReader, ScratchAudio, as_reader, read_padded
from riffcomposer.mix.chain import Chain, EffectLike
from riffcomposer.mix.fades import Fade, section_fades, under
from riffcomposer.mix.mixed_layers import LayerSource, MixLayer, sum_of_layers
from riffcomposer.mix.stereo import WideReader
from riffcomposer.units import cut_samples

START_FADE_MS = 1.5
END_FADE_MS = 5.0
LOOP_WARM_UP_SECONDS = 10.0
"""Seconds of a loop's end that pass through a chain before the loop's start, so that the chain starts in the
state in which it ends."""

Progress = Callable[[int, int], None]
"""Called after each block with the samples done and the samples in all; may raise to stop."""


@dataclass(frozen=True)
class MixSection:
    """One section as the mix sees it; positions are absolute samples.

    Attributes:
        entry_samples: Length of its entry, from `start_sample` on: the fade of a cut or a
            crossfade, or the length of the bridge, over which gain and chain change.
        gain_db: A number, or a curve over absolute samples.
        chain: Effects in order; anything with `name` and `parameters`. Curves among them are over absolute
            samples.
    """

    name: str
    start_sample: int
    end_sample: int
    entry_samples: int = 0
    gain_db: float | Curve = 0.0
    fade_in_samples: int = 0
    fade_out_samples: int = 0
    chain: tuple[EffectLike, ...] = ()


@dataclass(frozen=True)
class MixPassage:
    """Decoded audio and the sections in it.

    Attributes:
        audio: `[channels, body_samples + tail_samples]` from `start_sample` on: an array or a
            reader (see `riffcomposer.mix.blocks`), or the layers of its only section, each with such audio.
        body_samples: Length of the passage without its tail.
        tail_samples: Samples after the body, which sound under the next passage's first fade.
        wraps: Whether the passage is a whole loop, whose audio continues from its end into its start.
    """

    audio: Audio | AudioReader | tuple[MixLayer, ...]
    start_sample: int
    body_samples: int
    sections: tuple[MixSection, ...]
    tail_samples: int = 0
    wraps: bool = False

    @property
    def sounds(self) -> list[AudioReader]:
        """The audio of the passage, or of each of its layers."""
        if isinstance(self.audio, tuple):
            return [as_reader(layer.audio) for layer in self.audio]
        return [as_reader(self.audio)]


@dataclass(frozen=True)
class _Channel:
    """One section on its way into the mix: what is read, with which gains, and where it goes."""

    section: MixSection
    reader: AudioReader
    passage_start: int
    stop: int
    windows: tuple[Fade, ...]
    circular: bool
    wraps: bool
    layers: tuple[LayerSource, ...] = ()

    @property
    def stems(self) -> list[_Channel]:
        """What has a stem of its own: each layer by itself, or the section."""
        alone = [replace(source, layer=replace(source.layer, meter=None)) for source in self.layers]
        return [replace(self, layers=(source,)) for source in alone] or [self]


def mixdown(
    passages: Sequence[MixPassage],
    *,
    total_samples: int,
    sample_rate: int,
    stereo_width: float,
    loop: bool,
    path: Path,
    stem_paths: Sequence[Path] = (),
    progress: Progress | None = None,
) -> tuple[ScratchAudio, list[ScratchAudio]]:
    """Mixes passages into one two-channel scratch file of exactly `total_samples`.

    Args:
        passages: In order and without gaps.
        stereo_width: For mono passages, 0..1; stereo ones keep their own picture.
        loop: Whether what rings beyond the end is added to the start.
        path: The scratch file to make.
        stem_paths: None, or one file for each section and each layer of one, in order: its share of the mix,
            as long as the track, so that the stems add up to it. A layer's stem passes through the chain of
            its section by itself, so this is true of layers where that chain is linear.
        progress: See `Progress`.

    Returns:
        The mix and the stems. Both are files on disk; the caller removes them.

    Raises:
        AudioError: Positions that do not fit together, or audio that is too short.
        DiskFullError, StoreError: A scratch file cannot be written.
    """
    _check(passages, total_samples)
    channels = list(_channels(passages, total_samples, sample_rate, stereo_width, loop))
    count = sum(len(channel.stems) for channel in channels)
    if stem_paths and len(stem_paths) != count:
        raise AudioError(f"{count} sections and layers need as many stem files, got {len(stem_paths)}")
    mix = ScratchAudio(path, 2, total_samples)
    stems = [ScratchAudio(stem_path, 2, total_samples) for stem_path in stem_paths]
    waiting = iter(stems)
    for channel in channels:
        alone = channel.stems if stems else []
        targets = [mix] if len(alone) != 1 else [mix, next(waiting)]
        for position, block in _play(channel, sample_rate):
            for start, part in _place(position, block, total_samples, loop):
                for target in targets:
                    target.add(start, part)
            if progress is not None:
                progress(min(position, total_samples), total_samples)
        for layer in alone if len(alone) > 1 else ():
            stem = next(waiting)
            for position, block in _play(layer, sample_rate):
                for start, part in _place(position, block, total_samples, loop):
                    stem.add(start, part)
    return mix, stems


def _check(passages: Sequence[MixPassage], total_samples: int) -> None:
    position = 0
    for number, passage in enumerate(passages, 1):
        samples = min(sound.samples for sound in passage.sounds)
        if passage.start_sample != position:
            raise AudioError(
                f"passage {number} starts at sample {passage.start_sample}, where {position} was expected"
            )
        if samples < passage.body_samples + passage.tail_samples:
            raise AudioError(
                f"passage {number} has {samples} samples of audio and needs "
                f"{passage.body_samples + passage.tail_samples}"
            )
        if isinstance(passage.audio, tuple) and (len(passage.sections) != 1 or passage.wraps):
            raise AudioError(f"passage {number} has layers, which belong to one section that does not wrap")
        for section in passage.sections:
            if section.start_sample != position:
                raise AudioError(
                    f"section {section.name!r} starts at sample {section.start_sample}, "
                    f"where {position} was expected"
                )
            position = section.end_sample
        if position != passage.start_sample + passage.body_samples:
            raise AudioError(f"passage {number} ends at sample {position}, not where its body does")
    if position != total_samples:
        raise AudioError(f"the passages are {position} samples long in all, the track {total_samples}")


def _channels(
    passages: Sequence[MixPassage], total_samples: int, sample_rate: int, stereo_width: float, loop: bool
) -> Iterator[_Channel]:
    """Decides the windows of every section."""
    for number, passage in enumerate(passages):
        readers = [
            WideReader(sound, stereo_width, sample_rate, wraps=passage.wraps) for sound in passage.sounds
        ]
        sections = passage.sections
        following = passages[(number + 1) % len(passages)]
        for index, section in enumerate(sections):
            windows: list[Fade] = []
            stop = section.end_sample
            # 1. The fade in.
            if index > 0 or (passage.wraps and len(sections) > 1):
                windows.append(Fade("linear", section.start_sample, _glide(section, sample_rate), False))
            elif number == 0 and not loop:
                windows.append(Fade("smooth", 0, round(sample_rate * START_FADE_MS / 1000), False))
            elif not passage.wraps:
                windows.append(Fade("equal_power", section.start_sample, section.entry_samples, False))
            # 2. The fade out, under the fade in of whatever comes next.
            if index + 1 < len(sections) or (passage.wraps and len(sections) > 1):
                entry = _glide(sections[(index + 1) % len(sections)], sample_rate)
                windows.append(Fade("linear", section.end_sample, entry, True))
                stop += entry
            elif number + 1 == len(passages) and not loop:
                length = min(
                    round(sample_rate * END_FADE_MS / 1000), section.end_sample - section.start_sample
                )
                windows.append(Fade("smooth", total_samples - length, length, True))
            elif not passage.wraps:
                entry = following.sections[0].entry_samples
                if entry > passage.tail_samples:
                    raise AudioError(
                        f"section {section.name!r} sounds on for {passage.tail_samples} samples, "
                        f"and the fade into {following.sections[0].name!r} takes {entry}"
                    )
                windows.append(Fade("equal_power", section.end_sample, entry, True))
                stop += entry
            circular = passage.wraps and len(sections) == 1
            begin = passage.start_sample
            layers = tuple(
                LayerSource(layer, reader, begin, section.start_sample, section.end_sample, tuple(windows))
                for layer, reader in zip(
                    passage.audio if isinstance(passage.audio, tuple) else (), readers, strict=False
                )
            )
            yield _Channel(section, readers[0], begin, stop, tuple(windows), circular, passage.wraps, layers)


def _glide(section: MixSection, sample_rate: int) -> int:
    """Returns in how many samples a section inside a passage takes over: its bridge, at least a cut."""
    return max(section.entry_samples, cut_samples(sample_rate))


def _play(channel: _Channel, sample_rate: int) -> Iterator[tuple[int, Audio]]:
    """Yields one section's sound: absolute positions (also after the track's end) and audio."""
    section = channel.section
    # A loop of one section: the chain hears the end before the start, and needs no tail.
    warm_up = round(LOOP_WARM_UP_SECONDS * sample_rate) if channel.circular and section.chain else 0
    first = section.start_sample - warm_up
    loop = (section.start_sample, section.end_sample) if channel.circular else None
    chain = Chain(section.chain, sample_rate, start=first, loop=loop)
    fades = section_fades(
        section.start_sample, section.end_sample, section.fade_in_samples, section.fade_out_samples
    )

    def through_chain() -> Iterator[Audio]:
        if channel.layers:
            for block in sum_of_layers(channel.layers, channel.stop, sample_rate):
                yield chain.push(block)
        else:
            offset = channel.passage_start
            for start in range(first, channel.stop, BLOCK_SAMPLES):
                stop = min(start + BLOCK_SAMPLES, channel.stop)
                audio = read_padded(channel.reader, start - offset, stop - offset, wraps=channel.wraps)
                yield chain.push(under(audio, channel.windows, start))
        if not channel.circular:
            yield from chain.tail()

    position = first
    for block in through_chain():
        audible = block[:, max(0, section.start_sample - position) :]
        position += block.shape[1]
        start = position - audible.shape[1]
        yield (
            start,
            under(audible, fades, start) * gains(section.gain_db, start, audible.shape[1], sample_rate),
        )


def _place(position: int, block: Audio, total_samples: int, loop: bool) -> Iterator[tuple[int, Audio]]:
    """Cuts a block at the end of the track; in a loop the rest goes to the start."""
    while block.shape[1]:
        if position >= total_samples:
            if not loop:
                return
            position %= total_samples
        count = min(block.shape[1], total_samples - position)
        yield position, block[:, :count]
        position, block = position + count, block[:, count:]
