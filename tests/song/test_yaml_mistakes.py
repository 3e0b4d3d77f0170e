"""YAML as people write and copy it: each mistake is named where it is, by PyYAML's parsers both."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from riffcomposer.diagnostics import Diagnostic
from riffcomposer.errors import SongError
from riffcomposer.loops.catalogue import Catalogue
from riffcomposer.song import yaml_events
from riffcomposer.song.lints import lint
from riffcomposer.song.reader import LoadedSong, load_song, parse_song

Load = Callable[[str], LoadedSong]
Faults = Callable[[str], list[Diagnostic]]

HEAD = "title: t\nsections:\n  - name: a\n"
REST = "    bars: 2\n"
DRY = "    strength: 0\n    bars: 2\n"
NBSP, ZERO_WIDTH = "\u00a0", "\u200b"
BLANK = "no-break space (U+00A0) instead of a space"


@pytest.fixture(params=["fast", "slow"], autouse=True)
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The C parser where PyYAML has it, and the one in Python."""
    if request.param == "slow":
        monkeypatch.setattr(yaml_events, "_FastLoader", yaml.SafeLoader)


# name: (text, line, column, what the message and its hint hold)
MISTAKES: dict[str, tuple[str, int, int, tuple[str, ...]]] = {
    "no-break blanks indent": (
        f"title: t\nsections:\n{NBSP}{NBSP}- name: a\n",
        3,
        1,
        (BLANK, "ordinary space"),
    ),
    "no-break blank after a colon": (f"{HEAD}    prompt:{NBSP}soft\n{REST}", 4, 12, (BLANK,)),
    "no-break blank after a dash": (f"title: t\nsections:\n  -{NBSP}name: a\n    bars: 2\n", 3, 4, (BLANK,)),
    "no-break blank before a number": (f"{HEAD}    prompt: x\n    bars: {NBSP}2\n", 5, 11, (BLANK,)),
    "no-break blank after a number": (f"{HEAD}    prompt: x\n    bars: 2{NBSP}\n", 5, 12, (BLANK,)),
    "no-break blank in a key": (f"{HEAD}    prompt{NBSP}: x\n{REST}", 4, 11, (BLANK,)),
    "no-break blank in brackets": (f"title: t\nsections: [{{name:{NBSP}a, bars: 2}}]\n", 2, 18, (BLANK,)),
    "ideographic blank": (f"{HEAD}    prompt:\u3000jazz\n{REST}", 4, 12, ("ideographic space (U+3000)",)),
    "thin blank": (f"{HEAD}    bars:\u2009 2\n    prompt: x\n", 4, 10, ("thin space (U+2009)",)),
    "zero width blank in a key": (
        f"{HEAD}    pro{ZERO_WIDTH}mpt: x\n{REST}",
        4,
        8,
        ("U+200B", "take it out"),
    ),
    "mark of direction in a number": (f"{HEAD}    prompt: x\n    bars: 2\u200e\n", 5, 12, ("U+200E",)),
    "soft hyphen in a key": (f"{HEAD}    pro\u00admpt: x\n{REST}", 4, 8, ("soft hyphen (U+00AD)",)),
    "mark in the middle": (f"{HEAD}\ufeff    prompt: x\n{REST}", 4, 1, ("byte order mark (U+FEFF)",)),
    "line separator": (f"{HEAD}    prompt: x\u2028y\n{REST}", 4, 14, ("line separator (U+2028)",)),
    "full-width colon": (f"{HEAD}    prompt：jazz\n{REST}", 4, 11, ("U+FF1A", "write :")),
    "colon without a blank": (f"{HEAD}    prompt:jazz\n{REST}", 4, 5, ("a space is missing after prompt:",)),
    "colon without a blank, first": (f"title: t\nsections:\n  - name:a\n{REST}", 3, 5, ("name:",)),
    "colon without a blank in brackets": (
        "title: t\nsections: [{name:a, prompt: x, bars: 2}]\n",
        2,
        13,
        ("write a space after name:",),
    ),
    "colon without a blank, alone": (
        "title: t\nsections:\n  - name:a\n",
        3,
        5,
        ("write a space after name:",),
    ),
    "curly quotes": (f"{HEAD}    prompt: “soft: rhodes”\n{REST}", 4, 13, ("“ is not a quote in YAML",)),
    "at sign": (f"{HEAD}    prompt: @home\n{REST}", 4, 13, ("cannot begin with @", "in quotes")),
    "backquote": (f"{HEAD}    prompt: `x`\n{REST}", 4, 13, ("cannot begin with `", "in quotes")),
    "percent": (f"{HEAD}    prompt: %50\n{REST}", 4, 13, ("cannot begin with %", "in quotes")),
    "ampersand": (f"{HEAD}    prompt: & bass\n{REST}", 4, 13, ("& begins an anchor", "in quotes")),
    "star": (f"{HEAD}    prompt: *loud*\n{REST}", 4, 13, ("in quotes",)),
    "star and blank": (f"{HEAD}    prompt: * loud\n{REST}", 4, 13, ("* begins an alias", "in quotes")),
    "pipe": (f"{HEAD}    prompt: | soft\n{REST}", 4, 13, ("next line", "in quotes")),
    "list and text": (
        f"{HEAD}    prompt: [draft] soft\n{REST}",
        4,
        13,
        ("after the end of this list", "in quotes"),
    ),
    "mapping and text": (
        f"{HEAD}    prompt: {{a}} b\n{REST}",
        4,
        13,
        ("after the end of this mapping", "in quotes"),
    ),
    "quote and text": (f'{HEAD}    prompt: "soft" rhodes\n{REST}', 4, 13, ("after the closing quote",)),
    "apostrophe": (f"{HEAD}    prompt: 'don't'\n{REST}", 4, 13, ("after the closing quote", "''")),
    "Windows path, escapes": (f'{HEAD}    init: "loops\\take.wav"\n{REST}', 4, 11, ("forward slashes",)),
    "Windows path, unknown escape": (
        f'{HEAD}    init: "my\\loop.wav"\n{REST}',
        4,
        14,
        ("in a path write /",),
    ),
    "Windows path": (f"{HEAD}    init: my\\loop.wav\n{REST}", 4, 11, ("write 'my/loop.wav'",)),
    "drive": (f"{HEAD}    init: C:\\my\\loop.wav\n{REST}", 4, 11, ("drive",)),
    "address": (f"{HEAD}    init: https://example.org/a.wav\n{REST}", 4, 11, ("address", "download")),
    "comment in a path": (
        f"{HEAD}    init: my loop #3.wav\n    strength: 0\n{REST}",
        4,
        11,
        ("' #' begins a comment",),
    ),
    "comment in a name": (
        f"{HEAD}    init: loops/x #3.wav\n    strength: 0\n{REST}",
        4,
        11,
        ("' #' begins a comment",),
    ),
    "no-break blank before a comment": (f"{HEAD}    prompt: x{NBSP}# y\n{REST}", 4, 14, (BLANK,)),
    "comment in place of a text": (f"{HEAD}    prompt: #1 hit\n{REST}", 4, 5, ("' #' begins a comment",)),
    "question mark": (f"{HEAD}    prompt: ? soft\n{REST}", 4, 13, ("? begins", "in quotes")),
    "dash": (f"{HEAD}    prompt: - soft\n{REST}", 4, 13, ("- begins a list item", "in quotes")),
    "long dash for a list": ("sections:\n  — prompt: x\n    bars: 2\n", 2, 3, ("write -",)),
    "bullet for a list": ("sections:\n  • prompt: x\n    bars: 2\n", 2, 3, ("write -",)),
    "star for a list": ("sections:\n  * prompt: x\n    bars: 2\n", 2, 3, ("write -",)),
    "quote that is not closed": (
        f'{HEAD}    prompt: "soft\n    bars: 2\n',
        4,
        13,
        ("this quote is not closed", "close it"),
    ),
    "beginning of an effect's key": (
        f"{HEAD}    prompt: x\n    chain: [{{lowpass: {{cutof: 3}}}}]\n{REST}",
        5,
        24,
        ("did you mean 'cutoff_frequency_hz'?",),
    ),
    "indentation": ("sections:\n  - name: a\n     prompt: x\n", 3, 12, ("check the indentation",)),
    "full-width brackets": ("sections:\n  - ｛prompt： x｝\n", 2, 5, ("half width",)),
    "Markdown": ("```yaml\ntitle: t\n```\n", 1, 1, ("Markdown",)),
    "TOML": ('[song]\ntitle = "x"\n', 2, 1, ("one mapping",)),
    "web page": ("<!DOCTYPE html>\n<html><body>404: Not found</body></html>\n", 1, 1, ("web page",)),
    "git-lfs": (
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12\n",
        1,
        1,
        ("git-lfs", "git lfs pull"),
    ),
    "tab after a dash": ("title: t\nsections:\n  -\tname: a\n", 3, 4, ("a tab cannot indent",)),
    "tab in front": ("title: t\nsections:\n\t- name: a\n", 3, 1, ("a tab cannot indent",)),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_where_it_is(
    name: str, faults_in: Faults, small_catalogue: Catalogue, load: Load
) -> None:
    text, line, column, words = MISTAKES[name]
    found = faults_in(text) or lint(load(text), None, small_catalogue)
    assert found, "nothing is said"
    first = next((fault for fault in found if fault.line == line), found[0])
    assert (first.line, first.column) == (line, column), first
    assert first.severity == "error"
    for part in words:
        assert part in first.sentence


def test_a_key_without_a_value_in_brackets(faults_in: Faults) -> None:
    """One of the two parsers refuses it, the other reads an empty value."""
    (fault,) = faults_in("title: t\nsections:\n  - {name: a, prompt:, bars: 4}\n")
    assert fault.line == 3
    assert "no value" in fault.sentence
    assert fault.hint


CONFLICT = (
    "title: t\nsections:\n  - name: a\n<<<<<<< HEAD\n    prompt: soft\n{base}=======\n    prompt: hard\n"
    ">>>>>>> feature\n    bars: 2\n"
)


@pytest.mark.parametrize("base", ["", "||||||| 1a2b3c4\n    prompt: old\n"], ids=["merge", "diff3"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_an_unresolved_merge_conflict(base: str, ending: str, faults_in: Faults) -> None:
    text = CONFLICT.format(base=base)
    again = "<<<<<<< HEAD\nloop: true\n=======\nloop: false\n>>>>>>> feature\n"
    found = faults_in((text + again).replace("\n", ending))
    assert [fault.code for fault in found] == ["merge-conflict"] * 2
    assert [fault.line for fault in found] == [4, text.count("\n") + 1]
    assert "unresolved merge conflict (<<<<<<< HEAD)" in found[0].message
    assert ("how both sides were before" in found[0].hint) == bool(base)
    assert "how both sides were before" not in found[1].hint


@pytest.mark.parametrize("left", ["=======", ">>>>>>> feature", "||||||| base", "<<<<<<< HEAD", "<<<<<<<"])
def test_one_line_of_a_conflict_that_was_forgotten(left: str, faults_in: Faults) -> None:
    (fault,) = faults_in(f"title: t\nsections:\n  - prompt: x\n{left}\n    bars: 2\n")
    assert (fault.code, fault.line) == ("merge-conflict", 4)


@pytest.mark.parametrize(
    "prompt",
    [
        f"soft{NBSP}rhodes",
        f'"{NBSP}soft"',
        "夜\u3000の\u3000バス",
        "می\u200cخواهم",
        '"<<<<<<< HEAD"',
        "C# minor",
        "ratio 3:4",
        "“night” bus",
        "|\n      <<<<<<< HEAD\n      text",
        "👩\u200d🎤 singing",
    ],
)
def test_what_is_meant_is_taken(prompt: str, faults_in: Faults) -> None:
    """The same characters within a text are its author's business."""
    assert faults_in(f"{HEAD}    prompt: {prompt}\n{REST}") == []


def test_own_keys_hold_anything(faults_in: Faults) -> None:
    assert faults_in(f"{HEAD}    prompt: x\n{REST}x-notes:{' '}{{a{NBSP}b: 1, c:d: {NBSP}2}}\n") == []


def test_quotes_that_yaml_does_not_know(load: Load, small_catalogue: Catalogue) -> None:
    prompts = ("'“quoted” words'", "‘x’", "“a” and “b”")
    sections = "".join(f"  - {{prompt: {prompt}, bars: 2}}\n" for prompt in prompts)
    song = load(f"title: “Night bus”\nsections:\n{sections}")
    found = lint(song, None, small_catalogue)
    assert [(fault.line, fault.column, fault.code, fault.severity) for fault in found] == [
        (1, 8, "curly-quotes", "warning"),
        (4, 14, "curly-quotes", "warning"),
    ]


class EagerLoader:
    """A parser that reads a line to its end, and gives up, before it gives the first event of it."""

    limit = 40

    def __init__(self, text: str) -> None:
        for line in text.splitlines():
            if max(line.count("["), line.count("{"), line.count("- ")) > self.limit:
                raise yaml.MarkedYAMLError(problem="words of another version")
        self.inner = yaml.SafeLoader(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


@pytest.mark.no_cover
@pytest.mark.parametrize("text", ["[" * 1000, "{a: " * 1000, "- " * 1000, "x-a: " + "[" * 50 + "]" * 50])
def test_the_depth_is_limited_by_us(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A parser's own limit on nesting, which differs between versions, is never met."""
    monkeypatch.setattr(yaml_events, "_FastLoader", EagerLoader)
    with pytest.raises(SongError) as caught:
        parse_song(text.encode(), Path("song.yaml"))
    assert [fault.code for fault in caught.value.diagnostics] == ["too-deep"]


def test_unknown_words_of_a_parser_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    class Odd:
        def __init__(self, text: str) -> None:
            del text

        def check_event(self) -> bool:
            raise yaml.MarkedYAMLError(problem="the flux is \x1b[31mout of phase")

        def dispose(self) -> None:
            pass

    monkeypatch.setattr(yaml_events, "_FastLoader", Odd)
    with pytest.raises(SongError, match=r"not YAML \(the flux is �\[31mout of phase") as caught:
        parse_song(b"title: t\n", Path("song.yaml"))
    assert caught.value.diagnostics[0].code == "yaml-syntax"


@pytest.mark.no_cover
@pytest.mark.parametrize("part", ["-", "- ", "a", "'", '"', "[", "{a}", "\\\\", NBSP, "a:", ":", "&"])
def test_a_long_line_that_is_not_yaml(part: str, faults_in: Faults) -> None:
    """Looking for a status takes one pass over the line: a second pass for each character takes minutes."""
    line = part * (50_000 // len(part.encode()))
    for text in (f"x-a: {line}\n]\n", f"{line}\n]: [\n", f"x-a: '{line}\n"):
        faults_in(text)


NFC, NFD = "caf\u00e9", "cafe\u0301"


@pytest.mark.parametrize(("typed", "on_disk"), [(NFC, NFD), (NFD, NFC)], ids=["NFD on disk", "NFC on disk"])
def test_two_forms_of_one_name(typed: str, on_disk: str, tmp_path: Path, small_catalogue: Catalogue) -> None:
    """A song written on macOS and rendered elsewhere, or the other way round."""
    (tmp_path / on_disk).mkdir()
    (tmp_path / on_disk / f"{on_disk}.wav").write_bytes(b"x")
    text = f"sections:\n  - {{init: {typed}/{typed}.wav, strength: 0, bars: 2}}\n"
    (tmp_path / f"{on_disk}.yaml").write_text(text, encoding="utf-8")
    song = load_song(tmp_path / f"{typed}.yaml")
    assert song.path.exists()
    assert lint(song, None, small_catalogue) == []


def test_a_file_that_is_not_there_and_one_like_it(tmp_path: Path, small_catalogue: Catalogue) -> None:
    (tmp_path / "loops").mkdir()
    (tmp_path / "loops" / "kick-1.wav").write_bytes(b"x")
    path = tmp_path / "song.yaml"
    path.write_text("sections:\n  - {init: loops/kick1.wav, strength: 0, bars: 2}\n")
    (fault,) = lint(load_song(path), None, small_catalogue)
    assert "did you mean 'loops/kick-1.wav'?" in fault.sentence


def test_a_path_in_curly_quotes(faults_in: Faults) -> None:
    (fault,) = faults_in("sections:\n  - {init: “loops/kick.wav”, strength: 0, bars: 2}\n")
    assert "curly quotes" in fault.sentence
