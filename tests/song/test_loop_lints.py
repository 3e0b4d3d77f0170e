"""Loops that cannot join, said before anything is planned."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from riffcomposer.song.loop_lints import lint_loop
from riffcomposer.song.reader import LoadedSong


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("loop: true\noutput: {formats: [mp3]}\n", ["loop-as-mp3"]),
        ("loop: true\noutput: {formats: [mp3, ogg]}\n", []),
        ("loop: true\n", []),
        ("output: {formats: [mp3]}\n", []),
    ],
)
def test_a_loop_as_mp3_alone(text: str, codes: list[str], load: Callable[[str], LoadedSong]) -> None:
    found = list(lint_loop(load(text + "sections:\n  - {prompt: a, bars: 8}\n")))
    assert [item.code for item in found] == codes
    assert all(item.source[item.column - 1 : item.end_column - 1] == "[mp3]" for item in found)
