"""How diagnostics look: for people, for programs, for GitHub."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riffcomposer.diagnostics import Diagnostic, format_github, format_text, in_order, to_json
from riffcomposer.errors import MAX_DIAGNOSTICS, SongError
from riffcomposer.text import did_you_mean, printable, shorten

Faults = Callable[[str], list[Diagnostic]]


def test_the_documented_form(faults_in: Faults) -> None:
    text = "\n" * 9 + "sections:\n  - prompt: jazz\n    bars: 8\n    init: keys\n    strength: 1.7\n"
    assert format_text(faults_in(text)) == (
        "song.yaml:14:15: error: strength must be at most 1 (got 1.7)\n"
        "   14 |     strength: 1.7\n"
        "      |               ^^^"
    )


def test_a_hint_follows_the_message(faults_in: Faults) -> None:
    (fault,) = faults_in("sections:\n  - promt: jazz\n    bars: 8\n")
    assert (
        format_text([fault]).splitlines()[0]
        == "song.yaml:2:5: error: unknown key 'promt'; did you mean 'prompt'?"
    )


def test_carets_stand_under_wide_text(faults_in: Faults) -> None:
    text = "sections: [{x-名: 日本, bars: 0, prompt: jazz}]\n"
    source, carets = format_text(faults_in(text)).splitlines()[1:]
    # Each of the three wide characters before the token takes two columns.
    assert carets.index("^") == source.index("0") + 3


def test_long_lines_are_cut_around_the_token(faults_in: Faults) -> None:
    text = "sections: [{x-a: " + "a" * 500 + ", bars: 0, x-b: " + "b" * 500 + ", prompt: jazz}]\n"
    source, carets = format_text(faults_in(text)).splitlines()[1:]
    assert len(source) < 200
    assert source[carets.index("^")] == "0"


def test_github_escapes() -> None:
    fault = Diagnostic(
        "error",
        "c",
        "50% off:\r\nnow, here",
        hint="100%",
        file="a,b:c.yaml",
        line=3,
        column=5,
        end_column=7,
        source="x",
    )
    assert format_github([fault]) == (
        "::error file=a%2Cb%3Ac.yaml,line=3,endLine=3,col=5,endColumn=7,title=c::50%25 off:��now, here; "
        "100%25"
    )


def test_github_without_a_line() -> None:
    fault = Diagnostic("warning", "c", "m", file="f.yaml")
    assert format_github([fault]) == "::warning file=f.yaml,title=c::m"


def test_json_has_every_field(faults_in: Faults) -> None:
    (fault,) = faults_in("sections: []\n")
    assert to_json(fault) == {
        "severity": "error", "code": "wrong-length", "message": "sections must have at least 1 item",
        "file": "song.yaml", "line": 1, "column": 11, "end_column": 13, "source": "sections: []", "hint": "",
    }  # fmt: skip


@given(st.text(max_size=80))
def test_nothing_unprintable_is_printed(text: str) -> None:
    fault = Diagnostic("error", text, text, hint=text, file=text, line=1, column=1, end_column=2, source=text)
    for shown in (
        printable(text),
        format_text([fault]),
        format_github([fault]),
        *map(str, to_json(fault).values()),
    ):
        assert not set(shown.replace("\n", "")) & set(
            map(chr, [*range(32), *range(127, 160), 0x202E, 0x2066])
        )
    assert len(printable(text)) == len(text)


def test_sorted_and_once() -> None:
    late = Diagnostic("error", "c", "b", file="f", line=9, column=1, end_column=2)
    early = Diagnostic("warning", "c", "a", file="f", line=2, column=7, end_column=8)
    assert in_order([late, early, late]) == [early, late]


def test_what_two_sections_inherit_is_said_once() -> None:
    first = Diagnostic("warning", "c", "m", ("sections", 0), file="f", line=2, column=1, end_column=2)
    assert in_order([first, replace(first, path=("sections", 1))]) == [first]


def test_without_a_file_a_diagnostic_is_its_sentence() -> None:
    error = SongError.fault("c", "the tempo is odd", ("tempo",), "write another")
    assert str(error) == "the tempo is odd; write another"
    assert error.diagnostics[0].path == ("tempo",)


def test_too_many_faults_are_counted() -> None:
    faults = [
        Diagnostic("error", "c", "m", file="f", line=line, column=1, end_column=2)
        for line in range(1, MAX_DIAGNOSTICS + 6)
    ]
    error = SongError.of(faults)
    assert len(error.diagnostics) == MAX_DIAGNOSTICS + 1
    assert "5 more faults" in str(error)


@pytest.mark.parametrize(
    ("word", "candidates", "hint"),
    [
        ("strenght", ["strength", "seed"], "did you mean 'strength'?"),
        ("PROMPT", ["prompt"], "did you mean 'prompt'?"),
        ("zzz", ["prompt"], ""),
        ("x" * 5000, ["x" * 4999], ""),
        (3, ["3"], ""),
    ],
)
def test_did_you_mean(word: object, candidates: list[str], hint: str) -> None:
    assert did_you_mean(word, candidates) == hint


def test_shorten() -> None:
    assert shorten("a" * 100) == "'" + "a" * 39 + "…'"
    assert shorten(True) == "true"
    assert shorten({"a": 1}) == "a mapping"
    assert shorten(1.7) == "1.7"


@pytest.mark.parametrize("before", ["夜", "e\u0301e", "✏\ufe0fe", "กีก", "가"])
def test_carets_are_under_the_word_on_a_terminal(before: str) -> None:
    source = f"{before}: x"
    column = len(before) + 3
    found = Diagnostic(
        "error", "code", "m", file="song.yaml", line=1, column=column, end_column=column + 1, source=source
    )
    carets = format_text([found]).splitlines()[2]
    assert carets == "      | " + " " * 4 + "^"
