"""Explains what is wrong with a text that is not YAML.

PyYAML's two parsers word their problems differently, and so may other versions of them. So the
line itself is searched for common mistakes first; PyYAML's words are the last resort.
"""

from __future__ import annotations

import re

import yaml

from riffcomposer.diagnostics import Span
from riffcomposer.song.yaml_text import UnreadableYaml, odd_blank, odd_blank_between
from riffcomposer.text import printable

CODE = "yaml-syntax"

# Each part of these begins with a character that the part before cannot end with: no line, however long
# and hostile, takes more than one pass.
_BEFORE = r"[ \t]*(?:-[ \t]+)*"
_FULL_WIDTH_COLON = re.compile(_BEFORE + r"\w[\w-]*[ \t]*(?P<colon>[\uff1a\ufe55\ua789\u2236])")
_NO_BLANK = re.compile(_BEFORE + r"(?P<key>[a-z][a-z_-]*):(?P<value>[^\s/:].*)")
_VALUE = re.compile(_BEFORE + r"\w[\w-]*[ \t]*:[ \t]+(?P<value>\S.*)")
_UNKNOWN_ESCAPE = re.compile(
    r'[^"#]*"(?:[^"\\]|\\[0abt\tnvfre "/\\N_LPxuU])*(?P<escape>\\[^0abt\tnvfre "/\\N_LPxuU])'
)
_FENCE = re.compile(r"[ \t]*```")
_BULLET = re.compile(r"[ \t]*(?P<bullet>[\u2013\u2014\u2022\u2023\u00b7\u2219*])[ \t]+\S")
_KEY = re.compile(_BEFORE + r"\w[\w-]*[ \t]*")
_IN_QUOTES = "put the text in quotes"
_BEGINNINGS = (
    (r"[@`%]", "a value cannot begin with {0}", _IN_QUOTES),
    (r"[\u2018-\u201f\u00ab\u2039]", "{0} is not a quote in YAML", "write \" or '"),
    (r"[-?][ \t]", "{0} begins a list item or a key here, not a text", _IN_QUOTES),
    (r"&", "{0} begins an anchor here, not a text", _IN_QUOTES),
    (r"\*", "{0} begins an alias here, not a text", _IN_QUOTES),
    (r"!", "{0} begins a tag here, not a text", _IN_QUOTES),
    (
        r"[|>](?![-+0-9]*(?:[ \t]+#.*|[ \t]*)$)",
        "{0} begins a block: its text belongs on the next line",
        _IN_QUOTES,
    ),
    (r"\[[^\[\]]*\][ \t]*[^\s,#\]}]", "there is text after the end of this list", _IN_QUOTES),
    (r"\{[^{}]*\}[ \t]*[^\s,#\]}]", "there is text after the end of this mapping", _IN_QUOTES),
    (
        r"'(?:[^']|'')*'[ \t]*[^\s,#\]}'\"]",
        "there is text after the closing quote",
        "write '' for a ' within",
    ),
    (
        r"\"(?:[^\"\\]|\\.)*\"[ \t]*[^\s,#\]}\"]",
        "there is text after the closing quote",
        'write \\" for a " within',
    ),
)
_UNCLOSED = "found unexpected end of stream"
_WORDS = (
    (
        ("mapping values are not allowed",),
        "a colon is out of place here",
        "put a text that holds ': ' in quotes",
    ),
    (
        ("found unexpected ':'",),
        "no value follows this colon",
        "write a value after it, or put a text that holds ':' in quotes",
    ),
    (
        ("expected <document start>", "expected '<document start>'"),
        "the song is complete above this line",
        "a song is one mapping (title: ..., sections: ...)",
    ),
    (("found character that cannot start",), "this character cannot begin a value", _IN_QUOTES),
    (("found character '",), "this character cannot begin a value", _IN_QUOTES),
    (("could not find expected ':'",), "a ':' is missing after this key", ""),
    (
        ("did not find expected key", "expected <block end>"),
        "a key was expected here",
        "check the indentation and the brackets",
    ),
    (
        ("did not find expected '-' indicator",),
        "a list item (-) was expected here",
        "check the indentation",
    ),
    (
        ("did not find expected ',' or", "expected ',' or"),
        "a comma or a closing bracket is missing",
        "",
    ),
    ((_UNCLOSED,), "this quote is not closed", "close it at the end of the text"),
    (
        ("block sequence entries are not allowed", "sequence entries are not allowed"),
        "a list item (-) is out of place here",
        "check the indentation",
    ),
)
_FAR = 3
"""Lines above the parser's mark in which the mistake is looked for."""


def syntax_fault(error: yaml.MarkedYAMLError, lines: list[str]) -> UnreadableYaml:
    """Returns position, code, message and hint for an error of PyYAML's parsers.

    Args:
        error: The error.
        lines: The lines of the text.
    """
    mark = error.problem_mark or error.context_mark
    if error.context_mark is not None and _UNCLOSED in (error.problem or ""):
        mark = error.context_mark  # where the quote opens; the other mark is at the end of the song
    line, column = (mark.line, mark.column) if mark is not None else (0, 0)
    if line >= len(lines):
        line, column = len(lines) - 1, len(lines[-1])
    text = lines[line]
    if "\t" in text[: column + 1] and not text[: column + 1].strip(" \t-"):
        span = Span(line + 1, text.index("\t") + 1, text.index("\t") + 2)
        return UnreadableYaml(span, CODE, "a tab cannot indent YAML", "use spaces")
    first = line if error.context_mark is None else min(line, error.context_mark.line)
    for index in range(line, max(-1, min(first, line) - _FAR), -1):
        found = _seen_in(lines[index], index + 1)
        if found is not None:
            return found
    key = _KEY.match(text)
    if key is not None and key.end() == column and text[column : column + 1] == ":":
        span = Span(line + 1, key.end() + 1, key.end() + 2)
        hint = "check the indentation, or put a text of several lines in quotes"
        return UnreadableYaml(span, CODE, "this key cannot be here", hint)
    problem = error.problem or "no reason given"
    span = Span(line + 1, column + 1, column + 2)
    for parts, message, hint in _WORDS:
        if any(part in problem for part in parts):
            return UnreadableYaml(span, CODE, message, hint)
    return UnreadableYaml(span, CODE, f"this is not YAML ({printable(problem)})")


def _seen_in(line: str, number: int) -> UnreadableYaml | None:
    """Finds a common mistake in a line near a syntax error."""
    index = odd_blank_between(line)
    if index is not None:
        return odd_blank(number, index, line[index])
    if _FENCE.match(line):
        place = line.index("`")
        span = Span(number, place + 1, place + 4)
        return UnreadableYaml(span, CODE, "``` is Markdown, not YAML", "take the lines with ``` out")
    if match := _BULLET.match(line):
        place = match.start("bullet")
        message = f"{match['bullet']} begins no list item in YAML"
        return UnreadableYaml(Span(number, place + 1, place + 2), CODE, message, "write - and a space")
    if match := _FULL_WIDTH_COLON.match(line):
        place = match.start("colon")
        message = f"{match['colon']} (U+{ord(match['colon']):04X}) is not YAML's colon"
        return UnreadableYaml(Span(number, place + 1, place + 2), CODE, message, "write : and a space")
    if match := _NO_BLANK.match(line):
        return no_blank(number, match.start("key"), match["key"])
    if match := _UNKNOWN_ESCAPE.match(line):
        place = match.start("escape")
        hint = "use single quotes, or \\\\ for a backslash; in a path write /"
        return UnreadableYaml(
            Span(number, place + 1, place + 3),
            CODE,
            f"unknown escape {match['escape']} in a quoted text",
            hint,
        )
    if match := _VALUE.match(line):
        for pattern, message, hint in _BEGINNINGS:
            if re.match(pattern, match["value"]):
                place = match.start("value")
                said = message.format(match["value"][0])
                return UnreadableYaml(Span(number, place + 1, place + 2), CODE, said, hint)
    return None


def no_blank(line_number: int, index: int, key: str) -> UnreadableYaml:
    """Returns message and hint for `key:value`, which is one word to YAML."""
    return UnreadableYaml(
        Span(line_number, index + 1, index + len(key) + 2),
        CODE,
        f"a space is missing after {key}:",
        f"write `{key}: ...`, or put a text with a colon in quotes",
    )


def key_in_text(text: str) -> str | None:
    """Returns `name` for `name:x`, a text that was probably meant as a key with its value.

    >>> key_in_text("name:x"), key_in_text("clips/take:1.wav"), key_in_text("12:30")
    ('name', None, None)
    """
    match = _NO_BLANK.fullmatch(text)
    return None if match is None else match["key"]
