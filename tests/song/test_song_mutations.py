"""Songs with flipped, lost and doubled bytes: a song, or a `SongError` that points into the file."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riffcomposer.checkpoints.profile import ModelProfile
from riffcomposer.diagnostics import format_github, format_text
from riffcomposer.errors import SongError
from riffcomposer.loops.catalogue import Catalogue
from riffcomposer.song.lints import lint
from riffcomposer.song.reader import LoadedSong, parse_song

SONGS = [path.read_bytes() for path in sorted((Path(__file__).parents[2] / "songs").glob("*.yaml"))]

_EDITS = st.lists(
    st.tuples(st.sampled_from(("flip", "drop", "double", "insert")), st.floats(0, 1), st.integers(0, 255)),
    min_size=1,
    max_size=6,
)
_MARKS = [
    ": ",
    "- ",
    "[",
    "{",
    "}",
    "]",
    "&a ",
    "*a",
    "!!x ",
    "\n",
    "  ",
    "'",
    '"',
    "#",
    "~",
    "1e9",
    ">",
    "? ",
    "%",
    "<<",
    "---\n",
    ",",
    "\t",
    "\\",
    "\u2028",
    "\x00",
]
_TOKENS = st.lists(
    st.tuples(st.floats(0, 1), st.sampled_from([mark.encode() for mark in _MARKS])), min_size=1, max_size=4
)


def _reads_or_points(content: bytes) -> LoadedSong | None:
    try:
        return parse_song(content, Path("song.yaml"))
    except SongError as error:
        diagnostics = error.diagnostics
    assert diagnostics
    lines = content.decode("utf-8", errors="replace").splitlines()
    for diagnostic in diagnostics:
        assert diagnostic.message
        if diagnostic.code == "not-a-song" and diagnostic.line == 0:  # a sound, say: it has no lines to show
            assert len(diagnostics) == 1
            continue
        assert 1 <= diagnostic.line <= len(lines) + 1
        assert 1 <= diagnostic.column < diagnostic.end_column
    assert not any(
        unicodedata.category(character) == "Cc" for character in format_text(diagnostics).replace("\n", "")
    )
    assert format_github(diagnostics).count("\n") == len(diagnostics) - 1
    return None


def test_there_are_songs_to_break() -> None:
    assert len(SONGS) >= 3


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(SONGS), _EDITS)
def test_broken_bytes(song: bytes, edits: list[tuple[str, float, int]]) -> None:
    content = bytearray(song)
    for kind, place, byte in edits:
        at = int(place * (len(content) - 1))
        if kind == "flip":
            content[at] ^= byte
        elif kind == "drop":
            del content[at : at + 1 + byte % 7]
        elif kind == "double":
            content[at:at] = content[at : at + byte]
        else:
            content.insert(at, byte)
    _reads_or_points(bytes(content))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(SONGS), _TOKENS)
def test_stray_tokens(song: bytes, tokens: list[tuple[float, bytes]]) -> None:
    """Marks that mean something to YAML, put anywhere; what still reads can be linted."""
    content = song
    for place, token in tokens:
        at = int(place * len(content))
        content = content[:at] + token + content[at:]
    loaded = _reads_or_points(content)
    if loaded is not None:
        for diagnostic in lint(loaded, ModelProfile("m"), Catalogue({}, {})):
            assert diagnostic.line >= 1


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=400))
def test_noise(content: bytes) -> None:
    _reads_or_points(content)


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet=st.characters(), max_size=200))
def test_text(text: str) -> None:
    try:
        content = text.encode()
    except UnicodeEncodeError:
        content = text.encode("utf-8", errors="surrogatepass")
    _reads_or_points(content)


@pytest.mark.parametrize("song", SONGS)
def test_cut_short(song: bytes) -> None:
    for length in range(0, len(song), 61):
        _reads_or_points(song[:length])
