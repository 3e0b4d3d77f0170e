"""Writes captions of training clips: the parts that are heard in a window, in many different wordings.

The wording, the synonyms and the parts that are named are drawn at random; about a third of the captions
name tempo and key. Only parts that sound in the window are named.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from riffcomposer.composer.piece import Part, Piece
from riffcomposer.composer.styles import STYLES
from riffcomposer.composer.words import (
    DRUM_WORDS,
    KIT_WORDS,
    PATTERN_WORDS,
    PERCUSSION_WORDS,
    TEXTURE_WORDS,
)
from riffcomposer_training.caption_words import FOLEY_WORDS
from riffcomposer_training.collection import CollectionPiece, Kind
from riffcomposer_training.windows import WINDOW_S


def _articled(word: str) -> str:
    return f"an {word}" if word[0] in "aeiou8" else f"a {word}"


def sounding(collected: CollectionPiece, window: int) -> list[Part]:
    """The parts that are heard in a window's first 5.12 s, loudest roles first; the texture last."""
    order = ("lead", "comp", "drums", "bass", "second", "pad", "foley", "texture")
    start = collected.starts[window]
    end = start + WINDOW_S / collected.piece.layout.seconds_per_beat
    heard = [
        part
        for part in collected.piece.parts
        if (not collected.heard or part.role in collected.heard)
        and (part.role in ("foley", "texture") or _plays(part, start, end))
    ]
    return sorted(heard, key=lambda part: order.index(part.role))


def _plays(part: Part, start: float, end: float) -> bool:
    """Whether a note of a part begins between two places or sounds there for a beat or more."""
    return any(
        start - 0.1 <= note.start < end - 0.1
        or min(end, note.start + note.length) - max(start, note.start) >= 1
        for note in part.notes
    )


def part_word(part: Part, rng: Random) -> str:
    """A word for a part, drawn at random from its synonyms."""
    if part.role == "drums":
        if part.pattern in PERCUSSION_WORDS and part.kit in ("acoustic", "room") and rng.random() < 0.6:
            return rng.choice(PERCUSSION_WORDS[part.pattern])
        return rng.choice(KIT_WORDS[part.kit])
    if part.role == "foley":
        return rng.choice(FOLEY_WORDS[part.kit])
    if part.role == "texture":
        return rng.choice(TEXTURE_WORDS[part.kit])
    assert part.instrument is not None
    words = part.instrument.words
    return words[0] if rng.random() < 0.5 else rng.choice(words)


def caption(collected: CollectionPiece, window: int, rng: Random) -> str:
    """One caption of a window, in lower case apart from key names."""
    piece = collected.piece
    parts = sounding(collected, window)
    words = list(dict.fromkeys(part_word(part, rng) for part in parts))
    tempo = round(piece.layout.tempo)
    extras = []
    if rng.random() < 0.3:
        extras.append(
            rng.choice([f"{tempo} bpm", f"{tempo} bpm", f"at {tempo} bpm", f"{tempo} beats per minute"])
        )
    if piece.key and rng.random() < 0.3:
        extras.append(rng.choice([f"in {piece.key}", f"key of {piece.key}", piece.key]))
    if collected.meter == "3/4" and rng.random() < 0.4:
        extras.append(rng.choice(["waltz", "3/4"]))
    elif collected.meter not in ("3/4", "4/4") and rng.random() < 0.4:
        extras.append(collected.meter)
    if tempo >= 150 and rng.random() < 0.25:
        extras.append(rng.choice(["fast", "up-tempo"]))
    elif tempo <= 72 and rng.random() < 0.25:
        extras.append("slow")
    text = _WORDING[_kind_of(collected, parts, rng)](piece, parts, words, rng)
    if extras:
        text = (
            ", ".join([text, *extras])
            if rng.random() < 0.8 or not extras[-1].startswith("in ")
            else f"{text} {extras[-1]}"
        )
    return text


def _kind_of(collected: CollectionPiece, parts: list[Part], rng: Random) -> Kind:
    """How a window is described; what plays alone in a score is often described as a solo is."""
    if collected.kind == "score" and len(parts) == 1 and rng.random() < 0.5:
        if parts[0].role == "drums":
            return "drums"
        if parts[0].instrument is not None:
            return "solo"
    return collected.kind


def _and(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _band(piece: Piece, parts: list[Part], words: list[str], rng: Random) -> str:
    style = STYLES[piece.style]
    name = style.name if rng.random() < 0.45 else rng.choice(style.words)
    mood = rng.choice(style.moods)
    tag = rng.choice(style.tags) if style.tags else mood
    if not words:
        return f"{mood} {name}"
    if len(parts) == 1 and rng.random() < 0.75:
        only = words[0]
        return rng.choice(
            [
                f"{name} {only}",
                f"solo {only}, {name}",
                f"{only} only, {name}",
                f"{mood} {only} {name}",
                f"{name}, {only} alone",
            ]
        )
    some = rng.sample(words, min(len(words), rng.choice([1, 2, 2, 3])))
    first = words[0]
    if parts[0].role == "drums":
        first = words[1] if len(words) > 1 else first
    played = next(
        (
            rng.choice(PATTERN_WORDS[part.pattern])
            for part in parts
            if part.pattern in PATTERN_WORDS and rng.random() < 0.5
        ),
        "",
    )
    return rng.choice(
        [
            name,
            f"{mood} {name}",
            f"{name} with {_and(some)}",
            f"{mood} {name} with {_and(some)}",
            ", ".join([name, *some]),
            ", ".join([name, mood, *words[:4]]),
            f"{first} {name}",
            f"{name} {first}",
            f"{_and(some)}, {name}",
            f"{_articled(mood)} {name} track with {_and(some)}"
            + (f" and {played}" if played and len(some) < 3 else ""),
            f"{tag}, {name}, {_and(some)}",
            f"{_and(words[:4])} playing {name}"
            if rng.random() < 0.5
            else f"{mood} {name} groove, {first}" + (f", {played}" if played else ""),
        ]
    )


def _solo(piece: Piece, parts: list[Part], words: list[str], rng: Random) -> str:
    word = words[0] if words else "silence"
    played = rng.choice(PATTERN_WORDS.get(parts[0].pattern, ("melody",))) if parts else ""
    mode = "sad" if "minor" in piece.key else "happy"
    return rng.choice(
        [
            f"{word} solo",
            f"solo {word}",
            word,
            f"{word} {played}",
            f"{_articled(word)} playing alone",
            f"{word}, {played}",
            f"{mode} {word}",
            f"{word} playing {_articled(played) if not played.endswith('s') else played}",
            f"unaccompanied {word}",
            f"{word} only",
        ]
    )


def _drums(_piece: Piece, parts: list[Part], words: list[str], rng: Random) -> str:
    word = words[0] if words else "drums"
    genre = rng.choice(DRUM_WORDS[parts[0].pattern])
    return rng.choice(
        [
            f"{genre} drum loop",
            f"{genre} drums",
            f"{genre} {word}",
            f"{word} playing {_articled(genre)} beat",
            f"{genre} drum beat",
            f"drums only, {genre}",
            f"{genre} beat, {word}",
            f"drum solo, {genre}",
            f"{genre} drum break",
            f"{genre} groove on {word}",
        ]
    )


def _foley(_piece: Piece, _parts: list[Part], words: list[str], rng: Random) -> str:
    word = words[0]
    return rng.choice(
        [
            word,
            f"the sound of {word}",
            f"{word} sound effect",
            f"{word}, field recording",
            f"recording of {word}",
            f"{word} noise",
        ]
    )


_WORDING: dict[Kind, Callable[[Piece, list[Part], list[str], Random], str]] = {
    "score": _band,
    "band": _band,
    "solo": _solo,
    "drums": _drums,
    "foley": _foley,
}
