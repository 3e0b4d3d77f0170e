"""Layers of a section: faults at their places, and what a layer takes from its section and from `use`."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from planned_songs import read

from riffcomposer.curves import ZERO, Curve
from riffcomposer.diagnostics import Diagnostic
from riffcomposer.song.resolved import ResolvedSection
from riffcomposer.units import Length

Faults = Callable[[str], list[Diagnostic]]

HEAD = "sections:\n  - name: verse\n    prompt: jazz\n    bars: 8\n"
TWO = HEAD + "    layers:\n      - {name: drums}\n"

# text: (line, token, code, words of the sentence)
CASES = {
    TWO: (6, "- {name: drums}", "few-layers", "'drums' is the only layer"),
    TWO + "      - {name: drums}\n      - {name: keys}\n": (7, "drums", "duplicate-name", "taken by layer 1"),
    TWO + "      - {prompt: bells}\n": (7, "{prompt: bells}", "missing-key", "name is missing"),
    TWO + "      - {name: keys, bars: 4}\n": (7, "bars", "does-not-apply", "state it in the section"),
    TWO + "      - {name: keys, transition: cut}\n": (7, "transition", "does-not-apply", "to a layer"),
    TWO + "      - {name: keys, overlap: 1 beat}\n": (7, "overlap", "does-not-apply", "to a layer"),
    TWO + "      - {name: keys, use: verse}\n": (7, "use", "does-not-apply", "to a layer"),
    TWO + "      - {name: keys, paan: 1}\n": (7, "paan", "unknown-key", "did you mean 'pan'?"),
    TWO + "      - {name: keys, pan: 2}\n": (7, "2", "out-of-range", "pan must be at most 1"),
    TWO + "      - {name: keys, from_energy: -1}\n": (7, "-1", "out-of-range", "at least 0"),
    TWO + "      - {name: keys, strength: 1, denoising: 1}\n": (7, "denoising", "exclusive-keys", "strength"),
    TWO + "      - {name: keys, init: ../x.wav}\n": (7, "../x.wav", "bad-path", ""),
    TWO + "      - {name: keys, init: none, strength: 0.5}\n": (
        7,
        "strength",
        "does-not-apply",
        "a layer without init",
    ),
    TWO + "      - {name: keys, init: lofi-keys, score: {parts: [bass]}}\n": (
        7,
        "score",
        "does-not-apply",
        "this layer starts from 'lofi-keys'",
    ),
    TWO + "      - {name: keys, score: {seed: 3}}\n": (7, "seed", "does-not-apply", "the section's score"),
    TWO + "      - {name: keys, score: {parts: {bass: walking}}}\n": (
        7,
        "parts",
        "does-not-apply",
        "write a list of roles",
    ),
    TWO + "      - {name: keys, walk: [{seed: 1, prompt: a}, {seed: 2, prompt: b}], prompt: c}\n": (
        7,
        "prompt",
        "does-not-apply",
        "every point",
    ),
    TWO + "      - {name: keys, chain: [{gain: {}, reverb: {}}]}\n": (
        7,
        "{gain: {}, reverb: {}}",
        "one-effect",
        "",
    ),
    HEAD.replace("    prompt: jazz\n", "")
    + "    layers:\n      - {name: drums, prompt: brushes}\n      - {name: keys}\n": (
        6,
        "{name: keys}",
        "missing-key",
        "this layer has no prompt",
    ),
    HEAD
    + "    score: {key: C}\n    layers:\n      - {name: a, init: none}\n      - {name: b, init: rain}\n": (
        5,
        "score",
        "does-not-apply",
        "no layer starts from it",
    ),
    TWO
    + "      - {name: keys}\n  - use: verse\n    layers:\n"
    + "".join(f"      - {{name: l{n}}}\n" for n in range(15)): (
        10,
        None,
        "many-layers",
        "at most 16 layers (got 17",
    ),
}


@pytest.mark.parametrize("text", CASES)
def test_a_fault_is_shown_at_its_place(faults_in: Faults, text: str) -> None:
    line, token, code, words = CASES[text]
    (fault,) = faults_in(text)
    assert (fault.line, fault.code) == (line, code), fault.sentence
    assert words in f"{fault.message} {fault.hint}"
    if token is not None:
        assert fault.source[fault.column - 1 : fault.end_column - 1] in token


FINE = [
    TWO + "      - {name: keys, prompt: rhodes, strength: 0.3, pan: -1, from_energy: 0.4}\n",
    TWO + "      - {name: keys}\n  - use: verse\n    layers:\n      - {name: keys, strength: 0.9}\n",
    # Energy is stated for the gate alone.
    HEAD + "    init: lofi-keys\n    score: {energy: {0: 0, 4: 1}}\n    layers:\n      - {name: a}\n"
    "      - {name: b, from_energy: 0.5}\n",
]


@pytest.mark.parametrize("text", FINE)
def test_what_goes_together_is_fine(faults_in: Faults, text: str) -> None:
    assert faults_in(text) == []


def layers(text: str, section: int = 0) -> dict[str, ResolvedSection]:
    return {layer.name: layer for layer in read(text).resolved.sections[section].layers}


def test_a_layer_takes_from_its_section_what_is_rendered_and_not_how_it_is_mixed() -> None:
    found = layers(
        HEAD + "    seed: 9\n    init: lofi-keys\n    strength: 0.5\n    gain_db: -3\n    fade_in: 1 bar\n"
        "    overlap: 1 beat\n    chain: [{gain: {gain_db: 2}}]\n    layers:\n      - {name: a}\n"
        "      - {name: b, prompt: bells, denoising: 0.2, init: rain, fade_out: 2 bars}\n"
    )
    a, b = found["a"], found["b"]
    assert (a.points[0].prompt, a.points[0].seed, a.points[0].strength) == ("jazz", 9, Curve.level(0.5))
    assert (a.gain_db, a.fade_in, a.chain) == (ZERO, None, ())
    assert (a.bars, a.overlap) == (8, Length.parse("1 beat"))
    assert (b.points[0].prompt, b.points[0].seed, b.points[0].strength) == ("bells", 9, Curve.level(0.2))
    assert b.init is not None
    assert (b.init.name, b.fade_out, b.bars) == ("rain", Length.parse("2 bars"), 8)
    assert b.where("denoising") == ("sections", 0, "layers", 1, "denoising")
    assert b.where("seed") == ("sections", 0, "seed")


def test_a_prompt_of_a_layer_replaces_the_walk_of_its_section() -> None:
    found = layers(
        "sections:\n  - walk: [{prompt: a}, {prompt: b}]\n    bars: 8\n    layers:\n      - {name: x}\n"
        "      - {name: y, prompt: bells}\n"
    )
    assert [point.prompt for point in found["x"].points] == ["a", "b"]
    assert [point.prompt for point in found["y"].points] == ["bells"]
    assert found["y"].is_seed_walk


def test_use_changes_layers_by_name_and_adds_others() -> None:
    text = (
        TWO.replace("{name: drums}", "{name: drums, gain_db: -2, prompt: brushes}")
        + "      - {name: keys, prompt: rhodes}\n"
        + "  - use: verse\n    seed: 5\n    layers:\n      - {name: drums, strength: 0.9}\n"
        + "      - {name: pad, prompt: strings}\n"
    )
    found = layers(text, 1)
    assert list(found) == ["drums", "keys", "pad"]
    drums = found["drums"]
    assert (drums.points[0].prompt, drums.points[0].strength) == ("brushes", Curve.level(0.9))
    assert drums.gain_db == Curve.level(-2)
    assert {layer.points[0].seed for layer in found.values()} == {5}
    assert drums.where("prompt") == ("sections", 0, "layers", 0, "prompt")
    assert drums.where("strength") == ("sections", 1, "layers", 0, "strength")
    assert layers(text)["drums"].points[0].strength is None


def test_roles_that_a_layer_hears_come_from_itself_or_its_section() -> None:
    found = layers(
        TWO.replace("{name: drums}", "{name: drums, score: {parts: [drums]}}").replace(
            "    bars: 8\n", "    bars: 8\n    score: {parts: [bass, lead], key: C}\n"
        )
        + "      - {name: band}\n"
    )
    assert found["drums"].score.heard == ("drums",)
    assert found["band"].score.heard == ("bass", "lead")
    assert {layer.score.key for layer in found.values()} == {"C"}
