"""Warns of prompt notation of other programs, which is read here as plain words.

Each rule recognises a notation, says what it means here, and what to write instead.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from riffcomposer.diagnostics import Diagnostic, NodePath, Severity
from riffcomposer.song.emphasis import MAX_WEIGHT, brackets, lone_brackets
from riffcomposer.song.reader import LoadedSong
from riffcomposer.song.yaml_text import without_escapes
from riffcomposer.text import shorten

_MAX_LINES = 100


@dataclass(frozen=True)
class _Remark:
    """One remark about a prompt, and the part of the prompt that it is about."""

    text: str
    code: str
    message: str
    hint: str
    severity: Severity = "warning"


@dataclass(frozen=True)
class _Rule:
    """A notation of other programs. `{0}` in the texts is what was found, `{1}` its first group."""

    pattern: str
    message: str
    hint: str


_SECTIONS = (
    "intro|outro|verse|chorus|pre-?chorus|post-?chorus|refrain|hook|bridge|drop|build-?up|breakdown|interlude|"
    "instrumental|solo|coda|end|fade ?out"
)
_OPTIONS = {
    "neg": "negative_prompt",
    "no": "negative_prompt",
    "negative": "negative_prompt",
    "seed": "seed",
    "steps": "num_inference_steps",
    "cfg": "guidance_scale",
    "scale": "guidance_scale",
    "strength": "strength",
    "sampler": "scheduler",
}

_RULES = (
    _Rule(
        r"<(?:lora|lyco):([^:<>]*)(?::[^<>]*)?>",
        "{0} loads no LoRA here, its letters are read as words",
        "list the file under the key lora, as in lora: [{{path: {1}.safetensors, weight: 0.8}}]",
    ),
    _Rule(
        r"<hypernet:[^<>]*>|\bembedding:[\w.-]+|<[\w-]+>",
        "{0} loads nothing here (embeddings and hypernetworks are not read), its letters are read as words",
        "take it out",
    ),
    _Rule(
        r"<\|[\w-]+\|>|</s>",
        "{0} is a mark of language models, at which a prompt can end",
        "take it out",
    ),
    _Rule(
        r"\{[^{}|]*\|[^{}]*\}",
        "{0} does not choose one of several here, all of it is read as words",
        "write the one that you want, or several as points of a walk",
    ),
    _Rule(
        r"\$\{?[A-Za-z_]\w*\}?|%[A-Za-z_]\w*%",
        "{0} is not replaced by anything here",
        "write the words out",
    ),
    _Rule(
        r"\b__[\w/*-]+__", "{0} is not a wildcard here, its letters are read as words", "write the words out"
    ),
    _Rule(
        r"(?<!\\)\[[^\[\]|]*\|[^\[\]]*\]",
        "{0} does not alternate here, it only weighs all of its words less",
        "write a walk from one prompt to the other",
    ),
    _Rule(
        r"(?<!\\)\[[^\[\]]*:\s*[\d.]+\s*\]",
        "{0} does not change the prompt half-way here, it only weighs all of its words less",
        "write a walk from one prompt to the other; a smaller weight is (words:0.8)",
    ),
    _Rule(
        rf"(?i)(?<!\\)\[\s*(?:{_SECTIONS})(?:\s*\d+)?(?:\s*[:-][^\[\]]*)?\s*\]",
        "{0} does not start a part of the song here, it is a word that weighs less",
        "give each part a section of its own",
    ),
    _Rule(
        r"\{[^{}|]*\}",
        "{0} is not a weight here, its brackets are ordinary characters",
        "write (words) or (words:1.3)",
    ),
    _Rule(
        r"[\uff08\uff09\uff3b\uff3d\u3010\u3011\uff1a]",
        "the full-width {0} is an ordinary character here, not a weight",
        "write ( ) [ ] : for weights",
    ),
    _Rule(
        r"(?:\b\w{1,60}|\))\s*::\s*-?[\d.]*",
        "{0} does not separate or weigh prompts here, it is an ordinary character",
        "write (words:1.3) for a weight, or a walk for several prompts",
    ),
    _Rule(r"(?:\b\w{1,60}|\))(?:\+{2,}|-{2,})(?=[\s,.]|$)", "{0} is not a weight here", "write (words:1.1)"),
    _Rule(
        r"\b[A-Za-z]\w{0,60}:\d\.\d+\b(?!\s*\\?[)\]])|\)\s?\d\.\d+\b",
        "{0} is not a weight here, the weight belongs inside the brackets",
        "write (words:1.3)",
    ),
    _Rule(r"^\s*/imagine\b(?: prompt:)?", "{0} is not a command here, it is read as words", "take it out"),
    _Rule(
        r"\)\.(?:and|blend|swap)\(",
        "{0} does not join prompts here, its letters are read as words",
        "write a walk from one prompt to the other",
    ),
    _Rule(
        r"(?i)\bnegative prompt:",
        "{0} does not start a negative prompt here, the words after it are played",
        "move it to the key negative_prompt",
    ),
    _Rule(
        r"\b(?:Steps|Sampler|CFG scale|Model hash): ?[\w.+]+",
        "{0} sets nothing here, it is read as words",
        "use the keys num_inference_steps, scheduler, guidance_scale and seed",
    ),
)
_MARK = re.compile(r"[<{\[)|:$%/\uff08\uff09\uff3b\uff3d\u3010\u3011\uff1a]|__|--|\+\+|AND|BREAK")
"""Characters of which every notation contains one; a prompt without them is not searched further."""
_OPTION = re.compile(r"(?<!\S)--(\w+)")
_CAPITALS = {
    "AND": ("does not join prompts here", "write a walk from one prompt to the other"),
    "BREAK": ("does not start a new chunk here (long prompts are split automatically)", "take it out"),
}
_ODD_WEIGHT = re.compile(r"(?s).*:\s*([+-]?[\d.,]*\d[\d.,]*\s*%?)\s*")


def _weights(prompt: str) -> Iterator[_Remark]:
    """Finds brackets without words or partner, and weights that are not numbers or too large."""
    if lone := lone_brackets(prompt):
        message = f"{shorten(lone)} has no partner, so it weighs no words"
        yield _Remark(lone[0], "brackets", message, f"write \\{lone[0]} for the character itself")
    largest = None
    for bracket in brackets(prompt):
        shown = shorten(bracket.text)
        odd = None if bracket.is_explicit or bracket.text[0] == "[" else _ODD_WEIGHT.fullmatch(bracket.words)
        if not bracket.words.strip(" ,:"):
            yield _Remark(bracket.text, "empty-brackets", f"{shown} weighs no words", "take it out")
        elif odd:
            message = f"{shown} has a weight that is not one: {odd[1].strip()}"
            hint = f"write 0 to {MAX_WEIGHT:g} as in 1.3; what not to play is said in negative_prompt"
            yield _Remark(bracket.text, "prompt-weight", message, hint, "error")
        elif bracket.total > MAX_WEIGHT and (largest is None or bracket.total > largest.total):
            largest = bracket
        elif bracket.is_explicit and bracket.weight == 0:
            message = f"{shown} weighs its words 0: they are left out"
            yield _Remark(bracket.text, "zero-weight", message, "take them out, or use negative_prompt")
    if largest is not None:
        shown = shorten(largest.text)
        message = f"{shown} weighs its words {largest.total:g} times, at most {MAX_WEIGHT:g} is read"
        hint = "weights that help are 0.5 to 1.6; write \\( and \\) where brackets are meant as characters"
        yield _Remark(largest.text, "prompt-weight", message, hint, "error")


def _foreign(prompt: str) -> Iterator[_Remark]:
    """Finds notations of other programs, each once."""
    if not _MARK.search(prompt):
        return
    rest = prompt
    for rule in _RULES:
        if match := re.search(rule.pattern, rest):
            groups = (
                shorten(match[0].strip()),
                *(shorten(group or "", 60)[1:-1] for group in match.groups()),
            )
            message, hint = (text.format(*groups) for text in (rule.message, rule.hint))
            yield _Remark(match[0].strip(), "foreign-prompt", message, hint)
            rest = re.sub(rule.pattern, " ", rest)
    if option := _OPTION.search(prompt):
        key = _OPTIONS.get(option[1].lower())
        hint = f"use the key {key}" if key else "take it out"
        message = f"{shorten(option[0])} is not an option here, it and what follows are read as words"
        yield _Remark(option[0], "foreign-prompt", message, hint)
    if any(character.islower() for character in prompt):
        for word, (message, hint) in _CAPITALS.items():
            if re.search(rf"(?<![\w-]){word}(?![\w-])", prompt):
                yield _Remark(word, "foreign-prompt", f"{word} {message}, it is read as a word", hint)


def _blank(prompt: str) -> Iterator[_Remark]:
    """Finds a prompt without a letter, a digit or a symbol: blanks, marks and invisible characters alone."""
    if prompt and all(unicodedata.category(character)[0] in "ZPCM" for character in prompt):
        message = f"the prompt {shorten(prompt)} has no words, so anything may sound"
        yield _Remark(prompt, "empty-prompt", message, "say what is heard, as in: soft rhodes")


def lint_prompts(song: LoadedSong, prompts: Iterable[tuple[str, NodePath]]) -> Iterator[Diagnostic]:
    """Warns about prompts, each remark at the words that it is about.

    Args:
        prompts: The prompts, each with where it is written in the song.
    """
    for prompt, path in prompts:
        for remark in (
            *_weights(prompt),
            *_foreign(prompt),
            *(() if path[-1:] == ("negative_prompt",) else _blank(prompt)),
        ):
            found = song.diagnostic(remark.severity, remark.code, remark.message, path, remark.hint)
            yield _narrowed(song, found, remark.text, prompt)


def _narrowed(song: LoadedSong, found: Diagnostic, text: str, prompt: str) -> Diagnostic:
    """Moves a diagnostic to `text` itself, if the file contains it as the prompt does.

    A prompt may have several lines; each of them is searched.
    """
    lines = song.source.lines
    quote = found.source[found.column - 1 : found.column]
    for number in range(found.line, min(found.line + _MAX_LINES, len(lines) + 1)):
        line = lines[number - 1]
        is_first = number == found.line
        first = found.column - 1 if is_first else 0
        last = found.end_column - 1 if is_first and found.end_column - 1 <= len(line) else len(line)
        read, columns = without_escapes(line[first:last], quote)
        is_inside = is_first or read.strip(" \"'") in prompt
        at = read.find(text)
        if at >= 0 and is_inside:
            column, end_column = (first + columns[place] + 1 for place in (at, at + len(text)))
            return replace(found, line=number, column=column, end_column=end_column, source=line)
        if not is_inside:
            break
    return found
