"""The sound of a render while it is made: passages are decoded as their clips come, and mixed dry.

A render makes all clips first, then decodes. Here a thread beside it decodes the passages in the song's order
and waits for each clip, so that the first seconds are heard after the first clips. What it decodes goes into
the store under the same keys, and the render finds it there. The sound has the sections' gains and fades and
the joins of the mix, and no effects and no master; one gain brings it near the loudness that the master aims
at.

Conventions: positions are absolute samples of the track; audio is float32 `[2, samples]`.
"""

from __future__ import annotations

import io
import threading
import wave
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from riffcomposer.errors import Cancelled, RiffcomposerError
from riffcomposer.mix.automation import gains, over
from riffcomposer.mix.blocks import Audio, npy_reader, read_padded
from riffcomposer.mix.fades import Fade, db_to_gain, section_fades, under
from riffcomposer.mix.loudness import LoudnessMeter
from riffcomposer.mix.mixed_layers import gate_gain, pan_gains
from riffcomposer.plan.types import Passage, PlannedSection
from riffcomposer.render.clip_stage import load_level
from riffcomposer.render.events import RenderEvent
from riffcomposer.render.passage_stage import PassageFile, decode_passage
from riffcomposer.render.passage_work import DecodeSettings, PassageWork, decoder_for
from riffcomposer.render.prepare import PreparedSong
from riffcomposer.render.stopping import StopFlag
from riffcomposer.store.store import Store
from riffcomposer.units import cut_samples

LEAST_MEASURED_S = 3.0
"""Seconds of sound from which its gain is decided; it does not change after that."""

HEADROOM = 0.89
"""Highest peak of the sound that the gain is decided from, -1 dBFS."""

POLL_S = 0.25


@dataclass
class _Sound:
    """What is decoded of one passage.

    Attributes:
        audio: `[channels, body + tail]`, filled from the start; None before the first block.
        filled: Number of samples that are there.
    """

    passage: Passage
    key: str
    audio: Audio | None = None
    filled: int = 0
    stored: bool = False


class LiveSound:
    """Decodes a render's passages beside it, and mixes what is there.

    Args:
        prepared: The song and its plan.
        decode, keys: How its passages are decoded, and their keys.
        store: Where clips come from and passages go to.
        stop: Ends the decoding.
        grown: Called with the number of samples from the start of the track that can be read, as it grows;
            on the decoding thread.
    """

    def __init__(
        self,
        prepared: PreparedSong,
        decode: DecodeSettings,
        keys: tuple[str, ...],
        store: Store,
        stop: StopFlag,
        grown: Callable[[int], None],
    ) -> None:
        self.plan, self.rate = prepared.plan, prepared.plan.grid.sample_rate
        self.problem = ""
        self._parameters = prepared.model.profile.spectrogram
        self._target_lufs = prepared.song.resolved.master.integrated_lufs
        self._decode, self._store, self._stop, self._grown = decode, store, stop, grown
        self._sounds = [
            _Sound(passage, key) for key, passage in zip(keys, prepared.plan.passages, strict=True)
        ]
        self._clips_come = any(state.status != "cached" for state in prepared.assessment.states.values())
        self._clip_there = threading.Condition()
        self._last_clip_came = not self._clips_come
        self._gain: float | None = None
        self._told = 0
        self._thread: threading.Thread | None = None

    # The render's side ------------------------------------------------------------------------

    def begin(self) -> None:
        """Starts to decode. Where no clip is to be rendered, returns once the first passage is decoded."""
        self._look()
        if all(sound.stored for sound in self._sounds):
            return
        self._thread = threading.Thread(target=self._run, name="studio-live", daemon=True)
        self._thread.start()
        if not self._clips_come:
            self._thread.join()

    def observe(self, event: RenderEvent) -> None:
        """Follows the render; after the last clip, waits for the passage at hand, which is not made twice."""
        if event.clip:
            with self._clip_there:
                self._clip_there.notify_all()
        if event.stage == "clips" and event.total and event.done >= event.total:
            self._clips_come = False
            self.close()
        elif event.stage in ("decode", "mix"):
            self._look()

    def close(self) -> None:
        """Waits for the passage at hand; what needs a clip that did not come is left out."""
        with self._clip_there:
            self._last_clip_came = True
            self._clip_there.notify_all()
        if self._thread is not None:
            self._thread.join()

    # The thread -------------------------------------------------------------------------------

    def _run(self) -> None:
        first = True
        try:
            for sound in self._sounds:
                if sound.stored:
                    continue
                # The render itself decodes what is left, several passages at once.
                if not first and not self._clips_come:
                    return
                first = False
                self._decode_one(sound)
        except Cancelled:
            return
        except RiffcomposerError as error:
            # The render meets the same fault and reports it; here only the sound ends early.
            self.problem = str(error)

    def _decode_one(self, sound: _Sound) -> None:
        work = PassageWork.of(self.plan, sound.passage, self._parameters)
        timeline = work.timeline(self._level)
        decoder = decoder_for(self._parameters, self._decode, 1 if self._clips_come else 2)
        sound.audio = np.zeros((timeline.channels, timeline.samples), np.float32)

        def report(block: np.ndarray) -> None:
            self._stop.check()
            assert sound.audio is not None
            sound.audio[:, sound.filled : sound.filled + block.shape[1]] = block
            sound.filled += block.shape[1]
            self._tell()

        decode_passage(decoder, timeline, PassageFile(self._store, sound.key, work), report)
        sound.stored, sound.audio = True, None

    def _level(self, key: str) -> np.ndarray:
        """A clip's level, as soon as it is rendered."""
        with self._clip_there:
            while not self._store.has("clip", key):
                self._stop.check()
                if self._last_clip_came:
                    raise Cancelled
                self._clip_there.wait(POLL_S)
        return load_level(self._store, key)

    def _look(self) -> None:
        """Finds passages that the store has."""
        for sound in self._sounds:
            if not sound.stored and sound.audio is None and self._store.has("passage", sound.key):
                sound.stored = True
                sound.filled = sound.passage.body_samples + sound.passage.tail_samples
        self._tell()

    def _tell(self) -> None:
        ready = self.ready
        if ready > self._told:
            self._told = ready
            self._grown(ready)

    # The listener's side ----------------------------------------------------------------------

    @property
    def ready(self) -> int:
        """Number of samples from the start of the track that can be read."""
        ready = 0
        # The layers of a section are passages with one start, and are ready together.
        for start, group in groupby(self._sounds, lambda sound: sound.passage.start_sample):
            sounds = list(group)
            body = sounds[0].passage.body_samples
            filled = min(sound.filled for sound in sounds)
            ready = start + min(filled, body)
            if filled < body:
                break
        return min(ready, self.plan.total_samples)

    def read(self, start: int, stop: int) -> Audio:
        """Returns the dry mix of a range that is ready, at about the loudness of the master."""
        return self._mixed(start, stop) * np.float32(self._level_gain())

    def wav(self, start: int, stop: int) -> bytes:
        """Returns a range as a WAV file of 16 bits."""
        return wav_bytes(self.read(start, stop), self.rate)

    def _level_gain(self) -> float:
        if self._gain is None:
            stop = min(self.ready, round(30 * self.rate))
            audio = self._mixed(0, stop)
            meter = LoudnessMeter(2, self.rate, true_peak=False)
            meter.push(audio)
            lufs = meter.result().integrated_lufs
            peak = float(np.abs(audio).max(initial=1e-4))
            gain = min(db_to_gain(self._target_lufs - lufs), HEADROOM / peak) if np.isfinite(lufs) else 1.0
            if stop < LEAST_MEASURED_S * self.rate:
                return gain
            self._gain = gain
        return self._gain

    def _mixed(self, start: int, stop: int) -> Audio:
        mix = np.zeros((2, max(0, stop - start)), np.float32)
        for sound in self._sounds:
            passage = sound.passage
            begin = passage.start_sample
            end = begin + passage.body_samples + passage.tail_samples
            first, last = max(start, begin), min(stop, end)
            if first < last:
                mix[:, first - start : last - start] += self._passage(sound, first, last)
        return mix

    def _passage(self, sound: _Sound, first: int, last: int) -> Audio:
        passage, rate = sound.passage, self.rate
        audio = self._samples(sound, first - passage.start_sample, last - passage.start_sample)
        if audio.shape[0] == 1:
            audio = np.repeat(audio, 2, axis=0)
        own = self.plan.sections[slice(*passage.sections)]
        layer = next((each for each in own[0].layers if each.name == passage.layer), None)
        if layer is not None:
            audio = audio * pan_gains(over(layer.pan, first, last - first, rate))
            audio = audio * gains(layer.gain_db, first, last - first, rate)
            if layer.gate:
                audio = audio * gate_gain(layer.gate, np.arange(first, last))
        mix = np.zeros_like(audio)
        for index, section in enumerate(own):
            fades = self._windows(passage, index)
            fades += section_fades(
                section.start_sample, section.end_sample, section.fade_in_samples, section.fade_out_samples
            )
            ends = [fade.start + fade.length for fade in fades if fade.falls]
            begin, end = max(first, section.start_sample), min(last, max([section.end_sample, *ends]))
            if begin < end:
                inside = slice(begin - first, end - first)
                moving = gains(section.gain_db, begin, end - begin, rate)
                mix[:, inside] += under(audio[:, inside], fades, begin) * moving
        return mix

    def _windows(self, passage: Passage, index: int) -> list[Fade]:
        """How a section comes in and goes out, as the mix decides it."""
        sections, number = self.plan.sections, passage.sections[0] + index
        section = sections[number]
        fades = []
        if index > 0:
            fades.append(Fade("linear", section.start_sample, self._glide(section), False))
        elif passage.start_sample:
            fades.append(Fade("equal_power", section.start_sample, section.entry_samples, False))
        if number + 1 < passage.sections[1]:
            fades.append(Fade("linear", section.end_sample, self._glide(sections[number + 1]), True))
        elif number + 1 < len(sections):
            fades.append(Fade("equal_power", section.end_sample, sections[number + 1].entry_samples, True))
        return fades

    def _glide(self, section: PlannedSection) -> int:
        return max(section.entry_samples, cut_samples(self.rate))

    def _samples(self, sound: _Sound, start: int, stop: int) -> Audio:
        buffered = sound.audio
        if buffered is not None:
            return buffered[:, start:stop].copy()
        path = self._store.path("passage", sound.key) if sound.stored else None
        if path is None:
            return np.zeros((1, stop - start), np.float32)
        return read_padded(npy_reader(path), start, stop)


def wav_bytes(audio: Audio, sample_rate: int) -> bytes:
    """Writes audio `[channels, samples]` as a WAV file of 16 bits; what exceeds full scale is clipped."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(audio.shape[0])
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(np.rint(np.clip(audio.T, -1, 1) * 32767).astype("<i2").tobytes())
    return buffer.getvalue()
