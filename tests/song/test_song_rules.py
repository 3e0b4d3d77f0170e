"""Faults that need more than one value, each at its token and with what to do."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from riffcomposer.diagnostics import Diagnostic

Faults = Callable[[str], list[Diagnostic]]


def token_of(fault: Diagnostic) -> str:
    """What the carets stand under."""
    return fault.source[fault.column - 1 : fault.end_column - 1]


VERSE = "sections:\n  - {name: verse, prompt: jazz, bars: 8}\n"


# text: (line, token, code, words of the sentence)
CASES = {
    "sections:\n  - {prompt: jazz, bars: 8, clips: 4}\n": (
        2,
        "clips",
        "exclusive-keys",
        "clips and bars cannot be used together",
    ),
    "sections:\n  - {prompt: jazz, duration: 20s, bars: 8}\n": (
        2,
        "bars",
        "exclusive-keys",
        "bars and duration",
    ),
    "defaults: {strength: 1, denoising: 1}\n" + VERSE: (
        1,
        "denoising",
        "exclusive-keys",
        "denoising and strength",
    ),
    VERSE + "  - {name: verse, prompt: jazz, bars: 8}\n": (
        3,
        "verse",
        "duplicate-name",
        "already taken by section 1",
    ),
    VERSE + "  - use: vers\n": (3, "vers", "unknown-section", "did you mean 'verse'?"),
    "sections:\n  - use: verse\n": (2, "verse", "unknown-section", "give the section a name first"),
    "sections:\n  - {name: a, use: a}\n": (2, "a", "use-circle", "cannot use it"),
    "sections:\n  - {name: a, use: b}\n  - {name: b, use: a}\n": (
        2,
        "b",
        "use-circle",
        "'b' builds on this section",
    ),
    "sections:\n  - {bars: 8}\n": (2, "{bars: 8}", "missing-key", "no prompt"),
    "sections:\n  - {prompt: jazz}\n": (2, "{prompt: jazz}", "missing-key", "write bars: 8"),
    "sections:\n  - walk: [{prompt: a}, {seed: 3}]\n": (
        2,
        "{seed: 3}",
        "missing-key",
        "point 2 of the walk has no prompt",
    ),
    "sections:\n  - walk: [{prompt: a}, {prompt: b}]\n    prompt: c\n": (
        3,
        "prompt",
        "does-not-apply",
        "prompt does not apply",
    ),
    "sections:\n  - walk: [{prompt: a, seed: 1}, {prompt: b, seed: 1}]\n    seed: 2\n": (
        3,
        "seed",
        "does-not-apply",
        "seed",
    ),
    "sections:\n  - {name: w, walk: [{prompt: a, seed: 1}, {prompt: b, seed: 1}]}\n  - {use: w, seed: 2}\n": (
        3,
        "seed",
        "does-not-apply",
        "state the walk again",
    ),
    "model: ./mine\nsections:\n  - {prompt: jazz, bars: 8, strength: 0.5}\n": (
        3,
        "strength",
        "does-not-apply",
        "without init",
    ),
    "model: ./mine\nsections:\n  - {prompt: jazz, bars: 8, mask: beats-80}\n": (
        3,
        "mask",
        "does-not-apply",
        "without init",
    ),
    "defaults: {init: keys}\nsections:\n  - {prompt: jazz, bars: 8, init: none, denoising: 0.5}\n": (
        3,
        "denoising",
        "does-not-apply",
        "denoising does not apply",
    ),
    "model: ./mine\nsections:\n  - {prompt: jazz, walk: [{seed: 1, strength: 0.5}, {seed: 2}]}\n": (
        3,
        "strength",
        "does-not-apply",
        "without init",
    ),
    "sections:\n  - {prompt: jazz, bars: 8, init: bells, score: {style: jazz}}\n": (
        2,
        "score",
        "does-not-apply",
        "starts from 'bells'",
    ),
    "sections:\n  - {prompt: jazz, bars: 8, score: {style: jaz}}\n": (
        2,
        "jaz",
        "bad-value",
        "did you mean 'jazz'",
    ),
    "sections:\n  - {prompt: jazz, bars: 8, score: {key: H minor}}\n": (
        2,
        "H minor",
        "bad-value",
        "not a key",
    ),
    "sections:\n  - {prompt: jazz, bars: 8, score: {chords: Am | Xm}}\n": (2, "Am | Xm", "bad-value", "Xm"),
    "sections:\n  - {prompt: jazz, bars: 8, score: {energy: 1.5}}\n": (
        2,
        "1.5",
        "out-of-range",
        "energy must be at most 1",
    ),
    "sections:\n  - {prompt: jazz, bars: 8, score: {energy: {x: 1}}}\n": (
        2,
        "{x: 1}",
        "bad-value",
        "bars as its keys",
    ),
    "sections:\n  - {prompt: jazz, bars: 8, score: {parts: {lead: flut}}}\n": (
        2,
        "{lead: flut}",
        "bad-value",
        "did you mean 'flute'",
    ),
    "sections:\n  - {prompt: jazz, bars: 8, init: {path: a.wav, tracks: [1]}}\n": (
        2,
        "tracks",
        "does-not-apply",
        "only to a MIDI file",
    ),
    "sections:\n  - {prompt: jazz, bars: 8, init: {path: a.mid, tempo: 90}}\n": (
        2,
        "tempo",
        "does-not-apply",
        "the song's tempo",
    ),
    "sections:\n  - {prompt: jazz, bars: 8, alpha_power: 2}\n": (
        2,
        "alpha_power",
        "does-not-apply",
        "alpha_curve: power only",
    ),
    "defaults: {alpha_power: 2, alpha_curve: ease}\n" + VERSE: (
        1,
        "alpha_power",
        "does-not-apply",
        "alpha_curve: power only",
    ),
    VERSE + "  - {use: verse, transition: {type: cut, length: 1 bar}}\n": (
        3,
        "length",
        "does-not-apply",
        "only to a crossfade",
    ),
    VERSE + "  - {use: verse, transition: {clips: 3}}\n": (3, "clips", "does-not-apply", "only to a bridge"),
    "sections:\n  - {prompt: jazz, bars: 8, transition: cut}\n": (
        2,
        "transition",
        "does-not-apply",
        "loop: true",
    ),
    "master: {chain: [{gain: {}, reverb: {}}]}\n" + VERSE: (
        1,
        "{gain: {}, reverb: {}}",
        "one-effect",
        "got gain, reverb",
    ),
    "master: {chain: [{}]}\n" + VERSE: (1, "{}", "one-effect", "got none"),
    "output: {formats: [wav, flac, wav]}\n" + VERSE: (1, "wav", "duplicate-item", "listed twice"),
    "defaults: {init: {path: lofi-keys, tempo: 90}}\n" + VERSE: (
        1,
        "tempo",
        "does-not-apply",
        "only to a file",
    ),
    "defaults: {init: ../keys.wav}\n" + VERSE: (1, "../keys.wav", "bad-path", "leads out of"),
    "defaults: {init: {path: /etc/passwd}}\n" + VERSE: (1, "/etc/passwd", "bad-path", "relative path"),
    "defaults: {init: ~/keys.wav}\n" + VERSE: (1, "~/keys.wav", "bad-path", "relative path"),
    "defaults: {init: 'https://example.org/keys.wav'}\n" + VERSE: (
        1,
        "'https://example.org/keys.wav'",
        "bad-path",
        "is a web address",
    ),
    "defaults: {init: 'a\\b.wav'}\n" + VERSE: (1, "'a\\b.wav'", "bad-path", "forward slashes"),
    "defaults: {init: keys.pdf}\n" + VERSE: (1, "keys.pdf", "bad-path", "not a file of the right kind"),
    "defaults: {mask: mask.tif}\n" + VERSE: (1, "mask.tif", "bad-path", "not a file of the right kind"),
    "defaults: {lora: [style]}\n" + VERSE: (1, "style", "bad-path", ".safetensors"),
    "defaults: {lora: [{path: a.bin}]}\n" + VERSE: (1, "a.bin", "bad-path", "a pickle, which can run code"),
    "defaults: {lora: [a.ckpt]}\n" + VERSE: (1, "a.ckpt", "bad-path", "get it as .safetensors"),
    "defaults: {lora: [loras/style]}\n" + VERSE: (1, "loras/style", "bad-path", "loras/style.safetensors"),
    "defaults: {lora: ['<lora:a b:0.8>']}\n" + VERSE: (
        1,
        "'<lora:a b:0.8>'",
        "bad-path",
        "write {path: a b.safetensors, weight: 0.8}",
    ),
    "defaults: {lora: ['a.safetensors:0.8']}\n" + VERSE: (
        1,
        "'a.safetensors:0.8'",
        "bad-path",
        "write {path: a.safetensors, weight: 0.8}",
    ),
    "defaults: {lora: ['<lora:tape>']}\n" + VERSE: (1, "'<lora:tape>'", "bad-path", "write tape.safetensors"),
    "defaults: {lora: [tape.gguf]}\n" + VERSE: (1, "tape.gguf", "bad-path", "right kind (.safetensors)"),
    "bpm: 90\n" + VERSE: (1, "bpm", "unknown-key", "did you mean 'tempo'?"),
    "strength: 0.5\n" + VERSE: (1, "strength", "unknown-key", "it belongs in a section"),
    "defaults: {prompt: jazz}\n" + VERSE: (1, "prompt", "unknown-key", "it belongs in a section"),
    "defaults: {tempo: 90}\n" + VERSE: (1, "tempo", "unknown-key", "it belongs at the top of the song"),
    "feeling: sad\n" + VERSE: (1, "feeling", "unknown-key", "keys of your own begin with x-"),
    "loop: yes\n" + VERSE: (1, "yes", "wrong-type", "write true"),
    "master: {chain: [reverb]}\n" + VERSE: (1, "reverb", "wrong-type", "write {reverb: {}}"),
    "output: {formats: mp3}\n" + VERSE: (1, "mp3", "wrong-type", "write [mp3]"),
    "title: 1984\n" + VERSE: (1, "1984", "wrong-type", "put it in quotes"),
    "tempo: '90'\n" + VERSE: (1, "'90'", "wrong-type", "take the quotes away"),
    "tempo: 1_00\n" + VERSE: (1, "1_00", "wrong-type", "write 100"),
    "model: org/name\n" + VERSE: (1, "org/name", "bad-value", "40 hex digits"),
}


@pytest.mark.parametrize("text", CASES)
def test_one_fault_at_its_token(text: str, faults_in: Faults) -> None:
    line, token, code, words = CASES[text]
    found = faults_in(text)
    assert [(fault.line, token_of(fault), fault.code) for fault in found] == [(line, token, code)]
    assert words in found[0].sentence


@pytest.mark.parametrize(
    "text",
    [
        "defaults: {init: keys}\nsections:\n  - {bars: 8, strength: 0}\n",
        "defaults: {strength: 0.4}\n" + VERSE,
        "loop: true\nsections:\n  - {prompt: jazz, bars: 8, transition: {type: bridge}}\n",
        "length: 10min\nsections:\n  - {prompt: jazz, bars: 8, transition: cut}\n",
        "defaults: {transition: cut}\n" + VERSE,
        "sections:\n  - {prompt: jazz, walk: [{seed: 1}, {prompt: bells}]}\n",
        VERSE + "  - {use: verse, clips: 2}\n  - {use: verse, walk: [{prompt: a}, {prompt: b}]}\n",
        "sections:\n  - {use: later}\n  - {name: later, prompt: jazz, bars: 8}\n",
        VERSE + "  - {use: verse, init: none, mask: none}\n",
    ],
)
def test_fine(text: str, faults_in: Faults) -> None:
    assert faults_in(text) == []


def test_sections_on_a_circle_or_a_missing_one_are_not_blamed_twice(faults_in: Faults) -> None:
    text = "sections:\n  - {name: a, use: b}\n  - {name: b, use: a}\n  - {use: a}\n"
    text += "  - {name: c, use: nothing}\n  - use: c\n"
    assert [(fault.line, fault.code) for fault in faults_in(text)] == [
        (2, "use-circle"),
        (5, "unknown-section"),
    ]


def test_use_is_bounded(faults_in: Faults) -> None:
    def chain(length: int) -> str:
        uses = "".join(f"  - {{name: s{number}, use: s{number + 1}}}\n" for number in range(length))
        return f"sections:\n{uses}  - {{name: s{length}, prompt: jazz, bars: 8}}\n"

    assert faults_in(chain(15)) == []
    assert [(fault.line, fault.code) for fault in faults_in(chain(17))] == [
        (2, "use-too-deep"),
        (3, "use-too-deep"),
    ]


def test_digits_of_another_script_have_no_quotes_to_take_away(faults_in: Faults) -> None:
    found = faults_in("tempo: \u0669\u0660\n" + VERSE)
    assert [(fault.code, fault.hint) for fault in found] == [("wrong-type", "")]
