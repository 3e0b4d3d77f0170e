"""Lints: what needs the model's profile, the catalogue or the song's files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from riffcomposer.checkpoints.profile import ModelProfile
from riffcomposer.loops.catalogue import Catalogue
from riffcomposer.song.lints import lint
from riffcomposer.song.reader import LoadedSong

Load = Callable[[str], LoadedSong]

PROFILE = ModelProfile("test model", num_inference_steps=20, strength=0.5, beat_keeping_strength=0.75)
FEW_STEPS = replace(PROFILE, num_inference_steps=3)


def _song(section: str, more: str = "") -> str:
    return f"tempo: 94\n{more}sections:\n  - {{{section}}}\n"


# section: (token, severity, code, words)
CASES = {
    "init: lofi-keys, prompt: a, bars: 8, strength: 0.04": (
        "0.04",
        "error",
        "no-steps",
        "num_inference_steps: 25",
    ),
    "init: lofi-keys, prompt: a, bars: 8, strength: 0.5, num_inference_steps: 1": (
        "0.5",
        "error",
        "no-steps",
        "no step to run",
    ),
    "init: lofi-keys, prompt: a, bars: 8, num_inference_steps: 1": (
        "1",
        "error",
        "no-steps",
        "strength 0.5 of 1 steps",
    ),
    "init: lofi-keys, prompt: a, bars: 8, denoising: 0.05": ("0.05", "warning", "one-step", "a single step"),
    "init: lofi-keys, prompt: a, bars: 8, strength: 0.8": ("0.8", "warning", "off-beat", "up to 0.75"),
    "init: lofi-keys, bars: 8, strength: 0, prompt: a": (
        "prompt",
        "warning",
        "no-effect",
        "prompt has no effect",
    ),
    "init: lofi-keys, bars: 8, strength: 0, mask: beats-80": (
        "mask",
        "warning",
        "no-effect",
        "mask has no effect",
    ),
    "walk: [{prompt: a, seed: 1}, {prompt: b, seed: 2}]": (
        "{prompt: b, seed: 2}",
        "warning",
        "wandering-leg",
        "one of them at a time",
    ),
    "walk: [{prompt: a, seed: 1}, {prompt: a, seed: 1}]": (
        "{prompt: a, seed: 1}",
        "warning",
        "idle-leg",
        "nothing changes",
    ),
    "prompt: a, bars: 8, scheduler: ddmi": ("ddmi", "error", "unknown-scheduler", "did you mean 'ddim'?"),
    "prompt: a, bars: 8, scheduler: quux": ("quux", "error", "unknown-scheduler", "it has ddim"),
    "prompt: a, bars: 8, gain_db: -60": ("-60", "warning", "silent-section", "is silent"),
    "prompt: a, bars: 8, fade_in: 9 bars": ("9 bars", "error", "fade-too-long", "fade_in is longer"),
    "prompt: a, duration: 10s, fade_in: 6s, fade_out: 5s": (
        "5s",
        "error",
        "fade-too-long",
        "are together longer",
    ),
    "prompt: a, bars: 8, init: lofi-keyz": (
        "lofi-keyz",
        "error",
        "unknown-name",
        "did you mean 'lofi-keys'?",
    ),
    "prompt: a, bars: 8, init: quux": ("quux", "error", "unknown-name", "riffcompose loops"),
    "prompt: a, bars: 8, init: lofi-keys, mask: beats-81": (
        "beats-81",
        "error",
        "unknown-name",
        "did you mean 'beats-80'?",
    ),
    "prompt: a, bars: 8, init: none.wav": ("none.wav", "error", "bad-path", "there is no file"),
    "prompt: a, bars: 8, init: {path: none.wav}": ("none.wav", "error", "bad-path", "there is no file"),
    "prompt: a, bars: 8, lora: [none.safetensors]": (
        "none.safetensors",
        "error",
        "bad-path",
        "there is no file",
    ),
    "prompt: a, bars: 8, init: waltz-box": ("waltz-box", "warning", "other-meter", "is in 3/4"),
    "prompt: a, bars: 8, init: {path: here.wav, tempo: 190}": (
        "{path: here.wav, tempo: 190}",
        "warning",
        "far-tempo",
        "190 BPM",
    ),
}


@pytest.mark.parametrize("section", CASES)
def test_one_lint_at_its_token(section: str, load: Load, small_catalogue: Catalogue, tmp_path: Path) -> None:
    token, severity, code, words = CASES[section]
    (tmp_path / "here.wav").write_bytes(b"RIFF")
    found = lint(load(_song(section)), PROFILE, small_catalogue)
    assert [(fault.line, fault.severity, fault.code) for fault in found] == [(3, severity, code)]
    assert found[0].source[found[0].column - 1 : found[0].end_column - 1] == token
    assert words in found[0].sentence


@pytest.mark.parametrize(
    "section",
    [
        "init: lofi-keys, prompt: a, bars: 8",
        "init: lofi-keys, bars: 8, strength: 0",
        "prompt: '(a:1.3) [b] \\(c', bars: 8",
        "walk: [{prompt: a, seed: 1}, {prompt: b, seed: 1}, {prompt: b, seed: 2}]",
        "prompt: a, bars: 8, fade_in: 4 bars, fade_out: 4 bars",
        "prompt: a, clips: 4, fade_in: 1 bar",
        "prompt: a, bars: 8, init: folder/here.wav",
    ],
)
def test_nothing_to_say(section: str, load: Load, small_catalogue: Catalogue, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "here.wav").write_bytes(b"RIFF")
    assert lint(load(_song(section)), PROFILE, small_catalogue) == []


def test_one_step_is_fine_with_a_model_made_for_few(load: Load, small_catalogue: Catalogue) -> None:
    song = load(_song("init: lofi-keys, prompt: a, bars: 8, strength: 0.4"))
    assert lint(song, FEW_STEPS, small_catalogue) == []
    assert [
        fault.code for fault in lint(song, replace(FEW_STEPS, num_inference_steps=2), small_catalogue)
    ] == ["no-steps"]


def test_a_model_without_negative_prompts(load: Load, small_catalogue: Catalogue) -> None:
    song = load(_song("prompt: a, bars: 8", "defaults: {negative_prompt: noise}\n"))
    (fault,) = lint(song, replace(PROFILE, supports_negative_prompt=False), small_catalogue)
    assert (fault.line, fault.column, fault.code, fault.severity) == (2, 12, "does-not-apply", "error")


def test_an_inherited_fault_is_said_once(load: Load, small_catalogue: Catalogue) -> None:
    text = "defaults: {init: nothing, strength: 0.9}\nsections:\n" + "  - {prompt: a, bars: 8}\n" * 5
    assert [fault.code for fault in lint(load(text), PROFILE, small_catalogue)] == [
        "unknown-name",
        "off-beat",
    ]


def test_without_a_profile(load: Load, small_catalogue: Catalogue) -> None:
    song = load(_song("init: nothing, prompt: a, bars: 8, scheduler: quux"))
    assert [fault.code for fault in lint(song, None, small_catalogue)] == ["unknown-name"]


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("loop: true\noutput: {formats: [mp3]}\n", ["loop-as-mp3"]),
        ("loop: true\noutput: {formats: [mp3, ogg]}\n", []),
        ("loop: true\n", []),
        ("output: {formats: [mp3]}\n", []),
    ],
)
def test_a_loop_as_mp3_alone(text: str, codes: list[str], load: Load, small_catalogue: Catalogue) -> None:
    found = lint(load(_song("prompt: a, bars: 8", text)), PROFILE, small_catalogue)
    assert [item.code for item in found] == codes
    assert all(item.source[item.column - 1 : item.end_column - 1] == "[mp3]" for item in found)
