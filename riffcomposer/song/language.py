"""The song language: the keys that a song file may contain, with bounds, defaults and examples.

These models check each value by itself. Rules about several values (`bars` with `clips`, a `use`
of a missing section) are in `riffcomposer.song.rules`; `riffcomposer.song.resolve` fills in what a
song leaves out. The JSON Schema for editors is generated from these models
(`riffcomposer.song.schema`).
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from riffcomposer.media.kinds import AudioFormat
from riffcomposer.song.curve_fields import GainDb, Pan
from riffcomposer.song.effects import ChainEntry
from riffcomposer.song.fields import LengthText, MeterText, PositiveLengthText, StrictModel
from riffcomposer.song.score_language import Score
from riffcomposer.song.settings_language import (
    PROMPT_TEXT,
    Name,
    Point,
    Prompt,
    Seed,
    Settings,
    Sound,
    Tempo,
)

MODEL_PATTERN = r"^(default|[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*@[0-9a-f]{40}|\.\.?/.*|\.)$"

MAX_LAYERS = 16
"""Most layers of a section."""


class Layer(Sound):
    """One of several renders that sound together; keys that it leaves out come from the section."""

    name: Name = Field(description="Name of the layer, unique in its section.", examples=["drums"])
    score: Score | None = Field(
        None,
        description="Which parts of the section's score this layer hears, as a list of roles; the section is "
        "composed once for all of its layers. Default: all of them.",
        examples=[{"parts": ["drums"]}],
    )
    prompt: Prompt | None = Field(
        None,
        description="What this layer plays, in words. Default: the section's.",
        examples=["dusty drums with brushes"],
    )
    walk: list[Point] | None = Field(
        None,
        min_length=2,
        max_length=1000,
        description="Points that this layer walks through, 2 to 1000. Default: the section's, unless the "
        "layer has a prompt.",
        examples=[[{"prompt": "felt piano"}, {"prompt": "grand piano"}]],
    )
    seed: Seed | None = Field(
        None, description="Decides the noise, 0 to 2^63 - 1. Default: the section's.", examples=[7]
    )
    gain_db: GainDb | None = Field(
        None,
        description="Gain of the layer in dB, -60 (silent) to 24, or points by bar. Default: 0.",
        examples=[-2, {"0": -20, "8": 0}],
    )
    pan: Pan | None = Field(
        None,
        description="Where the layer is between left (-1) and right (1), with equal power; or points by bar. "
        "Default: 0.",
        examples=[-0.3, {"0": -0.5, "4": 0.5}],
    )
    from_energy: float | None = Field(
        None,
        ge=0,
        le=1,
        description="The layer is heard only in bars that begin with at least this energy (see `energy` of "
        "the section's `score`); it comes in over the bar before and goes out over the bar after. 0 to 1. "
        "Default: it is heard throughout.",
        examples=[0.6],
    )
    fade_in: LengthText | None = Field(
        None,
        description="Fade in over this length at the section's start. Default: none.",
        examples=["2 bars"],
    )
    fade_out: LengthText | None = Field(
        None,
        description="Fade out over this length at the section's end. Default: none.",
        examples=["4 bars"],
    )
    chain: list[ChainEntry] | None = Field(
        None,
        max_length=32,
        description="Effects for this layer alone, in order, at most 32. Default: none.",
        examples=[[{"highpass": {"cutoff_frequency_hz": 200}}]],
    )


class Section(Settings):
    """A part of the song. Without `walk` it has one prompt and walks over seeds."""

    name: Name | None = Field(
        None,
        description="Unique name, for `use` and for messages. Default: a name by position.",
        examples=["verse"],
    )
    use: Name | None = Field(
        None,
        description="Play the section of this name again; each key stated here replaces that section's. "
        "Default: nothing.",
        examples=["verse"],
    )
    prompt: Prompt | None = Field(None, description=PROMPT_TEXT, examples=["lo-fi hip hop beat with rhodes"])
    walk: list[Point] | None = Field(
        None,
        min_length=2,
        max_length=1000,
        description="Points to walk through, 2 to 1000, with `interpolation_steps` clips for each leg. "
        "Default: one prompt and its seeds.",
        examples=[
            [{"prompt": "church bells on sunday", "seed": 3}, {"prompt": "jazz piano trio", "seed": 3}]
        ],
    )
    seed: Seed | None = Field(
        None, description="Decides the noise, 0 to 2^63 - 1. Default: the song's seed.", examples=[7]
    )
    bars: float | None = Field(
        None,
        gt=0,
        le=100_000,
        description="Length in bars, above 0, at most 100000; or say `clips` or `duration`. Default: "
        "for a walk its own length, else one of the three is needed.",
        examples=[16],
    )
    clips: int | None = Field(
        None, ge=1, le=100_000, description="Length in clips, 1 to 100000. Default: see `bars`.", examples=[4]
    )
    duration: PositiveLengthText | None = Field(
        None, description="Length in time or bars, at most 24h. Default: see `bars`.", examples=["20s"]
    )
    fade_in: LengthText | None = Field(
        None, description="Fade in over this length at the start. Default: none.", examples=["2 bars"]
    )
    fade_out: LengthText | None = Field(
        None, description="Fade out over this length at the end. Default: none.", examples=["4 bars"]
    )
    gain_db: GainDb | None = Field(
        None,
        description="Gain of the section in dB, -60 (silent) to 24, or points by bar. Default: 0.",
        examples=[-2, {"0": -12, "8": 0, "ease": "ease"}],
    )
    chain: list[ChainEntry] | None = Field(
        None,
        max_length=32,
        description="Effects for this section alone, in order, at most 32. Default: none.",
        examples=[[{"lowpass": {"cutoff_frequency_hz": 2000}}]],
    )
    layers: list[Layer] | None = Field(
        None,
        min_length=1,
        max_length=MAX_LAYERS,
        description="Renders that sound together, 2 to 16, on the section's bars; a section reached by `use` "
        "adds to them by name. Default: the section is one render.",
        examples=[
            [
                {"name": "drums", "prompt": "dusty drums with brushes", "score": {"parts": ["drums"]}},
                {"name": "band", "prompt": "rhodes and upright bass", "score": {"parts": ["bass", "comp"]}},
            ]
        ],
    )


class Master(StrictModel):
    """The last stage: an effect chain, a loudness target and a true-peak ceiling."""

    chain: list[ChainEntry] = Field(
        [],
        max_length=32,
        description="Effects for the whole track, in order, at most 32.",
        examples=[
            [{"highpass": {"cutoff_frequency_hz": 30}}, {"compressor": {"threshold_db": -18, "ratio": 2}}]
        ],
    )
    integrated_lufs: float = Field(
        -14,
        ge=-50,
        le=-5,
        description="Loudness of the track in LUFS (ITU-R BS.1770), -50 to -5.",
        examples=[-16],
    )
    true_peak_dbtp: float = Field(
        -1, ge=-20, le=0, description="Ceiling of the true peak in dBTP, -20 to 0.", examples=[-1]
    )


class Output(StrictModel):
    """The files to write, and how the sound is decoded."""

    formats: list[AudioFormat] = Field(
        ["flac"],
        min_length=1,
        max_length=4,
        description="File formats, one to four of wav (24 bit), flac, mp3, ogg.",
        examples=[["flac", "mp3"]],
        json_schema_extra={"uniqueItems": True},
    )
    stereo_width: float = Field(
        0.3, ge=0, le=1, description="Width of the stereo picture: 0 is mono, 1 very wide.", examples=[0.4]
    )
    decoder: Literal["fast", "default", "best"] = Field(
        "default",
        description="Effort of finding the sound's phase: `fast`, `default` or `best`.",
        examples=["best"],
    )
    bandwidth: Literal["image", "extended"] = Field(
        "image",
        description="What is above the images' highest frequency, 10 kHz for the usual models: `image` is "
        "nothing, `extended` fills it up to 16 kHz with softer copies of the band below.",
        examples=["extended"],
    )


class Song(StrictModel):
    """A song: sections in order, what they share, and how the track is finished."""

    title: str = Field(
        "Untitled",
        min_length=1,
        max_length=200,
        description="Title of the track.",
        examples=["Night Bus Home"],
    )
    tempo: Tempo = Field(
        93.75,
        description="Quarter notes per minute (BPM), 20 to 400. Loops are fitted to it and keep their pitch.",
        examples=[93.75],
    )
    meter: MeterText = Field("4/4", description="Time signature.", examples=["3/4"])  # type: ignore[assignment]
    seed: Seed = Field(
        0, description="Every random draw of the song derives from it, 0 to 2^63 - 1.", examples=[20261121]
    )
    model: str = Field(
        "default",
        max_length=500,
        pattern=MODEL_PATTERN,
        description="`default` (the model that ships with riffcomposer), `org/name@` and a commit of 40 "
        "hex digits, or `./folder` beside the song.",
        examples=["default", "./models/mine"],
    )
    defaults: Settings = Field(
        default_factory=Settings.model_construct,
        description="Settings for every section that does not state its own.",
        examples=[{"init": "lofi-keys", "strength": 0.55}],
    )
    sections: list[Section] = Field(
        min_length=1,
        max_length=1000,
        description="The parts of the song in order, 1 to 1000.",
        examples=[[{"name": "intro", "prompt": "soft rhodes chords, rainy night", "bars": 8}]],
    )
    master: Master = Field(
        default_factory=Master.model_construct,
        description="How the track is finished.",
        examples=[{"integrated_lufs": -16}],
    )
    output: Output = Field(
        default_factory=Output.model_construct,
        description="The files to write.",
        examples=[{"formats": ["flac", "mp3"]}],
    )
    loop: bool = Field(
        False,
        description="Join the end of the track to its start, so that it repeats without a gap.",
        examples=[True],
    )
    length: PositiveLengthText | None = Field(
        None,
        description="Fill this time by repeating the sections with further seeds; at most 24h. "
        "Default: once through.",
        examples=["1h"],
    )
