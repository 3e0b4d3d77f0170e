"""An edit changes one place of a song's text and keeps every other byte."""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest

from riffcomposer.errors import SongError, UsageError
from riffcomposer.song.edit import Edit, edited, with_sections
from riffcomposer.song.reader import parse_song

PATH = Path("song.yaml")


def changed_lines(before: bytes, after: bytes) -> list[str]:
    return [
        line
        for line in difflib.ndiff(before.decode().splitlines(True), after.decode().splitlines(True))
        if line[:1] in "+-"
    ]


def song(sections: str, head: str = "") -> bytes:
    return f"title: T\ntempo: 93.75\n{head}sections:\n{sections}".encode()


def test_each_shipped_song_keeps_all_but_one_line(repository: Path) -> None:
    songs = sorted((repository / "songs").glob("*.yaml"))
    assert songs
    for path in songs:
        content = path.read_bytes()
        count = len(parse_song(content, path).content["sections"])  # type: ignore[index]
        for index in range(count):
            after = edited(content, path, [Edit(("sections", index, "gain_db"), -7.5)])
            lines = changed_lines(content, after)
            assert 1 <= len(lines) <= 2, (path, index, lines)
            assert "gain_db: -7.5" in lines[-1]


def test_a_curve_on_one_line_becomes_a_number() -> None:
    content = b"sections:\n  - prompt: bells\n    gain_db: {0: -12, 8: 0}  # swells\n    bars: 8\n"
    after = edited(content, Path("song.yaml"), [Edit(("sections", 0, "gain_db"), -3)])
    assert after == content.replace(b"{0: -12, 8: 0}", b"-3")
    tall = b"sections:\n  - prompt: bells\n    gain_db:\n      0: -12\n      8: 0\n    bars: 8\n"
    with pytest.raises(UsageError, match="not a value on one line"):
        edited(tall, Path("song.yaml"), [Edit(("sections", 0, "gain_db"), -3)])


def test_a_value_is_replaced_and_its_comment_stays() -> None:
    before = song("  - name: a   # first\n    prompt: x\n    seed: 7 # lucky\n    bars: 8\n")
    after = edited(before, PATH, [Edit(("sections", 0, "seed"), 4242)])
    assert after == before.replace(b"seed: 7 #", b"seed: 4242 #")


def test_a_missing_key_gets_a_line_before_nested_values() -> None:
    before = song(
        "  - name: a\n    prompt: x\n    bars: 8\n    chain:\n      - highpass: {cutoff_frequency_hz: 30}\n"
    )
    after = edited(before, PATH, [Edit(("sections", 0, "seed"), 5)])
    assert after == before.replace(b"    bars: 8\n", b"    bars: 8\n    seed: 5\n")


def test_a_mapping_in_braces_gets_the_key_inside() -> None:
    before = song("  - {name: a, prompt: x, bars: 8 }  # keep\n")
    after = edited(before, PATH, [Edit(("sections", 0, "seed"), 5)])
    assert after == before.replace(b"bars: 8 }", b"bars: 8, seed: 5 }")


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_windows_line_ends_and_a_byte_order_mark_stay(mark: bytes) -> None:
    before = mark + song("  - name: a  # c\n    prompt: x\n    bars: 8").replace(b"\n", b"\r\n")
    after = edited(before, PATH, [Edit(("sections", 0, "seed"), 5)])
    assert after == before + b"\r\n    seed: 5"


def test_a_text_that_is_no_plain_yaml_is_quoted() -> None:
    before = song("  - name: a\n    prompt: x\n    bars: 8\n")
    after = edited(before, PATH, [Edit(("sections", 0, "prompt"), 'a "b": c # d')])
    assert parse_song(after, PATH).resolved.sections[0].points[0].prompt == 'a "b": c # d'


def test_a_value_that_an_alias_shares_is_refused() -> None:
    head = "x-one: &d {prompt: x, bars: 8}\n"
    before = song(
        "  - name: a\n    prompt: x\n    bars: 8\n    chain: &c [highpass: {cutoff_frequency_hz: 30}]\n"
        "  - name: b\n    prompt: y\n    bars: 8\n    chain: *c\n",
        head,
    )
    path = ("sections", 0, "chain", 0, "highpass", "cutoff_frequency_hz")
    with pytest.raises(UsageError, match="alias"):
        edited(before, PATH, [Edit(path, 40)])


def test_a_text_of_several_lines_is_refused() -> None:
    before = song("  - name: a\n    prompt: >\n      two\n      lines\n    bars: 8\n")
    with pytest.raises(UsageError, match="on one line"):
        edited(before, PATH, [Edit(("sections", 0, "prompt"), "x")])


def test_an_edit_that_makes_the_song_wrong_is_refused() -> None:
    before = song("  - name: a\n    prompt: x\n    bars: 8\n")
    with pytest.raises(SongError, match="strength"):
        edited(before, PATH, [Edit(("sections", 0, "strength"), 3)])


def test_sections_are_added_after_the_last_one_and_before_what_follows() -> None:
    before = song(
        "  - name: a\n    prompt: x\n    bars: 8  # end\n\n# mastering\nmaster:\n  integrated_lufs: -16\n"
    )
    walk = [{"prompt": "x", "seed": 3}, {"prompt": "it's: jazz", "seed": 3, "strength": 0.4}]
    after = with_sections(before, PATH, [{"name": "kept", "walk": walk, "interpolation_steps": 4}])
    head, tail = before.split(b"8  # end\n")
    assert after.startswith(head + b"8  # end\n  - name: kept\n    walk:\n")
    assert after.endswith(b"interpolation_steps: 4\n" + tail)
    kept = parse_song(after, PATH).resolved.sections[1]
    assert [point.prompt for point in kept.points] == ["x", "it's: jazz"]


def test_a_section_whose_name_is_taken_is_refused() -> None:
    before = song("  - name: a\n    prompt: x\n    bars: 8")
    with pytest.raises(SongError, match="name"):
        with_sections(before, PATH, [{"name": "a", "prompt": "y", "bars": 8}])
    assert with_sections(before, PATH, [{"name": "b", "prompt": "organ", "bars": 8}]).startswith(
        before + b"\n  - name: b\n"
    )
