"""The weights in a prompt:

    (bells)       1.1 times as strong           [bells]      1 / 1.1 times
    (bells:1.3)   1.3 times as strong           \\( \\) \\[ \\]  the characters themselves

Brackets nest and their weights multiply, up to `MAX_WEIGHT`. A bracket without its partner is an
ordinary character. A weight is written as digits with or without a decimal point: 0, 1.3.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

EMPHASIS = 1.1
MAX_WEIGHT = 10.0
"""Largest weight. Models have seen nothing beyond it; `riffcompose check` refuses more."""

_FINITE = 1e9
_TOKEN = re.compile(r"\\[()\[\]\\]|[()\[\]]|[^\\()\[\]]+|\\")
_WEIGHT = re.compile(r"(?s)(.*):\s*([0-9]+(?:\.[0-9]+)?)\s*")
_OPENS = {")": "(", "]": "["}


@dataclass(frozen=True)
class Bracket:
    """A pair of brackets in a prompt.

    Attributes:
        text: The part of the prompt as written, both brackets included.
        words: The words between the brackets, without the weight.
        weight, total: The weight of the pair itself, and its product with the weights of the pairs around
            it; neither is limited to `MAX_WEIGHT`.
        is_explicit: The weight is written as a number.
    """

    text: str
    words: str
    weight: float
    total: float
    is_explicit: bool


def parse_emphasis(prompt: str) -> list[tuple[str, float]]:
    """Splits a prompt into pieces of equal weight, 0 to `MAX_WEIGHT`.

    >>> parse_emphasis("jazz (bells:1.5) [rain]")
    [('jazz ', 1.0), ('bells', 1.5), (' ', 1.0), ('rain', 0.9090909090909091)]
    """
    tokens = _TOKEN.findall(prompt)
    partner = _partners(tokens)
    closing = set(partner.values())
    weights = [1.0]
    pieces: list[tuple[str, float]] = []
    for at, token in enumerate(tokens):
        if at in partner:
            words, weight, _ = _own_weight(tokens, at, partner[at])
            if words is not None:
                tokens[partner[at] - 1] = words
            weights.append(min(weights[-1] * weight, _FINITE))
        elif at in closing:
            weights.pop()
        else:
            text = token[1] if len(token) == 2 and token[0] == "\\" else token
            weight = min(weights[-1], MAX_WEIGHT)
            if pieces and pieces[-1][1] == weight:
                pieces[-1] = (pieces[-1][0] + text, weight)
            elif text:
                pieces.append((text, weight))
    return pieces


def brackets(prompt: str) -> Iterator[Bracket]:
    """Returns the pairs of brackets in a prompt, outer ones first."""
    tokens = _TOKEN.findall(prompt)
    partner = _partners(tokens)
    around: list[tuple[int, float]] = []
    for at in sorted(partner):
        while around and around[-1][0] < at:
            around.pop()
        end = partner[at]
        words, weight, is_explicit = _own_weight(tokens, at, end)
        total = min(weight * (around[-1][1] if around else 1.0), _FINITE)
        around.append((end, total))
        inside = tokens[at + 1 : end]
        if words is not None:
            inside[-1] = words
        yield Bracket("".join(tokens[at : end + 1]), "".join(inside), weight, total, is_explicit)


def lone_brackets(prompt: str) -> str:
    """Returns the brackets of a prompt that have no partner, in order: `)(`."""
    tokens = _TOKEN.findall(prompt)
    partner = _partners(tokens)
    paired = {*partner, *partner.values()}
    return "".join(
        token for at, token in enumerate(tokens) if token in ("(", ")", "[", "]") and at not in paired
    )


def _own_weight(tokens: Sequence[str], start: int, end: int) -> tuple[str | None, float, bool]:
    """Returns the last token between two brackets without its weight (None without one), and the weight."""
    explicit = _WEIGHT.fullmatch(tokens[end - 1]) if tokens[start] == "(" and end - 1 > start else None
    if explicit:
        return explicit[1], min(float(explicit[2]), _FINITE), True
    return None, EMPHASIS if tokens[start] == "(" else 1 / EMPHASIS, False


def _partners(tokens: Sequence[str]) -> dict[int, int]:
    """Maps each opening bracket's index to that of its closing one; crossing brackets have no partner."""
    partner: dict[int, int] = {}
    waiting: list[int] = []
    for index, token in enumerate(tokens):
        if token in _OPENS.values():
            waiting.append(index)
        elif token in _OPENS and waiting:
            if tokens[waiting[-1]] == _OPENS[token]:
                partner[waiting.pop()] = index
            elif any(tokens[at] == _OPENS[token] for at in waiting):
                while tokens[waiting[-1]] != _OPENS[token]:
                    waiting.pop()
                partner[waiting.pop()] = index
    return partner
