"""Prompts that were written for other programs: each notation is named where it is."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from riffcomposer.diagnostics import Diagnostic
from riffcomposer.song.prompt_lints import lint_prompts
from riffcomposer.song.reader import LoadedSong

Load = Callable[[str], LoadedSong]


def lints(load: Load, prompt: str, style: str = "'{}'") -> list[Diagnostic]:
    song = load("sections:\n  - bars: 8\n    prompt: " + style.format(prompt.replace("'", "''")) + "\n")
    path = ("sections", 0, "prompt")
    return list(lint_prompts(song, [(song.resolved.sections[0].points[0].prompt, path)]))


# prompt: (what is pointed at, severity, code, words of the hint)
CASES = {
    "jazz <lora:tape v2:0.8>": (
        "<lora:tape v2:0.8>",
        "warning",
        "foreign-prompt",
        "path: tape v2.safetensors",
    ),
    "jazz <lyco:x>": ("<lyco:x>", "warning", "foreign-prompt", "under the key lora"),
    "jazz <hypernet:x:1>": ("<hypernet:x:1>", "warning", "foreign-prompt", "take it out"),
    "jazz embedding:easy_neg": ("embedding:easy_neg", "warning", "foreign-prompt", "take it out"),
    "jazz in <my-style>": ("<my-style>", "warning", "foreign-prompt", "take it out"),
    "jazz <|endoftext|> rain": ("<|endoftext|>", "warning", "foreign-prompt", "take it out"),
    "{slow|fast} jazz": ("{slow|fast}", "warning", "foreign-prompt", "points of a walk"),
    "{2$$a|b|c}": ("{2$$a|b|c}", "warning", "foreign-prompt", "points of a walk"),
    "__genre__ beat": ("__genre__", "warning", "foreign-prompt", "write the words out"),
    "[rain:sun:0.5]": ("[rain:sun:0.5]", "warning", "foreign-prompt", "a walk from one prompt"),
    "[rain:10]": ("[rain:10]", "warning", "foreign-prompt", "a walk from one prompt"),
    "[rain::0.3] x": ("[rain::0.3]", "warning", "foreign-prompt", "a walk from one prompt"),
    "[rain|sun]": ("[rain|sun]", "warning", "foreign-prompt", "a walk from one prompt"),
    "rain AND sun": ("AND", "warning", "foreign-prompt", "a walk from one prompt"),
    "rain BREAK sun": ("BREAK", "warning", "foreign-prompt", "take it out"),
    "{{rain}}": ("{rain}", "warning", "foreign-prompt", "(words:1.3)"),
    "[Verse 1] la la": ("[Verse 1]", "warning", "foreign-prompt", "a section of its own"),
    "[pre-chorus: soft] la": ("[pre-chorus: soft]", "warning", "foreign-prompt", "a section of its own"),
    "rain::2 sun": ("rain::2", "warning", "foreign-prompt", "a walk for several prompts"),
    "rain++ sun": ("rain++", "warning", "foreign-prompt", "(words:1.1)"),
    "(rain sun)-- x": (")--", "warning", "foreign-prompt", "(words:1.1)"),
    '("rain", "sun").blend(0.5, 0.5)': (").blend(", "warning", "foreign-prompt", "a walk"),
    "jazz --neg drums": ("--neg", "warning", "foreign-prompt", "the key negative_prompt"),
    "jazz --no drums": ("--no", "warning", "foreign-prompt", "the key negative_prompt"),
    "jazz --steps 20": ("--steps", "warning", "foreign-prompt", "the key num_inference_steps"),
    "jazz --ar 16:9": ("--ar", "warning", "foreign-prompt", "take it out"),
    "jazz Negative prompt: drums": ("Negative prompt:", "warning", "foreign-prompt", "negative_prompt"),
    "jazz, Steps: 20": ("Steps: 20", "warning", "foreign-prompt", "num_inference_steps"),
    "jazz in ${city}": ("${city}", "warning", "foreign-prompt", "write the words out"),
    "jazz （rain）": ("（", "warning", "foreign-prompt", "write ( ) [ ] :"),
    "soft rain:1.3 and sun": ("rain:1.3", "warning", "foreign-prompt", "(words:1.3)"),
    "(soft rain)1.3": (")1.3", "warning", "foreign-prompt", "(words:1.3)"),
    "/imagine prompt: rain": ("/imagine prompt:", "warning", "foreign-prompt", "take it out"),
    '{"0": "rain", "30": "sun"}': ('{"0": "rain", "30": "sun"}', "warning", "foreign-prompt", "(words)"),
    "[[rain:sun:0.3]:snow:0.6]": ("[rain:sun:0.3]", "warning", "foreign-prompt", "a walk"),
    "a (rain:-1)": ("(rain:-1)", "error", "prompt-weight", "negative_prompt"),
    "a (rain:.5)": ("(rain:.5)", "error", "prompt-weight", "as in 1.3"),
    "a (rain:1,3)": ("(rain:1,3)", "error", "prompt-weight", "as in 1.3"),
    "a (rain:120%)": ("(rain:120%)", "error", "prompt-weight", "as in 1.3"),
    "a (rain:99999)": ("(rain:99999)", "error", "prompt-weight", "0.5 to 1.6"),
    "a ((rain:5):3)": ("(rain:5)", "error", "prompt-weight", "0.5 to 1.6"),
    "a (tempo: 120)": ("(tempo: 120)", "error", "prompt-weight", "\\( and \\)"),
    "a (rain:0)": ("(rain:0)", "warning", "zero-weight", "negative_prompt"),
    "a () b": ("()", "warning", "empty-brackets", "take it out"),
    "a [ ] b": ("[ ]", "warning", "empty-brackets", "take it out"),
    "a (:1.3) b": ("(:1.3)", "warning", "empty-brackets", "take it out"),
    "a (b": ("(", "warning", "brackets", "write \\( for"),
    "a b] c": ("]", "warning", "brackets", "write \\] for"),
    "a :)": (")", "warning", "brackets", "write \\) for"),
}


@pytest.mark.parametrize("prompt", CASES)
def test_one_remark_at_its_place(prompt: str, load: Load) -> None:
    token, severity, code, words = CASES[prompt]
    (found,) = lints(load, prompt)
    assert (found.line, found.severity, found.code) == (3, severity, code)
    assert found.source[found.column - 1 : found.end_column - 1] == token
    assert words in found.hint


@pytest.mark.parametrize(
    "prompt",
    [
        "soft rhodes chords, rainy night",
        "(bells:1.3) and [drums], ((loud)) (quiet:0.5)",
        r"\(a\) \[b:c:0.5\] \[verse\] 3 \(x:-1\)",
        "ROCK AND ROLL",
        "drum-and-bass, R&B, 90's house, 8-bit",
        "piano - soft -- and slow",
        "under_score __init",
        "tempo: 120, key: A minor",
        "I <3 jazz, a < b > c",
        "5$ guitar, 100%",
        "café ☃ 雨の夜",
        "[quiet drums]",
        "(a:1.0) (b:10)",
        "C# minor; f/g, a+b",
        "masterpiece, best quality, score_9, score_8_up",
        "(soft rain:1.3), 3:16 past, ratio 1.5, key:C",
        "(a (b:1.2) c:0.8)",
    ],
)
def test_ordinary_prompts_are_left_alone(prompt: str, load: Load) -> None:
    assert lints(load, prompt) == []


def test_everything_in_one_prompt_is_said_once_each(load: Load) -> None:
    prompt = "(a) <lora:x:1> {a|b} [c:d:0.5] e AND f (g:-1) <lora:y:1> (h"
    assert [item.code for item in lints(load, prompt)].count("foreign-prompt") == 4
    assert sorted(item.code for item in lints(load, prompt))[0] == "brackets"


@pytest.mark.parametrize(
    "style", [">\n      soft rain,\n      {}\n      and more", "|\n      soft\n\n      {}"]
)
def test_the_place_in_a_prompt_of_several_lines(style: str, load: Load) -> None:
    (found,) = lints(load, "warm (x:-1) pad", style)
    assert found.source.strip() == "warm (x:-1) pad"
    assert found.source[found.column - 1 : found.end_column - 1] == "(x:-1)"


@pytest.mark.parametrize(
    ("written", "token"),
    [
        (r'"a \x28:1.3)"', r"\x28:1.3)"),
        (r'"d\u00e9j\u00e0 (vu:99) pad"', "(vu:99)"),
        (r'"pad (d\u00e9j\U000000e0:99) \"x\""', r"(d\u00e9j\U000000e0:99)"),
        (r'"a\tb\\c (d:99)"', "(d:99)"),
        ("'it''s (it''s:99) x'", "(it''s:99)"),
        ("it''s (it''s:99) x", "(it''s:99)"),
        ("夜のバス (電車:99)", "(電車:99)"),
    ],
)
def test_the_place_in_a_prompt_with_escapes(written: str, token: str, load: Load) -> None:
    (found,) = lints(load, "x", written)
    assert found.source[found.column - 1 : found.end_column - 1] == token


@pytest.mark.parametrize(
    "unit", ["(", "[", "{|", "a::", "__", "[:1", ":1", "w", "(a:1.", "<lora:", "--a ", "）"]
)
def test_hostile_prompts_are_no_trouble(unit: str, load: Load) -> None:
    assert len(lints(load, (unit * 2000)[:2000])) < 1200


@pytest.mark.parametrize("prompt", ["   ", "...", "\u200d", " , - "])
def test_a_prompt_without_words_is_warned_of(prompt: str, load: Load) -> None:
    assert [(each.code, each.severity) for each in lints(load, prompt)] == [("empty-prompt", "warning")]


@pytest.mark.parametrize("prompt", ["\u591c", "808", "\U0001f3b9", "\u0639\u0648\u062f"])
def test_words_of_any_script_are_words(prompt: str, load: Load) -> None:
    assert lints(load, prompt) == []
