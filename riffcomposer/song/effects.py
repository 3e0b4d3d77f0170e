"""The effects a song may put into a chain: an explicit map from name to parameters.

A number among them may move: a song writes points by bar in its place.

Parameter names, meanings and defaults are pedalboard's, so its documentation applies here too. A
song can name nothing outside this map: there is no look-up by attribute and no plugin path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, get_args

from pydantic import Field, ValidationInfo, ValidatorFunctionWrapHandler, field_validator

from riffcomposer.curves import Curve
from riffcomposer.song.curve_fields import curve_schema, read_curve
from riffcomposer.song.fields import StrictModel


@dataclass(frozen=True)
class Effect:
    """One effect of a chain with a value for every parameter.

    Attributes:
        name: A key of `EFFECTS`.
        parameters: Pairs of pedalboard's parameter name and value, in the order of the model; a curve where
            the value moves.
    """

    name: str
    parameters: tuple[tuple[str, float | str | Curve], ...]

    def mapped(self, position: Callable[[Fraction], int]) -> Effect:
        """The same effect with its curves over samples; `position` returns the sample of a bar."""
        return Effect(
            self.name,
            tuple(
                (name, value.mapped(position) if isinstance(value, Curve) else value)
                for name, value in self.parameters
            ),
        )

    @property
    def plain(self) -> list[Any]:
        """Name and parameters as plain data."""
        return [
            self.name,
            [[name, value.plain if isinstance(value, Curve) else value] for name, value in self.parameters],
        ]


class Parameters(StrictModel):
    """The parameters of an effect; a number may be points by bar, within the same bounds."""

    @field_validator("*", mode="wrap")
    @classmethod
    def _moving(cls, value: object, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> object:
        if not isinstance(value, Mapping) or info.field_name is None:
            return handler(value)
        bounds = cls.model_fields[info.field_name].metadata
        low = next((each.ge for each in bounds if hasattr(each, "ge")), None)
        high = next((each.le for each in bounds if hasattr(each, "le")), None)
        if low is None or high is None:
            return handler(value)
        curve = read_curve(value, low, high)
        return curve.values[0] if curve.is_level else curve


def _number(default: float, low: float, high: float, description: str, example: float) -> Any:
    def moving(schema: dict[str, Any]) -> None:
        for key in ("type", "minimum", "maximum"):
            schema.pop(key)
        schema.update(curve_schema(low, high))

    return Field(
        default,
        ge=low,
        le=high,
        description=f"{description} {low:g} to {high:g}.",
        examples=[example],
        json_schema_extra=moving,
    )


def _cutoff(default: float, example: float) -> Any:
    return _number(default, 10, 20000, "Corner frequency in Hz.", example)


def _q() -> Any:
    return _number(0.7071067690849304, 0.05, 20, "Width of the band: higher is narrower.", 1.0)


def _band_gain() -> Any:
    return _number(0, -36, 36, "Gain of the band in dB.", -3)


def _mix(default: float = 0.5) -> Any:
    return _number(
        default, 0, 1, "Share of the effect in the output: 0 is the dry sound, 1 the effect alone.", 0.3
    )


class Highpass(Parameters):
    """Attenuates what is below the corner frequency, by 6 dB per octave."""

    cutoff_frequency_hz: float = _cutoff(50, 30)


class Lowpass(Parameters):
    """Attenuates what is above the corner frequency, by 6 dB per octave."""

    cutoff_frequency_hz: float = _cutoff(50, 6000)


class Peak(Parameters):
    """Raises or lowers a band around a frequency."""

    cutoff_frequency_hz: float = _cutoff(440, 300)
    gain_db: float = _band_gain()
    q: float = _q()


class LowShelf(Parameters):
    """Raises or lowers everything below a frequency."""

    cutoff_frequency_hz: float = _cutoff(440, 120)
    gain_db: float = _band_gain()
    q: float = _q()


class HighShelf(Parameters):
    """Raises or lowers everything above a frequency."""

    cutoff_frequency_hz: float = _cutoff(440, 5000)
    gain_db: float = _band_gain()
    q: float = _q()


class Compressor(Parameters):
    """Turns the sound down where it is louder than the threshold."""

    threshold_db: float = _number(0, -80, 0, "Level above which the sound is turned down, in dBFS.", -18)
    ratio: float = _number(1, 1, 100, "Decibels of input per decibel of output above the threshold.", 2)
    attack_ms: float = _number(1, 0.01, 2000, "Time until the sound is turned down, in milliseconds.", 10)
    release_ms: float = _number(
        100, 0.1, 10000, "Time until the sound has its own level again, in milliseconds.", 150
    )


class NoiseGate(Parameters):
    """Turns the sound down where it is softer than the threshold."""

    threshold_db: float = _number(-100, -120, 0, "Level below which the sound is turned down, in dBFS.", -60)
    ratio: float = _number(10, 1, 100, "How strongly the sound is turned down.", 4)
    attack_ms: float = _number(1, 0.01, 2000, "Time until the gate opens, in milliseconds.", 2)
    release_ms: float = _number(100, 0.1, 10000, "Time until the gate closes, in milliseconds.", 200)


class Gain(Parameters):
    """Makes the sound louder or softer."""

    gain_db: float = _number(1, -60, 36, "Gain in dB.", -2)


class Reverb(Parameters):
    """Adds the reverberation of a room."""

    room_size: float = _number(0.5, 0, 1, "Size of the room.", 0.2)
    damping: float = _number(0.5, 0, 1, "How much treble the walls absorb.", 0.6)
    wet_level: float = _number(0.33, 0, 1, "Level of the room.", 0.08)
    dry_level: float = _number(0.4, 0, 1, "Level of the direct sound; 0.5 keeps it unchanged.", 0.5)
    width: float = _number(1, 0, 1, "Stereo width of the room.", 1)
    freeze_mode: float = _number(0, 0, 1, "From 0.5 up, the reverberation never decays.", 0)


class Chorus(Parameters):
    """Adds slightly detuned copies of the sound."""

    rate_hz: float = _number(1, 0, 99, "Speed of the modulation in Hz.", 0.6)
    depth: float = _number(0.25, 0, 1, "Depth of the modulation.", 0.2)
    centre_delay_ms: float = _number(7, 1, 99, "Delay of the copies in milliseconds; 7 to 8 is usual.", 8)
    feedback: float = _number(0, -0.95, 0.95, "How much comes round again.", 0.1)
    mix: float = _mix()


class Phaser(Parameters):
    """Sweeps notches through the spectrum."""

    rate_hz: float = _number(1, 0, 99, "Speed of the sweep in Hz.", 0.2)
    depth: float = _number(0.5, 0, 1, "Depth of the sweep.", 0.4)
    centre_frequency_hz: float = _number(1300, 20, 20000, "Centre of the sweep in Hz.", 1000)
    feedback: float = _number(0, -0.95, 0.95, "How much comes round again.", 0.2)
    mix: float = _mix()


class Delay(Parameters):
    """Adds an echo."""

    delay_seconds: float = _number(0.5, 0, 10, "Time to the first echo in seconds.", 0.48)
    feedback: float = _number(0, 0, 0.95, "Share of an echo that is fed back.", 0.35)
    mix: float = _mix()


class Distortion(Parameters):
    """Distorts the sound by a tanh curve."""

    drive_db: float = _number(25, 0, 60, "Gain before the curve in dB.", 6)


class Clipping(Parameters):
    """Clips the sound hard at a level."""

    threshold_db: float = _number(-6, -60, 0, "Level at which the sound is clipped, in dBFS.", -3)


class Bitcrush(Parameters):
    """Reduces the bits per sample."""

    bit_depth: float = _number(8, 1, 32, "Bits per sample that remain.", 12)


class LadderFilter(Parameters):
    """Filters like an analogue ladder filter, with resonance and drive."""

    mode: Literal["LPF12", "HPF12", "BPF12", "LPF24", "HPF24", "BPF24"] = Field(
        "LPF12", description="Low-, high- or band-pass, 12 or 24 dB per octave.", examples=["LPF24"]
    )
    cutoff_hz: float = _number(200, 10, 20000, "Corner frequency in Hz.", 1200)
    resonance: float = _number(0, 0, 1, "Peak at the corner; at 1 the filter oscillates by itself.", 0.2)
    drive: float = _number(1, 1, 20, "Saturation; 1 is clean.", 1.5)


class ChainEntry(StrictModel):
    """One effect of a chain: a mapping with the effect's name as its only key."""

    highpass: Highpass | None = Field(
        None, description=Highpass.__doc__, examples=[{"cutoff_frequency_hz": 30}]
    )
    lowpass: Lowpass | None = Field(
        None, description=Lowpass.__doc__, examples=[{"cutoff_frequency_hz": 6000}]
    )
    peak: Peak | None = Field(
        None, description=Peak.__doc__, examples=[{"cutoff_frequency_hz": 300, "gain_db": -3, "q": 1}]
    )
    low_shelf: LowShelf | None = Field(
        None, description=LowShelf.__doc__, examples=[{"cutoff_frequency_hz": 120, "gain_db": 2}]
    )
    high_shelf: HighShelf | None = Field(
        None, description=HighShelf.__doc__, examples=[{"cutoff_frequency_hz": 5000, "gain_db": -3}]
    )
    compressor: Compressor | None = Field(
        None, description=Compressor.__doc__, examples=[{"threshold_db": -18, "ratio": 2}]
    )
    noise_gate: NoiseGate | None = Field(
        None, description=NoiseGate.__doc__, examples=[{"threshold_db": -60}]
    )
    gain: Gain | None = Field(None, description=Gain.__doc__, examples=[{"gain_db": -2}])
    reverb: Reverb | None = Field(
        None, description=Reverb.__doc__, examples=[{"room_size": 0.2, "wet_level": 0.08}]
    )
    chorus: Chorus | None = Field(None, description=Chorus.__doc__, examples=[{"rate_hz": 0.6, "mix": 0.3}])
    phaser: Phaser | None = Field(None, description=Phaser.__doc__, examples=[{"rate_hz": 0.2, "mix": 0.3}])
    delay: Delay | None = Field(
        None, description=Delay.__doc__, examples=[{"delay_seconds": 0.48, "mix": 0.2}]
    )
    distortion: Distortion | None = Field(None, description=Distortion.__doc__, examples=[{"drive_db": 6}])
    clipping: Clipping | None = Field(None, description=Clipping.__doc__, examples=[{"threshold_db": -3}])
    bitcrush: Bitcrush | None = Field(None, description=Bitcrush.__doc__, examples=[{"bit_depth": 12}])
    ladder_filter: LadderFilter | None = Field(
        None, description=LadderFilter.__doc__, examples=[{"mode": "LPF24", "cutoff_hz": 1200}]
    )

    def effect(self) -> Effect:
        """Returns the one effect that is stated, with its defaults filled in."""
        (name,) = self.model_fields_set
        model: Parameters = getattr(self, name)
        return Effect(name, tuple((key, getattr(model, key)) for key in type(model).model_fields))


EFFECTS: dict[str, type[Parameters]] = {
    name: get_args(field.annotation)[0] for name, field in ChainEntry.model_fields.items()
}
"""Every effect by the name a song calls it."""
