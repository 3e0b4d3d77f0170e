"""The strict base model of the language, and its texts with units.

Conventions: a song's numbers are plain YAML numbers, its lengths are texts with a unit
(`2 bars`, `20s`). Models are strict: a text never becomes a number in silence, unknown keys are
refused (keys that begin with `x-` are the user's own and are taken out before validation).
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainValidator, WithJsonSchema

from riffcomposer.units import Length, Meter

MAX_LENGTH_SECONDS = 24 * 3600
MAX_LENGTH_BARS = 100_000
MAX_LENGTH_BEATS = 1_000_000

_LENGTH_SCHEMA = {
    "type": "string",
    "pattern": r"^\s*[0-9]+(\.[0-9]+)?\s*(bars|bar|beats|beat|ms|s|min|h)\s*$",
    "maxLength": 32,
}
_MOST = {"seconds": MAX_LENGTH_SECONDS, "bars": MAX_LENGTH_BARS, "beats": MAX_LENGTH_BEATS}


class StrictModel(BaseModel):
    """The base of every mapping of the song language: no conversions, no unknown keys, immutable."""

    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, allow_inf_nan=False, validate_default=True, defer_build=True
    )


def _length(value: object) -> Length:
    if isinstance(value, Length):
        return value
    if not isinstance(value, str):
        raise ValueError("must be a length with its unit, such as '2 bars', '3 beats', '20s', '3min' or '1h'")
    if len(value) > 32:
        raise ValueError("is too long for a length; write for instance '2 bars' or '20s'")
    length = Length.parse(value)
    if length.value > _MOST[length.unit]:
        raise ValueError(
            f"must be at most 24h, {MAX_LENGTH_BARS:,} bars or {MAX_LENGTH_BEATS:,} beats (got "
            f"{value.strip()})"
        )
    return length


def _positive_length(value: object) -> Length:
    length = _length(value)
    if length.value == 0:
        raise ValueError("must be longer than 0")
    return length


def _meter(value: object) -> Meter:
    if isinstance(value, Meter):
        return value
    if not isinstance(value, str):
        raise ValueError("must be a time signature such as 4/4, 3/4 or 6/8")
    return Meter.parse(value)


LengthText = Annotated[Length, PlainValidator(_length), WithJsonSchema(_LENGTH_SCHEMA)]
"""A length such as `2 bars`, `3 beats`, `250ms`, `20s`, `3min` or `1h`, from 0 to 24 hours."""

PositiveLengthText = Annotated[Length, PlainValidator(_positive_length), WithJsonSchema(_LENGTH_SCHEMA)]
"""A `LengthText` longer than 0."""

MeterText = Annotated[
    Meter,
    PlainValidator(_meter),
    WithJsonSchema({"type": "string", "pattern": r"^\s*([1-9]|1[0-6])/(2|4|8|16)\s*$"}),
]
"""A time signature: 1 to 16 beats of a half, quarter, eighth or sixteenth note."""


def short_form(key: str) -> BeforeValidator:
    """Lets a plain text replace a mapping with only `key`: `cut` means `{type: cut}`."""

    def expand(value: object) -> object:
        return {key: value} if isinstance(value, str) else value

    return BeforeValidator(expand)
