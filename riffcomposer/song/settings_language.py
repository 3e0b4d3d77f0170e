"""Keys that say how clips are rendered, which `defaults`, sections and layers have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import Field, WithJsonSchema, WrapValidator

from riffcomposer.song.curve_fields import GuidanceScale, Strength
from riffcomposer.song.fields import LengthText, PositiveLengthText, StrictModel, short_form
from riffcomposer.song.score_language import MAX_SEED, Score
from riffcomposer.text import shorten

Prompt = Annotated[str, Field(min_length=1, max_length=2000)]
Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]
Name = Annotated[str, Field(min_length=1, max_length=100)]
PathText = Annotated[str, Field(min_length=1, max_length=500)]
Tempo = Annotated[float, Field(ge=20, le=400)]


def _auto_or(value: object, read: Callable[[object], object]) -> object:
    if value != "auto" and isinstance(value, str):
        raise ValueError(f"must be a number in BPM, or auto (got {shorten(value)})")
    return value if value == "auto" else read(value)


def _number_or(value: object, read: Callable[[object], object]) -> object:
    is_number = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 65_535
    return value if is_number else read(value)


OwnTempo = Annotated[
    Tempo,
    WrapValidator(_auto_or),
    WithJsonSchema({"anyOf": [{"type": "number", "minimum": 20, "maximum": 400}, {"const": "auto"}]}),
]
"""A tempo in BPM, or `auto`."""

Track = Annotated[
    Name,
    WrapValidator(_number_or),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "minLength": 1, "maxLength": 100},
                {"type": "integer", "minimum": 1, "maximum": 65535},
            ]
        }
    ),
]
"""A track of a MIDI file: its name, or its number from 1 on."""

Tracks = Annotated[list[Track], Field(min_length=1, max_length=64)]

PROMPT_TEXT = (
    "What to play, in words. `(word:1.3)` gives a word more weight, `[word]` less. Required unless strength "
    "is 0 or every point of the walk has its own. 1 to 2000 characters."
)
_STRENGTH = (
    "How far the render moves away from the loop (denoising strength): 0 is the loop itself, "
    "1 keeps nothing of it; up to about 0.75 its beat remains. 0 to 1{}. Default: {}."
)
_GUIDANCE = "How strictly the prompt is followed. 0 to 50{}. Default: {}."
_BY_BAR = ", or points by bar of the section"
_MODELS = "the model's own"
_SECTIONS = "the section's"
_INIT_EXAMPLES = [
    "lofi-keys",
    "clips/guitar.wav",
    {"path": "clips/guitar.wav", "start": "12.8s", "tempo": 120, "bars": 2},
]


class Init(StrictModel):
    """A loop or a recording from the user's own file, with its position in the file and its tempo.

    A section reads it on, bar by bar, and turns round at its end.
    """

    path: PathText = Field(
        description="A catalogue name, or a path under the song's folder "
        "(a sound, an image or a MIDI file of any usual kind).",
        examples=["clips/guitar.wav"],
    )
    start: LengthText | None = Field(
        None,
        description="Where in the file the music starts. Default: at its beginning; with `tempo: auto` at "
        "its first beat.",
        examples=["12.8s"],
    )
    tempo: OwnTempo | None = Field(
        None,
        description="The recording's own tempo in BPM, 20 to 400, or `auto` to measure it. Default: the "
        "song's.",
        examples=[120, "auto"],
    )
    bars: float | None = Field(
        None,
        gt=0,
        le=100_000,
        description="Length in bars, above 0, at most 100000, after which the music starts again. Default: "
        "all bars up to the end of the file.",
        examples=[2, 64],
    )
    tracks: Tracks | None = Field(
        None,
        description="The tracks of a MIDI file that are heard, by number or name, at most 64. Default: all.",
        examples=[["Piano", 3]],
    )


TransitionType = Literal["cut", "crossfade", "bridge"]
"""`cut`: a few milliseconds; `crossfade`: equal power; `bridge`: clips that lead over."""


class Transition(StrictModel):
    """How the music moves from the previous section into this one."""

    type: TransitionType = Field(
        "crossfade",
        description="`cut`: at once; `crossfade`: both sections overlap; `bridge`: extra clips that lead "
        "from the end of the previous section to the start of this one.",
        examples=["bridge"],
    )
    length: PositiveLengthText | None = Field(
        None, description="Length of a crossfade. Default: 1 beat.", examples=["2 beats", "1 bar"]
    )
    clips: int | None = Field(
        None, ge=1, le=1000, description="Clips of a bridge, 1 to 1000. Default: 4.", examples=[4]
    )


class Lora(StrictModel):
    """A LoRA: a small change to the model, trained on other music."""

    path: PathText = Field(
        description="A .safetensors file under the song's folder.", examples=["loras/tape.safetensors"]
    )
    weight: float = Field(
        1.0, ge=-4, le=4, description="How strongly the LoRA acts, -4 to 4.", examples=[0.8]
    )


InitField = Annotated[Init, short_form("path")]
TransitionField = Annotated[Transition, short_form("type")]
LoraField = Annotated[Lora, short_form("path")]


class Sound(StrictModel):
    """Keys that say how clips are rendered: `defaults`, a section and a layer may have them."""

    init: InitField | None = Field(
        None,
        description="The loop a render starts from: a catalogue name (`riffcompose loops` lists "
        "them), a path under the song's folder (a sound or an image of any usual kind), "
        "a mapping with its start and tempo, `score` for music that is composed (see the key `score`), "
        "or `none` for noise. It carries tempo and downbeat. Default: the model's own; a score for "
        "`model: default`, and where a `score` is stated.",
        examples=_INIT_EXAMPLES,
    )
    score: Score | None = Field(
        None,
        description="What is composed where a render starts from a score. Keys that a section states replace "
        "those of `defaults` one by one.",
        examples=[{"style": "jazz", "key": "A minor", "energy": 0.5}],
    )
    strength: Strength | None = Field(
        None, description=_STRENGTH.format(_BY_BAR, _MODELS), examples=[0.55, {"0": 0.3, "16": 0.6}]
    )
    denoising: Strength | None = Field(
        None,
        description="Riffusion's name for `strength`; a song uses one of the two. 0 to 1, or points by bar.",
        examples=[0.55],
    )
    guidance_scale: GuidanceScale | None = Field(
        None, description=_GUIDANCE.format(_BY_BAR, _MODELS), examples=[6, {"0": 3, "8": 7}]
    )
    num_inference_steps: int | None = Field(
        None,
        ge=1,
        le=1000,
        description="Steps of the whole schedule, of which int(steps * strength) are run. 1 to 1000. "
        "Default: the model's own.",
        examples=[24],
    )
    scheduler: str | None = Field(
        None,
        min_length=1,
        max_length=50,
        description="Sampling method, one of those in the model's profile. Default: the model's own.",
        examples=["ddim"],
    )
    negative_prompt: str | None = Field(
        None, max_length=2000, description="What not to play. Default: nothing.", examples=["harsh noise"]
    )
    mask: PathText | None = Field(
        None,
        description="Render only the white part of this image anew: a catalogue name, a .png under the "
        "song's folder, or `none`. Default: none.",
        examples=["beats-80"],
    )
    lora: list[LoraField] | None = Field(
        None,
        max_length=8,
        description="LoRA files to add to the model, at most 8. Default: none.",
        examples=[["loras/tape.safetensors"], [{"path": "loras/tape.safetensors", "weight": 0.8}]],
    )
    interpolation_steps: int | None = Field(
        None,
        ge=1,
        le=1000,
        description="Clips for each leg of a walk, 1 to 1000. Default: 4; left out, a `walk` spreads evenly "
        "over a length that its section states.",
        examples=[4],
    )
    alpha_curve: Literal["linear", "ease", "power"] | None = Field(
        None,
        description="How a leg moves from one point to the next: evenly, slow at both ends, or by "
        "`alpha_power`. Default: linear.",
        examples=["ease"],
    )
    alpha_power: float | None = Field(
        None,
        ge=0.1,
        le=10,
        description="Exponent of `alpha_curve: power`: above 1 stays longer near the start of a leg. "
        "0.1 to 10. Default: 2.",
        examples=[2],
    )


class Settings(Sound):
    """Keys that both `defaults` and a section may have."""

    overlap: LengthText | None = Field(
        None,
        description="Shortest crossfade of each clip with the next. Default: half a beat.",
        examples=["1 beat"],
    )
    transition: TransitionField | None = Field(
        None,
        description="How a section is entered: cut, crossfade or bridge. Default: a crossfade of one beat.",
        examples=["cut", {"type": "bridge", "clips": 4}],
    )


class Point(StrictModel):
    """One point of a walk; keys that it leaves out come from the section."""

    prompt: Prompt | None = Field(None, description=PROMPT_TEXT, examples=["church bells on sunday"])
    seed: Seed | None = Field(
        None, description="Decides the noise, 0 to 2^63 - 1. Default: the section's seed.", examples=[3]
    )
    strength: float | None = Field(
        None, ge=0, le=1, description=_STRENGTH.format("", _SECTIONS), examples=[0.6]
    )
    guidance_scale: float | None = Field(
        None, ge=0, le=50, description=_GUIDANCE.format("", _SECTIONS), examples=[7]
    )
