"""The value objects of a plan: what is rendered, at which position, and why.

A plan is pure arithmetic over a song, the loop catalogue, file digests and a model profile; it
holds no audio and needs no heavy library. Positions are absolute: samples at `sample_rate`
from the start of the track. Lengths of parts are differences of absolute positions, so they add
up exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

from riffcomposer.curves import ZERO, Curve
from riffcomposer.plan.inits import Init, InitClip, MidiInit
from riffcomposer.plan.layer_types import PlannedLayer
from riffcomposer.plan.score_types import ScoreInit, SectionScore
from riffcomposer.song.settings_language import TransitionType


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
class Point:
    """A key point of a walk with every number filled in.

    Attributes:
        strength: 0..1 on Riffusion's scale; the model's profile maps it to the model's own time.
    """

    prompt: str
    seed: int
    strength: float
    guidance_scale: float


@dataclass(frozen=True)
class Place:
    """A place on a walk: between two points, `alpha` (0..1, the curve applied) of the way."""

    a: Point
    b: Point
    alpha: float

    @property
    def strength(self) -> float:
        """Strength at this place, linear between the points."""
        return self.a.strength + (self.b.strength - self.a.strength) * self.alpha

    @property
    def guidance_scale(self) -> float:
        """Guidance scale at this place, linear between the points."""
        return self.a.guidance_scale + (self.b.guidance_scale - self.a.guidance_scale) * self.alpha

    @property
    def label(self) -> str:
        """The place in words: `seed 7`, `seed 7 -> 8, 0.25`, `"bells" -> "jazz", 0.5`."""
        if self.alpha in (0.0, 1.0) or self.a == self.b:
            point = self.b if self.alpha == 1.0 else self.a
            return f"seed {point.seed}" if self.a.prompt == self.b.prompt else f'"{_short(point.prompt)}"'
        if self.a.prompt != self.b.prompt:
            ends = f'"{_short(self.a.prompt)}" -> "{_short(self.b.prompt)}"'
        elif self.a.seed != self.b.seed:
            ends = f"seed {self.a.seed} -> {self.b.seed}"
        else:
            ends = f"seed {self.a.seed}, strength {self.a.strength:g} -> {self.b.strength:g}"
        return f"{ends}, {self.alpha:.3g}"

    def nearest(self) -> Point:
        """Returns the nearer point (the later one in the middle), at this place's strength and guidance.

        A bridge needs one prompt and one seed to start from.
        """
        point = self.a if self.alpha < 0.5 else self.b
        return replace(point, strength=self.strength, guidance_scale=self.guidance_scale)


def _short(prompt: str) -> str:
    return prompt if len(prompt) <= 22 else prompt[:21] + "…"


@dataclass(frozen=True)
class ClipJob:
    """One diffusion render: everything that decides its samples, and nothing else.

    A clip that two legs of a walk share, or that is reached from the other end, has one canonical
    job (see `riffcomposer.plan.keys.canonical`).

    Attributes:
        model_digest: Identity of the checkpoint (see `riffcomposer.checkpoints.profile`).
        backend: Class of device and number format, `cpu-float32` or `cuda-float16`: results differ
            between them.
        width_frames: Width of the render in frames (columns), a multiple of the model's step.
        frames_per_quarter: Length of a quarter note in frames, exact.
        clip_quarters: Length of the clip's slot in quarter notes.
        place: The clip's place on its walk: prompts, seeds, strength, guidance.
        num_inference_steps: Steps of the whole schedule; `int(steps * strength)` are run.
        scheduler: Name of the scheduler as in the profile, `ddim` for instance.
    """

    model_digest: str
    backend: str
    width_frames: int
    frames_per_quarter: Fraction
    clip_quarters: Fraction
    place: Place
    negative_prompt: str
    num_inference_steps: int
    scheduler: str
    init: Init | None = None
    mask: MaskImage | None = None
    loras: tuple[LoraFile, ...] = ()

    @property
    def files(self) -> tuple[InitClip | MidiInit | MaskImage | LoraFile, ...]:
        """The files that the render reads, besides the checkpoint."""
        init = None if isinstance(self.init, ScoreInit) else self.init
        return tuple(file for file in (init, self.mask, *self.loras) if file is not None)

    @property
    def strength(self) -> float:
        """Denoising strength of the clip's place, 0..1."""
        return self.place.strength

    @property
    def guidance_scale(self) -> float:
        """Classifier-free guidance scale of the clip's place; 1 is no guidance."""
        return self.place.guidance_scale


Status = Literal["cached", "new", "changed"]


@dataclass(frozen=True)
class JobStatus:
    """Whether a job must be rendered, and why.

    Attributes:
        status: `cached` (the store has it), `new`, or `changed` (the lock has another key at its position).
        changes: The fields that differ as (field, old, new), as text; empty unless `changed`.
    """

    status: Status
    changes: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True)
class PlannedClip:
    """One clip on the grid.

    Attributes:
        section: Index into `Plan.sections`.
        index: Position within the section or its layer, counting bridge clips first, then body, then tail.
        kind: `bridge` (leads into the section), `body`, or `tail` (sounds only in the next
            section's crossfade).
        start_sample: Absolute sample at the centre of its first frame.
        slot_samples: Distance to the next clip's start (the grid; the render is wider).
        key: Digest of its job; the job is `Plan.jobs[key]`.
        label: Its place on the walk in words: `seed 7`, `seed 7 -> 8, 0.25`, `"bells" -> "jazz", 0.5`.
        layer: Name of the section's layer that it belongs to; empty in a section without layers.
    """

    section: int
    index: int
    kind: Literal["bridge", "body", "tail"]
    start_sample: int
    slot_samples: int
    key: str
    label: str
    layer: str = ""


@dataclass(frozen=True)
class Transition:
    """How a section is entered, as decided on the grid.

    The mix needs no more of it than `PlannedSection.entry_samples`.

    Attributes:
        length_samples: Length of the audio fade: starts at the section's `start_sample`. 0 for a
            bridge (its joins are made in the spectrogram).
    """

    type: TransitionType
    length_samples: int


@dataclass(frozen=True)
class PlannedSection:
    """One section of the track, `use` and `length` already expanded.

    Attributes:
        name: A name that is unique in the plan (`verse`, `verse (2)`).
        source: Index of the section in the resolved song (its gain, chain and fades).
        start_sample: Absolute sample at which the section, with its bridge, begins.
        body_start_sample: Absolute sample at which the bridge ends and the section's own bars begin.
        end_sample: Absolute sample at which the next section begins, or the track ends.
        bar: First bar of the section, counted from 0.
        bars: Length in bars, bridge included.
        body_bar: Bar of the track at which its own bars begin.
        gain_db: By absolute sample.
        fade_in_samples, fade_out_samples: Lengths of the fades; 0 for none.
        layers: How its layers are mixed; empty for a section without layers.
    """

    name: str
    source: int
    start_sample: int
    body_start_sample: int
    end_sample: int
    bar: Fraction
    bars: Fraction
    body_bar: Fraction
    transition: Transition
    gain_db: Curve = ZERO
    fade_in_samples: int = 0
    fade_out_samples: int = 0
    layers: tuple[PlannedLayer, ...] = ()

    @property
    def entry_samples(self) -> int:
        """Samples from `start_sample` over which the section takes over: its fade, or its bridge."""
        return self.transition.length_samples or self.body_start_sample - self.start_sample


@dataclass(frozen=True)
class Passage:
    """Sections joined by bridges, or a layer of one section, decoded as one spectrogram.

    Attributes:
        sections: First and one-past-last index into `Plan.sections`.
        clips: First and one-past-last index into `Plan.clips`.
        start_sample: Absolute sample at which the passage starts.
        body_samples: Distance to the next passage's start (or the end of the track).
        tail_samples: Length that sounds after the body, for the next passage's crossfade (or, in a
            loop, for the first one's).
        wraps: Whether the passage is the whole of a looping track and its end runs into its start.
        layer: Name of the layer; empty in a section without layers. All layers have one place and length.
    """

    sections: tuple[int, int]
    clips: tuple[int, int]
    start_sample: int
    body_samples: int
    tail_samples: int
    wraps: bool = False
    layer: str = ""


@dataclass(frozen=True)
class Grid:
    """The grid of the track.

    Attributes:
        tempo: Tempo in BPM, exact.
        clip_bars: Whole bars in a clip's slot.
        samples_per_bar: Samples in a bar, exact.
        width_frames: Width of every render in frames.
        overlap_frames: Surplus of a render over its slot (the smallest over the track; slots differ by
            up to a frame).
        join_samples: Shortest crossfade with the next clip; it uses the surplus.
        top_hz: Highest frequency of the images.
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
    top_hz: int


@dataclass(frozen=True)
class Plan:
    """Everything that a render needs to know, in order. It is complete and immutable.

    An `Assessment` says which of its clips a store has, and what the others cost.

    Attributes:
        model: The song's name for its checkpoint; for messages and the lock.
        scores: The music that is composed for each section; None where its clips start from something else.
        jobs: Every job once, by key, in the order in which they are first heard.
    """

    song_path: Path
    title: str
    model: str
    grid: Grid
    total_samples: int
    loop: bool
    sections: tuple[PlannedSection, ...]
    scores: tuple[SectionScore | None, ...]
    clips: tuple[PlannedClip, ...]
    passages: tuple[Passage, ...]
    jobs: Mapping[str, ClipJob]


@dataclass(frozen=True)
class Budget:
    """An estimate of what a plan costs.

    Attributes:
        clips: Number of different clips on the grid.
        clips_to_render: Number of these that the store does not have.
        minutes: Length of the track.
        disk_bytes: Bytes that the render writes.
        memory_bytes: Memory that the render needs at once.
        estimated_seconds: Duration of the render.
    """

    clips: int
    clips_to_render: int
    minutes: float
    disk_bytes: int
    memory_bytes: int
    estimated_seconds: float


@dataclass(frozen=True)
class Assessment:
    """A plan compared with a store and a lock.

    Attributes:
        states: The status of each job, by key.
        budget: The cost of rendering the clips that the store does not have.
    """

    states: Mapping[str, JobStatus]
    budget: Budget
