"""Decodes the texts of a MIDI file, of which the format does not say the encoding."""

from __future__ import annotations

import re
import unicodedata

MAX_CHARACTERS = 100
"""Longest text that is kept."""

_KANA_OR_TWO_KANJI = re.compile("[\u3040-\u30ff]|[\u4e00-\u9fff]{2}")


def decode(content: bytes) -> str:
    """Decodes a name or a marker: UTF-8, Shift JIS where it gives Japanese words, else Windows-1252.

    Control characters and what formats text invisibly are taken out, blanks in a row become one, and what is
    longer than `MAX_CHARACTERS` is cut.
    """
    cut = content[: 8 * MAX_CHARACTERS]
    return tidy(_utf8(cut) or _japanese(cut) or cut.decode("cp1252", "replace"))[:MAX_CHARACTERS].rstrip()


def tidy(text: str) -> str:
    """Takes out control characters and what formats text invisibly; blanks in a row become one."""
    shown = (
        " " if each.isspace() else each
        for each in text
        if each.isspace() or unicodedata.category(each)[0] != "C"
    )
    return " ".join("".join(shown).split())


def _utf8(content: bytes) -> str | None:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        # A text that was cut in the middle of its last character is still UTF-8.
        if error.reason == "unexpected end of data" and error.start >= 8 * MAX_CHARACTERS - 4:
            return content[: error.start].decode("utf-8")
        return None


def _japanese(content: bytes) -> str | None:
    text = content.decode("cp932", "ignore")
    try:
        text = content.decode("cp932")
    except UnicodeDecodeError as error:
        if error.start < 8 * MAX_CHARACTERS - 4:
            return None
    return text if _KANA_OR_TWO_KANJI.search(text) else None
