"""Hostile and broken YAML: a diagnostic with a line, the process alive, memory bounded."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from riffcomposer.errors import MAX_DIAGNOSTICS, SongError
from riffcomposer.song.reader import load_song, parse_song
from riffcomposer.song.yaml_events import MAX_ALIASES, MAX_DEPTH, MAX_NODES, core_value
from riffcomposer.song.yaml_text import MAX_BYTES

SONG = "title: Zoo\nsections:\n  - prompt: jazz\n    bars: 8\n"


def _laughs(levels: int) -> str:
    lines = ["x-a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha]"]
    for level in range(1, levels):
        before = ", ".join([f"*a{level - 1}"] * 9)
        lines.append(f"x-a{level}: &a{level} [{before}]")
    return "\n".join(lines) + "\n" + SONG


def _tower(levels: int) -> str:
    """Each anchor is nested ten deep around the one before."""
    lines = ["x-a0: &a0 [ha]"]
    lines += [f"x-a{level}: &a{level} {'[' * 10}*a{level - 1}{']' * 10}" for level in range(1, levels)]
    return "\n".join(lines) + "\n" + SONG


# name: (content, code, line of the diagnostic)
ZOO: dict[str, tuple[bytes, str, int]] = {
    "billion laughs": (_laughs(10).encode(), "too-many-nodes", 5),
    "many aliases": (
        f"x-a: &a 1\nx-b: [{', '.join(['*a'] * (MAX_ALIASES + 1))}]\n{SONG}".encode(),
        "too-many-aliases",
        2,
    ),
    "aliases that nest": (_tower(10).encode(), "too-deep", 4),
    "100,000 brackets": (b"[" * 100_000, "too-deep", 1),
    "100,000 braces": (b"{" * 100_000, "bad-key", 1),
    "100,000 braces with keys": (b"{a: " * 60_000, "too-deep", 1),
    "100,000 questions": (b"? " * 100_000, "bad-key", 1),
    "100,000 dashes": (b"- " * 100_000, "too-deep", 1),
    "deep blocks": (
        "".join(" " * n + "a:\n" for n in range(MAX_DEPTH + 2)).encode(),
        "too-deep",
        MAX_DEPTH + 1,
    ),
    "many values": (("x-a: [" + "1," * (MAX_NODES + 10) + "]\n" + SONG).encode(), "too-many-nodes", 1),
    "too large": (SONG.encode() + b"#" * MAX_BYTES, "too-large", 0),
    "cyclic alias": (f"x-a: &a [*a]\n{SONG}".encode(), "cycle", 1),
    "cyclic mapping": (f"x-a: &a {{b: *a}}\n{SONG}".encode(), "cycle", 1),
    "unknown alias": (f"{SONG}seed: *nowhere\n".encode(), "unknown-alias", 5),
    "python object": (f"{SONG}seed: !!python/object/apply:os.system [id]\n".encode(), "tag", 5),
    "python name": (f"{SONG}seed: !!python/name:os.system\n".encode(), "tag", 5),
    "binary": (f"{SONG}x-b: !!binary aGFsbG8=\n".encode(), "tag", 5),
    "set": (f"{SONG}x-b: !!set {{a, b}}\n".encode(), "tag", 5),
    "timestamp": (f"{SONG}x-b: !!timestamp 2026-11-21\n".encode(), "tag", 5),
    "str": (f"{SONG}x-b: !!str 3\n".encode(), "tag", 5),
    "own tag": (f"{SONG}x-b: !mine 3\n".encode(), "tag", 5),
    "verbatim tag": (f"{SONG}x-b: !<tag:example.org,2000:x> 3\n".encode(), "tag", 5),
    "bare tag": (f"{SONG}x-b: ! 3\n".encode(), "tag", 5),
    "tagged key": (f"{SONG}!!str x-b: 3\n".encode(), "tag", 5),
    "UTF-16 with mark": (SONG.encode("utf-16"), "not-utf8", 1),
    "UTF-16 without mark": (SONG.encode("utf-16-le"), "control-character", 1),
    "Latin-1": (SONG.encode() + "x-name: Café\n".encode("latin-1"), "not-utf8", 5),
    "NUL": (SONG.encode() + b"x-a: a\0b\n", "control-character", 5),
    "escape sequence": (SONG.encode() + b"x-a: \x1b[2J\n", "control-character", 5),
    "second mark": ("\ufeff".encode() * 2 + SONG.encode(), "control-character", 1),
    "tab for indentation": (b"title: Zoo\nsections:\n\t- prompt: jazz\n", "yaml-syntax", 3),
    "empty": (b"", "empty", 1),
    "only a comment": (b"# nothing yet\n", "empty", 1),
    "only a mark": ("\ufeff".encode(), "empty", 1),
    "only a document start": (b"---\n", "empty", 1),
    "list at the top": (b"- title: Zoo\n", "not-a-song", 1),
    "text at the top": (b"hello\n", "not-a-song", 1),
    "number at the top": (b"42\n", "not-a-song", 1),
    "two documents": (f"{SONG}---\n{SONG}".encode(), "several-documents", 5),
    "5000 digits": (f"{SONG}seed: {'9' * 5000}\n".encode(), "number-too-long", 5),
    "5000 hex digits": (f"{SONG}seed: 0x{'f' * 5000}\n".encode(), "number-too-long", 5),
    "huge exponent": (f"{SONG}tempo: 1e999999999\n".encode(), "not-finite", 5),
    "NaN": (f"{SONG}tempo: .nan\n".encode(), "not-finite", 5),
    "infinity": (f"{SONG}tempo: -.inf\n".encode(), "not-finite", 5),
    "duplicate key": (f"{SONG}seed: 1\nseed: 2\n".encode(), "duplicate-key", 6),
    "duplicate key in quotes": (f"{SONG}seed: 1\n'seed': 2\n".encode(), "duplicate-key", 6),
    "duplicate own key": (f"{SONG}x-a: 1\nx-a: 2\n".encode(), "duplicate-key", 6),
    "merge key": (f"x-a: &a {{bars: 8}}\n{SONG}    <<: *a\n".encode(), "merge-key", 6),
    "list as key": (f"? [a, b]\n: c\n{SONG}".encode(), "bad-key", 1),
    "unclosed quote": (SONG.encode() + b"x-a: 'open\n", "yaml-syntax", 5),
    "unclosed bracket": (SONG.encode() + b"x-a: [1, 2\n", "yaml-syntax", 6),
    "colon in plain text": (SONG.encode() + b"x-a: b: c\n", "yaml-syntax", 5),
    "directive": (b"%YAML 3.0\n---\n" + SONG.encode(), "yaml-syntax", 1),
    "4 kB key": (f"{SONG}{'k' * 4096}: 1\n".encode(), "yaml-syntax", 5),
    "terminal codes as key": (f'{SONG}"\\e[31mred": 1\n'.encode(), "unknown-key", 5),
}


@pytest.mark.parametrize("name", ZOO)
def test_zoo(name: str) -> None:
    content, code, line = ZOO[name]
    with pytest.raises(SongError) as caught:
        parse_song(content, Path("zoo.yaml"))
    diagnostics = caught.value.diagnostics
    assert [(diagnostic.code, diagnostic.line) for diagnostic in diagnostics] == [(code, line)]
    assert "\x1b" not in str(caught.value)
    assert "\0" not in str(caught.value)


def test_zoo_in_half_a_gigabyte(tmp_path: Path) -> None:
    """One process with 500 MB reads the whole zoo and lives."""
    for index, (content, _, _) in enumerate(ZOO.values()):
        (tmp_path / f"{index}.yaml").write_bytes(content)
    program = (
        "import json, resource, sys\n"
        "from pathlib import Path\n"
        "resource.setrlimit(resource.RLIMIT_AS, (500 << 20, 500 << 20))\n"
        "from riffcomposer.errors import SongError\n"
        "from riffcomposer.song.reader import load_song\n"
        "codes = []\n"
        "for index in range(int(sys.argv[2])):\n"
        "    try:\n"
        "        load_song(Path(sys.argv[1]) / f'{index}.yaml')\n"
        "    except SongError as error:\n"
        "        codes.append(error.diagnostics[0].code)\n"
        "print(json.dumps(codes))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path), str(len(ZOO))],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [code for _, code, _ in ZOO.values()]


@pytest.mark.parametrize(
    "content",
    [
        SONG.encode(),
        b"\xef\xbb\xbf" + SONG.encode(),
        SONG.replace("\n", "\r\n").encode(),
        SONG.replace("\n", "\r").encode(),
        b"--- # begins\n" + SONG.encode() + b"...\n",
        b"%YAML 1.2\n---\n" + SONG.encode(),
        (SONG + "x-notes: {anything: [goes, ~, no, {deep: [er]}]}\n").encode(),
        (SONG + "x-prompt: &p jazz\n").replace("prompt: jazz", "prompt: jazz, slow").encode(),
        ("x-p: &p jazz\n" + SONG.replace("prompt: jazz", "prompt: *p")).encode(),
        (b"x-s: &s {prompt: jazz, bars: 8}\nsections: [*s, *s]\n"),
    ],
    ids=[
        "plain",
        "mark",
        "CRLF",
        "CR",
        "document",
        "directive",
        "own keys",
        "unused anchor",
        "alias",
        "alias of a section",
    ],
)
def test_readable(content: bytes) -> None:
    assert "jazz" in parse_song(content, Path("song.yaml")).resolved.sections[0].points[0].prompt


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("Off", "Off"),
        ("y", "y"),
        ("12:30:45", "12:30:45"),
        ("012", 12),
        ("0o17", 15),
        ("0x1F", 31),
        ("+7", 7),
        ("-7", -7),
        ("0b11", "0b11"),
        ("1_000", "1_000"),
        ("1e3", 1000.0),
        ("1.", 1.0),
        (".5", 0.5),
        ("-1.5E-2", -0.015),
        ("1e", "1e"),
        ("2026-11-21", "2026-11-21"),
        ("true", True),
        ("FALSE", False),
        ("tRue", "tRue"),
        ("null", None),
        ("~", None),
        ("", None),
        ("=", "="),
    ],
)
def test_core_schema(text: str, value: object) -> None:
    """YAML 1.2, 10.3.2: what PyYAML by itself reads otherwise."""
    found = core_value(text)
    assert found == value
    assert type(found) is type(value)


def test_every_structural_fault_at_once() -> None:
    text = SONG + "seed: !t 1\nseed: 2\ntempo: .nan\n<<: {a: 1}\nloop: maybe\n"
    with pytest.raises(SongError) as caught:
        parse_song(text.encode(), Path("song.yaml"))
    found = [(diagnostic.line, diagnostic.code) for diagnostic in caught.value.diagnostics]
    assert found == [(5, "tag"), (6, "duplicate-key"), (7, "not-finite"), (8, "merge-key"), (9, "wrong-type")]


def test_missing_file_and_folder(tmp_path: Path) -> None:
    for path, words in ((tmp_path / "none.yaml", "there is no such file"), (tmp_path, "is not a file")):
        with pytest.raises(SongError, match=words):
            load_song(path)
    fifo = tmp_path / "fifo.yaml"
    import os

    os.mkfifo(fifo)
    with pytest.raises(SongError, match="is not a file"):
        load_song(fifo)


HOSTILE = {
    "a chain of 1000 uses": "sections:\n"
    + "".join(f"  - {{name: s{number}, use: s{number + 1}}}\n" for number in range(999))
    + "  - {name: s999, prompt: jazz, bars: 8}\n",
    "1000 unknown uses": "sections:\n"
    + "".join(f"  - {{name: section{number}, use: sectoin{number}}}\n" for number in range(1000)),
    "3000 unknown keys": "".join(f"promt{number}: 1\n" for number in range(3000)),
    "3000 equal keys": "seed: 1\n" * 3000,
    "3000 faulty sections": "sections: [" + "{bras: 1}, " * 3000 + "]\n",
    "a walk of 4000 points": "sections: [{walk: [" + "{prompt: a, seed: 1}, " * 4000 + "]}]\n",
}


@pytest.mark.no_cover
@pytest.mark.parametrize("name", HOSTILE)
def test_well_formed_and_hostile(name: str) -> None:
    """What is within the limits of YAML, and meant to be slow: answered, and cut to a readable size."""
    with pytest.raises(SongError) as caught:
        parse_song(HOSTILE[name].encode(), Path("zoo.yaml"))
    assert 1 <= len(caught.value.diagnostics) <= MAX_DIAGNOSTICS + 1
    assert len(str(caught.value)) < 100_000


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"RIFF" + bytes(4) + b"WAVEfmt " + bytes(range(256)) * 2000, "a WAV file"),
        (b"RIFF" + bytes(4) + b"WAVEfmt " + bytes(30), "a WAV file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(40), "a PNG image"),
        (b"MThd\0\0\0\x06\0\1", "a MIDI file"),
        (b"PK\x03\x04" + bytes(range(256)), "a ZIP archive"),
    ],
)
def test_another_kind_of_file_is_named(content: bytes, name: str) -> None:
    with pytest.raises(SongError) as stop:
        parse_song(content, Path("song.yaml"))
    assert [each.code for each in stop.value.diagnostics] == ["not-a-song"]
    assert f"this is {name}, not a song" in stop.value.diagnostics[0].message


@pytest.mark.parametrize("at", range(1018, 1026))
def test_a_letter_across_the_first_block_is_no_fault(at: int) -> None:
    head = "# "
    text = head + "x" * (at - len(head)) + "\u591c\U0001f3b5\n" + SONG
    assert parse_song(text.encode(), Path("song.yaml")).resolved.sections
