"""What a report says of a track's movement: its figures, those of human music beside them, and a verdict."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from riffcomposer.mix.movement import MIN_STEPS, STEP_SECONDS, Movement, WindowFigures

HUMAN = {
    "tracks": 19,
    "new_harmony": 0.43,
    "new_harmony_quartiles": [0.28, 0.60],
    "two_steps_earlier": 0.56,
    "all_pairs": 0.58,
    "texture_db": 5.7,
    "texture_db_quartiles": [3.6, 7.2],
}
"""Medians and quartiles of 19 tracks of human background music, measured over 61.44 s each."""

LOOP_IS_HEARD = 0.9
"""Similarity of bars one clip apart, and of two minutes, above which they are heard as the same."""

MINUTES_FROM_S = 180
"""Length of a track in seconds from which its minutes are worth a word."""


def movement_report(movement: Movement, seconds: float) -> dict[str, Any]:
    """The movement of a track for JSON.

    Args:
        movement: What was measured.
        seconds: Length of the track.

    Returns:
        `excerpt`, `windows` (`count`, `median`, `worst`), `bars` and `minutes` (see
        `riffcomposer.mix.movement`; None where the track is too short for them), `human`, and the
        `verdict` in words.
    """
    median, worst = movement.median, movement.worst
    return {
        "excerpt": _rounded(movement.excerpt),
        "windows": {
            "count": len(movement.windows),
            "median": _rounded(median),
            "worst": _rounded(worst),
        },
        "bars": _rounded(movement.bars),
        "minutes": _rounded(movement.minutes),
        "human": HUMAN,
        "verdict": _verdict(movement, median, seconds),
    }


def movement_line(report: dict[str, Any]) -> str:
    """The movement in one line, from what `movement_report` returns."""
    median = report["windows"]["median"]
    if median is None:
        return f"movement: {report['verdict']}"
    human = report["human"]
    return (
        f"movement: new harmony {median['new_harmony']:.2f} (human music {human['new_harmony']:.2f}), "
        f"two steps earlier {median['two_steps_earlier']:.2f} ({human['two_steps_earlier']:.2f}), "
        f"texture {median['texture_db']:.1f} dB ({human['texture_db']:.1f}): {report['verdict']}"
    )


def _verdict(movement: Movement, median: WindowFigures | None, seconds: float) -> str:
    if median is None:
        needed = MIN_STEPS * STEP_SECONDS / 0.9
        return f"too short to tell, which takes {needed:.0f} s"
    harmony = _compared(median.new_harmony, HUMAN["new_harmony_quartiles"])
    texture = _compared(median.texture_db, HUMAN["texture_db_quartiles"])
    if harmony == texture:
        parts = [f"harmony and texture move {harmony}"]
    else:
        parts = [f"harmony moves {harmony}, texture {texture}"]
    bars, minutes = movement.bars, movement.minutes
    if bars is not None and bars.loop_earlier >= LOOP_IS_HEARD:
        parts.append(f"bars repeat those a clip earlier ({bars.loop_earlier:.2f})")
    if minutes is not None and seconds >= MINUTES_FROM_S:
        if minutes.greatest >= LOOP_IS_HEARD:
            first, second = _clock(minutes.first_s), _clock(minutes.second_s)
            parts.append(
                f"the minutes from {first} and {second} have the same harmony ({minutes.greatest:.2f})"
            )
        else:
            parts.append(f"no two minutes have the same harmony (at most {minutes.greatest:.2f})")
    return "; ".join(parts)


def _compared(value: float, quartiles: Any) -> str:
    low, high = quartiles
    if value < low:
        return "less than in three of four human tracks"
    return "more than in three of four human tracks" if value > high else "as in human music"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"


def _rounded(figures: Any) -> dict[str, Any] | None:
    if figures is None:
        return None
    return {
        key: round(value, 3) if isinstance(value, float) else value for key, value in asdict(figures).items()
    }
