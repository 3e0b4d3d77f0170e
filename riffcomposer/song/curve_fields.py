"""Numbers of a song that may move: one number, or points by bar with an ease.

`gain_db: -3` and `gain_db: {0: -12, 8: 0, ease: ease}` are the same grammar everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError, PydanticKnownError

from riffcomposer.curves import EASES, Curve
from riffcomposer.text import shorten
from riffcomposer.units import exact

MAX_POINTS = 64
"""Most points of a curve."""

_BAR_KEY = r"^[0-9]+(\.[0-9]+)?$"


def _number(value: object, low: float, high: float) -> float:
    """Checks a plain number; faults have pydantic's types, so that they read as those of other numbers."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PydanticCustomError("curve_type", "must be a number, or points by bar")
    if not math.isfinite(value):
        raise PydanticKnownError("finite_number")
    if value < low:
        raise PydanticKnownError("greater_than_equal", {"ge": low})
    if value > high:
        raise PydanticKnownError("less_than_equal", {"le": high})
    return float(value)


def _point(value: object, low: float, high: float, bar: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"must be {low:g} to {high:g} at bar {shorten(bar)} (got {shorten(value)})")
    return float(value)


def _bar(text: object) -> Fraction:
    try:
        bar = exact(text) if isinstance(text, str) else Fraction(-1)
    except ValueError:
        bar = Fraction(-1)
    if not 0 <= bar <= 100_000:
        raise ValueError(f"must have bars as its keys, such as {{0: 0.2, 8: 0.7}} (got {shorten(text)})")
    return bar


def read_curve(value: object, low: float, high: float) -> Curve:
    """Reads a number, or a mapping of bars to numbers with an `ease`.

    Raises:
        ValueError, PydanticKnownError, PydanticCustomError: It is neither, or a number is outside `low` to
            `high`.
    """
    if isinstance(value, Curve):
        return value
    if not isinstance(value, Mapping):
        return Curve.level(_number(value, low, high))
    ease = value.get("ease", "linear")
    if ease not in EASES:
        raise ValueError(f"must have an ease of {', '.join(EASES)} (got {shorten(ease)})")
    points = [(_bar(bar), _point(number, low, high, bar)) for bar, number in value.items() if bar != "ease"]
    if len(points) > MAX_POINTS:
        raise ValueError(f"must have at most {MAX_POINTS} points (got {len(points)})")
    bars = [bar for bar, _ in points]
    if len(set(bars)) < len(bars):
        raise ValueError("must name each bar once")
    return Curve(tuple(sorted(points)), ease)


def curve_schema(low: float, high: float) -> dict[str, Any]:
    """The JSON Schema of a number from `low` to `high`, or points of such numbers by bar."""
    number = {"type": "number", "minimum": low, "maximum": high}
    points = {
        "type": "object",
        "patternProperties": {_BAR_KEY: number},
        "properties": {"ease": {"enum": list(EASES), "default": "linear"}},
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": MAX_POINTS + 1,
    }
    return {"anyOf": [number, points]}


def _curve(low: float, high: float) -> PlainValidator:
    return PlainValidator(lambda value: read_curve(value, low, high))


Energy = Annotated[Curve, _curve(0, 1), WithJsonSchema(curve_schema(0, 1))]
"""0 to 1."""

Strength = Annotated[Curve, _curve(0, 1), WithJsonSchema(curve_schema(0, 1))]
"""0 to 1."""

GuidanceScale = Annotated[Curve, _curve(0, 50), WithJsonSchema(curve_schema(0, 50))]
"""0 to 50."""

GainDb = Annotated[Curve, _curve(-60, 24), WithJsonSchema(curve_schema(-60, 24))]
"""-60 to 24 dB."""

Pan = Annotated[Curve, _curve(-1, 1), WithJsonSchema(curve_schema(-1, 1))]
"""From -1 (left) to 1 (right)."""
