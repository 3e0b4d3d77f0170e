"""The value objects of a plan: what will be rendered, where it goes, and why.

A plan is pure arithmetic over a song, the seed catalogue, file digests and a model profile; it
holds no audio and needs no heavy library. Positions are absolute: samples at `sample_rate`
from the start of the track. Lengths of parts are differences of absolute positions, so they add
up exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Literal

from riffcomposer.models.spectrogram_parameters import SpectrogramParameters

SAMPLER_VERSION = 1
"""Version of the sampling code that decides samples; raising it makes every clip new."""

DECODER_VERSION = 3
"""Version of the decoding code; raising it decodes every passage again."""

MIX_VERSION = 2
"""Version of the mixing and mastering code; raising it masters every track again."""


AUDIO_READER_VERSION = 2
"""Version of the code that reads users' sounds; raising it makes every clip that starts from one new."""


@dataclass(frozen=True)
class InitClip:
    """The seed clip a render starts from, and how it is laid on the song's grid.

    The renderer makes the seed's level image, reads it cyclically from `start_seconds` over
    `loop_quarters` quarter notes, and resizes it along time from `tempo` to the song's tempo.

    Attributes:
        kind: `catalogue` (a shipped mel image), `audio` or `image` (a user's file).
        name: What the song calls it; for messages, not in the key.
        path: Where it lies; for reading, not in the key.
        sha256: Digest of the file's bytes.
        tempo: The seed's own tempo in BPM.
        loop_quarters: Length of its loop in quarter notes.
        start_seconds: Where in the file the loop starts.
    """

    kind: Literal["catalogue", "audio", "image"]
    name: str
    path: Path
    sha256: str
    tempo: Fraction
    loop_quarters: Fraction
    start_seconds: Fraction = Fraction(0)

    @property
    def loop_seconds(self) -> Fraction:
        """Length of the loop at the seed's own tempo."""
        return self.loop_quarters * 60 / self.tempo

    def read_range(self, params: SpectrogramParameters) -> tuple[Fraction, Fraction]:
        """Which part of a sound is read for the loop: its first second and its length in seconds.

        A little of the music before and after the loop is read too, so that the first and last
        frames' windows see it.
        """
        margin = Fraction(params.window_duration_ms, 1000)
        first = max(Fraction(0), self.start_seconds - margin)
        frames = math.ceil(self.loop_seconds * params.frames_per_second) + 1
        hop_seconds = Fraction(params.hop_length, params.sample_rate)
        return first, self.start_seconds - first + frames * hop_seconds + margin


@dataclass(frozen=True)
class MaskImage:
    """A grey image over the clip: white is repainted, black is kept, greys blend."""

    name: str
    path: Path
    sha256: str


@dataclass(frozen=True)
class LoraFile:
    """A LoRA in safetensors and its weight."""

    name: str
    path: Path
    sha256: str
    weight: float


@dataclass(frozen=True)
class ClipJob:
    """One diffusion render: everything that decides its samples, and nothing else.

    `alpha` is where the clip stands between point A and point B: 0 is A alone, 1 B alone. A job
    at an end point is stored with both points equal and alpha 0, and the two points stand in a
    canonical order, so that a clip shared by two legs, or walked backwards, is one job.

    Attributes:
        model_digest: Identity of the checkpoint (see `riffcomposer.models.profile`).
        compute: Class of device and number format, `cpu-float32` or `cuda-float16`: results differ
            between them.
        width_frames: Width of the render in frames (columns), a multiple of the model's step.
        frames_per_quarter: Length of a quarter note in frames, exact.
        clip_quarters: Length of the clip's slot in quarter notes.
        strength: 0..1 on Riffusion's scale; the profile maps it to the model's own time.
        num_inference_steps: Steps of the whole schedule; `int(steps * strength)` are run.
        scheduler: Name as in the profile, `ddim` for instance.
    """

    model_digest: str
    compute: str
    width_frames: int
    frames_per_quarter: Fraction
    clip_quarters: Fraction
    prompt_a: str
    prompt_b: str
    seed_a: int
    seed_b: int
    alpha: float
    negative_prompt: str
    strength: float
    guidance_scale: float
    num_inference_steps: int
    scheduler: str
    init: InitClip | None = None
    mask: MaskImage | None = None
    loras: tuple[LoraFile, ...] = ()


Cause = Literal["cached", "new", "changed"]


@dataclass(frozen=True)
class JobState:
    """What `plan` found out about a job.

    Attributes:
        cause: `cached` (the store has it), `new`, or `changed` (the lock had another key here).
        changes: For `changed`: (field, old, new), as text.
    """

    cause: Cause
    changes: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True)
class PlannedClip:
    """One clip on the grid.

    Attributes:
        section: Index into `Plan.sections`.
        index: Position within the section, counting bridge clips first, then body, then tail.
        kind: `bridge` (leads into the section), `body`, or `tail` (sounds only in the next
            section's crossfade).
        start_sample: Where its first frame's centre stands, absolute.
        slot_samples: Distance to the next clip's start (the grid; the render is wider).
        key: Digest of its job; the job is `Plan.jobs[key]`.
        label: Where it stands in words: `seed 7`, `seed 7 -> 8, 0.25`, `"bells" -> "jazz", 0.5`.
    """

    section: int
    index: int
    kind: Literal["bridge", "body", "tail"]
    start_sample: int
    slot_samples: int
    key: str
    label: str


@dataclass(frozen=True)
class Transition:
    """How a section is entered: `cut` (a few milliseconds), `crossfade` (equal power), `bridge`.

    Attributes:
        length_samples: Length of the audio fade: starts at the section's `start_sample`. 0 for a
            bridge (its joins are made in the spectrogram).
    """

    type: Literal["cut", "crossfade", "bridge"]
    length_samples: int


@dataclass(frozen=True)
class PlannedSection:
    """One section of the track, `use` and `length` already expanded.

    Attributes:
        name: Unique in the plan (`verse`, `verse (2)`).
        source: Index of the section in the resolved song (its gain, chain and fades).
        start_sample: Where it begins, bridge clips included.
        body_start_sample: Where the bridge ends and its own bars begin.
        end_sample: Where the next one begins (absolute; the end of the track for the last).
        bar: First bar of the section, counted from 0.
        bars: Length in bars, bridge included.
        fade_in_samples, fade_out_samples: 0 for none.
    """

    name: str
    source: int
    start_sample: int
    body_start_sample: int
    end_sample: int
    bar: Fraction
    bars: Fraction
    transition: Transition
    gain_db: float = 0.0
    fade_in_samples: int = 0
    fade_out_samples: int = 0


@dataclass(frozen=True)
class Passage:
    """Sections joined by bridges, decoded as one spectrogram.

    Attributes:
        sections: First and one-past-last index into `Plan.sections`.
        clips: First and one-past-last index into `Plan.clips`.
        start_sample: Absolute start.
        body_samples: Distance to the next passage's start (or the end of the track).
        tail_samples: How much sounds on after that, for the next passage's crossfade (or, in a
            loop, for the first one's).
        wraps: The passage is the whole of a looping track and runs from its end into its start.
    """

    sections: tuple[int, int]
    clips: tuple[int, int]
    start_sample: int
    body_samples: int
    tail_samples: int
    wraps: bool = False


@dataclass(frozen=True)
class Grid:
    """The grid of the track.

    Attributes:
        tempo: BPM, exact.
        clip_bars: Whole bars in a clip's slot.
        samples_per_bar: Exact.
        width_frames: Width of every render in frames.
        overlap_frames: Surplus of a render over its slot (the smallest over the track; slots differ by
            up to a frame).
        join_samples: How much of the surplus is crossfaded with the next clip, at least.
    """

    tempo: Fraction
    meter: str
    sample_rate: int
    hop_length: int
    clip_bars: int
    samples_per_bar: Fraction
    width_frames: int
    overlap_frames: int
    join_samples: int


@dataclass(frozen=True)
class Budget:
    """What a plan costs, against what it may."""

    clips: int
    clips_to_render: int
    minutes: float
    disk_bytes: int
    memory_bytes: int
    estimated_seconds: float


@dataclass(frozen=True)
class Plan:
    """Everything `render` needs to know, in order.

    Attributes:
        jobs: By key, each once, in the order in which they are first heard.
        states: Of each job, once it has been compared with the store and the lock.
        model: What the song calls its checkpoint; for messages and the lock.
    """

    song_path: Path
    title: str
    grid: Grid
    total_samples: int
    loop: bool
    sections: tuple[PlannedSection, ...]
    clips: tuple[PlannedClip, ...]
    passages: tuple[Passage, ...]
    jobs: dict[str, ClipJob]
    states: dict[str, JobState] = field(default_factory=dict)
    budget: Budget | None = None
    model: str = ""
