"""Decodes a song file, and finds what is wrong with the text before it is read as YAML.

Files come from editors, web pages and merges, and may have another encoding, odd kinds of space,
or conflict markers of an unresolved merge. Each is reported with its position.
"""

from __future__ import annotations

import re
import sys
import unicodedata

from riffcomposer.diagnostics import Span
from riffcomposer.media.kinds import HEAD_BYTES, TEXT, kind_of_bytes

MAX_BYTES = 256 * 1024

_LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_NOT_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_CONFLICT = re.compile(r"(<{7,}|\|{7,}|={7,}|>{7,})(?: .*)?")
_BLANKS = "\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
_INVISIBLE = "\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069"
_ODD = f"[{_BLANKS}{_INVISIBLE}]"
_ODD_ANYWHERE = re.compile(_ODD)
_ODD_AT_ENDS = re.compile(f"^{_ODD}|[{_BLANKS}\u200b\u2060](?=$|#)")
_WEB_PAGE = re.compile(r"\s*<(?:!doctype|html|head|body|\?xml)\b", re.IGNORECASE)
_LFS_POINTER = "version https://git-lfs.github.com/spec/"
# Where a blank means something: before a line's first word, after its `-`, before and after the `:` of a key,
# after a bracket or comma.
_ODD_IN_FRONT = re.compile(rf"[ \t]*(?:-[ \t]*)*(?:\w[\w-]*)?(?P<odd>{_ODD})")
_ODD_AFTER_MARK = re.compile(rf"[:,\[{{](?P<odd>{_ODD})")
_NOT_QUOTED = re.compile("[^#\"']*")
_ESCAPE = re.compile(r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)")
_DOUBLED = re.compile("''")
_ESCAPED = dict(zip("0abtnvfreN_LP", "\0\a\b\t\n\v\f\r\x1b\x85\xa0\u2028\u2029", strict=True))


class UnreadableYaml(Exception):
    """The text is not YAML, or exceeds a limit, so there is no tree.

    Attributes:
        span, code, message, hint: The fault, as in `riffcomposer.song.yaml_events.Report`.
    """

    def __init__(self, span: Span, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.span, self.code, self.message, self.hint = span, code, message, hint


def split_lines(text: str) -> list[str]:
    """Splits a text into lines as PyYAML counts them."""
    return _LINE_BREAK.split(text)


def character_name(character: str) -> str:
    """Returns a character's name, as `no-break space (U+00A0)`; control characters share one.

    >>> character_name("\\u00a0"), character_name("\\x07")
    ('no-break space (U+00A0)', 'control character (U+0007)')
    """
    name = "byte order mark" if character == "\ufeff" else unicodedata.name(character, "control character")
    return f"{name.lower()} (U+{ord(character):04X})"


def decode(content: bytes) -> str:
    """Decodes UTF-8, with or without a byte order mark, and refuses control characters.

    Raises:
        UnreadableYaml: The file is too long, has another encoding, or is not a text.
    """
    binary = _binary(content)
    if binary is not None:
        raise binary
    if len(content) > MAX_BYTES:
        raise UnreadableYaml(
            Span(0, 0, 0), "too-large", f"the file is larger than a song may be ({MAX_BYTES // 1024} KiB)"
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8-sig", errors="replace")
        raise UnreadableYaml(
            _after(before), "not-utf8", "the file is not UTF-8", "save it as UTF-8"
        ) from None
    found = _NOT_TEXT.search(text)
    if found:
        raise UnreadableYaml(
            _after(text[: found.start()]),
            "control-character",
            f"a song may not contain a {character_name(found[0])}",
            "save it as UTF-8" if found[0] == "\0" else "take it out",
        )
    return text


def _binary(content: bytes) -> UnreadableYaml | None:
    """Recognises a sound, an image, an archive or another file that is no text, given in place of a song."""
    try:
        content[:1024].decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data" and error.end >= 1024:
            return None
    else:
        if b"\0" not in content[:1024]:
            return None
    kind = kind_of_bytes(content[:HEAD_BYTES])
    if kind is None or kind is TEXT:
        return None
    hint = "write a song that starts from it: `init: its name`" if kind.medium != "other" else ""
    return UnreadableYaml(Span(0, 0, 0), "not-a-song", f"this is {kind.name}, not a song", hint)


def _after(text: str) -> Span:
    """Returns the position of the character that follows `text`."""
    before = split_lines(text)
    return Span(len(before), len(before[-1]) + 1, len(before[-1]) + 2)


def another_kind(lines: list[str]) -> UnreadableYaml | None:
    """Recognises a web page or a git-lfs pointer that was fetched instead of a song."""
    span = Span(1, 1, len(lines[0]) + 1)
    if _WEB_PAGE.match(lines[0]):
        hint = "fetch the file itself, not the page that shows it"
        return UnreadableYaml(span, "not-a-song", "this is a web page, not a song", hint)
    if lines[0].startswith(_LFS_POINTER):
        message = "this is a git-lfs pointer, not the song itself"
        return UnreadableYaml(span, "not-a-song", message, "`git lfs pull` fetches the song")
    return None


def merge_conflicts(lines: list[str]) -> list[UnreadableYaml]:
    """Finds the conflicts that a merge left in a file, each at its first line.

    Other lines of a song cannot look like a marker: they start with a key, `-`, `#` or a document mark.
    """
    found: list[UnreadableYaml] = []
    inside = False
    for number, line in enumerate(lines, start=1):
        marker = _CONFLICT.fullmatch(line)
        if marker is None:
            continue
        if marker[1][0] == "<" or not inside:
            message = f"unresolved merge conflict ({marker[0][:40]})"
            hint = "keep one of the two sides, and take the lines with <<<<<<<, ======= and >>>>>>> out"
            if _has_base(lines[number:]):
                hint += ", and what is between ||||||| and =======: it is how both sides were before"
            span = Span(number, 1, len(marker[1]) + 1)
            found.append(UnreadableYaml(span, "merge-conflict", message, hint))
        inside = marker[1][0] != ">"
    return found


def _has_base(following: list[str]) -> bool:
    """Whether a conflict, given the lines after its first, also shows the lines before both changes."""
    for line in following:
        if (marker := _CONFLICT.fullmatch(line)) is not None:
            return marker[1][0] == "|"
    return False


def odd_blank_between(line: str) -> int | None:
    """Returns the index of an odd kind of space where YAML needs a plain one, or None."""
    head = _NOT_QUOTED.match(line)
    found = _ODD_IN_FRONT.match(line) or (head and _ODD_AFTER_MARK.search(head[0]))
    return found.start("odd") if found else None


def odd_blank_in(scalar: str, *, anywhere: bool) -> int | None:
    """Returns the index of an odd kind of space or an invisible character in an unquoted scalar, or None.

    Args:
        scalar: The scalar's text.
        anywhere: Whether to search the whole text, not only its ends.
    """
    found = (_ODD_ANYWHERE if anywhere else _ODD_AT_ENDS).search(scalar)
    return None if found is None else found.start()


def without_odd_blanks(scalar: str) -> str:
    """Returns the scalar without odd kinds of space and invisible characters."""
    return _ODD_ANYWHERE.sub("", scalar)


def odd_blank(line_number: int, index: int, character: str) -> UnreadableYaml:
    """Returns the fault of an odd kind of space or an invisible character.

    Args:
        line_number: The line, from 1.
        index: The character's index in the line, from 0.
        character: The character.
    """
    blank = re.match(f"[{_BLANKS}]", character)
    return UnreadableYaml(
        Span(line_number, index + 1, index + 2),
        "odd-blank",
        f"{character_name(character)} instead of a space" if blank else character_name(character),
        "write an ordinary space; text from web pages and word processors may have others"
        if blank
        else "take it out: it cannot be seen, and text from web pages may have some",
    )


def without_escapes(text: str, quote: str) -> tuple[str, list[int]]:
    """Reads the escapes in a line of a quoted scalar (YAML 1.2.2, section 5.7).

    Args:
        text: The line as it is in the file.
        quote: The scalar's quotation mark; anything else leaves the text as it is.

    Returns:
        The text as it is read, and the place in `text` of each of its characters and of its end.
    """
    escape = {'"': _ESCAPE, "'": _DOUBLED}.get(quote)
    if escape is None:
        return text, list(range(len(text) + 1))
    characters: list[str] = []
    places: list[int] = []
    position = 0
    while position < len(text):
        match = escape.match(text, position)
        characters.append(text[position] if match is None else _escaped(match[0]))
        places.append(position)
        position = position + 1 if match is None else match.end()
    return "".join(characters), [*places, len(text)]


def _escaped(escape: str) -> str:
    if len(escape) > 2:
        code = int(escape[2:], 16)
        return chr(code) if code <= sys.maxunicode else escape[1]
    return _ESCAPED.get(escape[1], escape[1])
