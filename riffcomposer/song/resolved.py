"""The value objects of a song with everything filled in, as a planner reads it.

Defaults and `use` are applied, lengths carry their units, files are named but not yet read.
Where an attribute says so, None means the model's own default. Each section remembers where its
fields are written, so that a later stage can point at the token.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from riffcomposer.curves import ZERO, Curve
from riffcomposer.diagnostics import NodePath
from riffcomposer.media.kinds import AudioFormat
from riffcomposer.song.effects import Effect
from riffcomposer.song.settings_language import TransitionType
from riffcomposer.units import Length, Meter


@dataclass(frozen=True)
class KeyPoint:
    """One point of a walk.

    Attributes:
        prompt: The words to play; empty only in a section with strength 0.
        strength, guidance_scale: The point's value, else the section's by its bars, else None for the
            model's default.
    """

    prompt: str
    seed: int
    strength: Curve | None
    guidance_scale: Curve | None

    @property
    def is_init_alone(self) -> bool:
        """Whether strength 0 is stated, which plays the init itself."""
        return self.strength is not None and not any(self.strength.values)


@dataclass(frozen=True)
class InitSpec:
    """The loop a section starts from.

    Attributes:
        kind: `catalogue` if `name` is an entry of the shipped catalogue, `file` if it is a path as written,
            `score` for music that is composed (see `ScoreSpec`).
        start: Where in the file the loop starts; None for its beginning. Bars and beats are counted
            in the file's own tempo.
        tempo: The file's own tempo in BPM, or `auto` to measure it; None for the song's.
        bars: Length in bars of the song's meter; None for all bars up to the file's end.
        tracks: The tracks of a MIDI file that are heard; all if empty.
    """

    kind: Literal["catalogue", "file", "score"]
    name: str
    start: Length | None = None
    tempo: Fraction | Literal["auto"] | None = None
    bars: Fraction | None = None
    tracks: tuple[str | int, ...] = ()


@dataclass(frozen=True)
class ScoreSpec:
    """What a section says of the music that is composed for it.

    Attributes:
        style, key, chords: As the composer has them (`Score`); empty where nothing is stated.
        parts: What is asked of single roles, as role and text (`electric piano: lazy`).
        heard: The roles that are heard; all of them if empty.
        energy: By bar of the section; None where nothing is stated.
        seed: None for the song's.
    """

    style: str = ""
    key: str = ""
    chords: str = ""
    parts: tuple[tuple[str, str], ...] = ()
    heard: tuple[str, ...] = ()
    energy: Curve | None = None
    theme: str = "A"
    seed: int | None = None


@dataclass(frozen=True)
class LoraSpec:
    """A LoRA file as the song names it, and its weight."""

    path: str
    weight: float


@dataclass(frozen=True)
class TransitionSpec:
    """How a section's author wants it to be entered, defaults filled in.

    A plan has another type for it (`riffcomposer.plan.types.Transition`), since it decides more: the
    first section of a song that does not loop is not entered at all, a bridge around a loop's end may
    become a crossfade, and a length in bars becomes one in samples that the neighbour limits.

    Attributes:
        length: Length of a crossfade; None for a cut or a bridge.
        clips: Number of clips of a bridge; None for a cut or a crossfade.
    """

    type: TransitionType
    length: Length | None = None
    clips: int | None = None


@dataclass(frozen=True)
class ResolvedSection:
    """One section of the song's list.

    Exactly one of `bars`, `clips` and `duration` is stated.

    Attributes:
        name: A name that is unique in the song; made up where the file has none.
        points: The points of the walk: one for a seed walk, else two or more.
        is_seed_walk: Whether one prompt walks over seed, seed + 1, seed + 2, ...
        interpolation_steps: Clips for each leg of the walk.
        alpha_curve: How alpha rises over a leg; `alpha_power` is the exponent of `power`.
        num_inference_steps, scheduler: Settings of the sampler; None for the model's default.
        init: The loop, recording or score that clips start from; None for noise alone.
        score: What the section says of its score.
        mask: A catalogue name or a path (see `riffcomposer.song.paths.is_path`).
        overlap: Shortest crossfade of each clip with the next.
        path: Where the section is written: ("sections", 2).
        origins: Where each stated field is written, by its name; `use` and `defaults` are followed.
        layers: What is rendered instead of the section itself; empty for a section without layers.
    """

    name: str
    points: tuple[KeyPoint, ...]
    is_seed_walk: bool
    interpolation_steps: int
    alpha_curve: Literal["linear", "ease", "power"]
    alpha_power: float
    bars: Fraction | None
    clips: int | None
    duration: Length | None
    negative_prompt: str
    num_inference_steps: int | None
    scheduler: str | None
    init: InitSpec | None
    score: ScoreSpec
    mask: str | None
    loras: tuple[LoraSpec, ...]
    overlap: Length
    transition: TransitionSpec
    fade_in: Length | None
    fade_out: Length | None
    gain_db: Curve
    chain: tuple[Effect, ...]
    path: NodePath
    origins: Mapping[str, NodePath] = field(default_factory=dict, compare=False, repr=False)
    layers: tuple[ResolvedLayer, ...] = ()

    @property
    def renders(self) -> tuple[ResolvedSection, ...]:
        """What is rendered for the section: its layers, or the section itself."""
        return self.layers or (self,)

    def render(self, layer: str) -> ResolvedSection:
        """Returns the layer of a name, or the section itself for an empty name."""
        return next(render for render in self.renders if not layer or render.name == layer)

    @property
    def is_composed(self) -> bool:
        """Whether clips of the section start from its score."""
        return any(render.init is not None and render.init.kind == "score" for render in self.renders)

    @property
    def score_prompt(self) -> str:
        """The words that say what is composed: the section's prompt, else those of its layers."""
        own = self.points[0].prompt
        if own or not self.layers:
            return own
        prompts = [layer.points[0].prompt for layer in self.layers if layer.is_composed]
        return ", ".join(dict.fromkeys(filter(None, prompts)))

    def where(self, name: str) -> NodePath:
        """Returns where the field `name` is written, or the section's path if it is not stated."""
        return self.origins.get(name, self.path)


@dataclass(frozen=True)
class ResolvedLayer(ResolvedSection):
    """One of several renders of a section that sound together; its name is unique in the section.

    Length, overlap and transition are the section's. Gain, fades and chain are the layer's own.

    Attributes:
        pan: From -1 (left) to 1 (right), by bar.
        from_energy: Least energy of a bar in which the layer is heard; None if it always is.
    """

    pan: Curve = ZERO
    from_energy: float | None = None


@dataclass(frozen=True)
class ResolvedMaster:
    """The mastering stage."""

    chain: tuple[Effect, ...]
    integrated_lufs: float
    true_peak_dbtp: float


@dataclass(frozen=True)
class ResolvedOutput:
    """The files to write, and how the sound is decoded.

    Attributes:
        stereo_width: Width of the stereo picture; 0 is mono.
        decoder: Name of the decoder's preset.
        bandwidth: Whether the band above the images' highest frequency is filled.
    """

    formats: tuple[AudioFormat, ...]
    stereo_width: float
    decoder: Literal["fast", "default", "best"]
    bandwidth: Literal["image", "extended"]


@dataclass(frozen=True)
class ResolvedSong:
    """A whole song.

    Attributes:
        model: `default`, `org/name@<40 hex>` or `./folder`.
        loop: Whether the end of the track joins its start.
        length: Time to fill by repeating the list of sections with further seeds; None to play it once.
        whole: The song that this song's one section is taken from: its clips and its music stay what they are
            there. None for a song that is whole.
    """

    title: str
    tempo: Fraction
    meter: Meter
    seed: int
    model: str
    loop: bool
    length: Length | None
    sections: tuple[ResolvedSection, ...]
    master: ResolvedMaster
    output: ResolvedOutput
    whole: ResolvedSong | None = None
