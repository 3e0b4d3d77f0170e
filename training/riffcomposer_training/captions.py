"""Captions of clips: what is heard in a window, said in many ways.

Ten kinds of sentence, synonyms for style and instruments, slots dropped at random; tempo and key
are named in about a third. Only parts that sound in the window are named.
"""

from __future__ import annotations

from random import Random

from riffcomposer.composer.piece import Part, Piece
from riffcomposer.composer.styles import STYLES

KIT_WORDS = {
    "acoustic": ("drums", "acoustic drums", "drum kit", "live drums"),
    "room": ("drums", "room drums", "drum kit"),
    "power": ("big drums", "power drums", "rock drums", "drums"),
    "electronic": ("electronic drums", "drum machine", "drums"),
    "808": ("808 drums", "808", "drum machine", "808 beat"),
    "909": ("909 drums", "909", "drum machine", "electronic drums"),
    "gated": ("gated drums", "80s drums", "gated snare", "drum machine"),
    "jazz": ("jazz drums", "drums", "ride cymbal", "swing drums"),
    "brush": ("brushes", "brushed drums", "brush drums"),
    "orchestra": ("orchestral percussion", "timpani and percussion", "percussion"),
    "chip": ("noise drums", "8-bit drums", "chip drums"),
}
_PERCUSSION_GROOVES = {
    "son": ("congas", "latin percussion", "congas and bongos"),
    "afro": ("african percussion", "hand drums", "congas and shakers"),
}
DRUM_WORDS = {
    "boom bap": ("hip hop", "boom bap"),
    "house": ("house", "four on the floor"),
    "techno": ("techno",),
    "gated": ("80s", "synthwave", "gated"),
    "swing": ("jazz swing", "swing"),
    "brushes": ("jazz brush",),
    "bossa": ("bossa nova",),
    "folk": ("folk",),
    "orchestral": ("orchestral", "marching"),
    "funk": ("funk", "funky"),
    "one drop": ("reggae", "dub"),
    "breaks": ("breakbeat", "drum and bass", "jungle"),
    "rock": ("rock",),
    "metal": ("metal", "double bass drum"),
    "shuffle": ("blues shuffle", "shuffle"),
    "chip": ("8-bit", "chiptune"),
    "son": ("latin", "salsa"),
    "afro": ("afrobeat", "african"),
    "reggaeton": ("reggaeton",),
    "trap": ("trap",),
    "disco": ("disco",),
    "waltz": ("waltz",),
    "jig": ("jig",),
}
FOLEY_WORDS = {
    "rain": ("rain", "rain falling", "heavy rain", "the sound of rain"),
    "sea waves": ("ocean waves", "sea waves", "waves on a beach"),
    "wind": ("wind", "howling wind", "the sound of wind"),
    "vinyl crackle": ("vinyl crackle", "record noise", "crackling vinyl"),
    "typing": ("typing", "typing on a keyboard", "typewriter", "keyboard clicks"),
    "crowd": ("crowd", "crowd talking", "people talking", "chatter"),
    "applause": ("applause", "clapping crowd", "audience applause"),
    "fire": ("fire crackling", "campfire", "fireplace"),
    "birds": ("birds singing", "birdsong", "chirping birds"),
    "clock": ("clock ticking", "ticking clock"),
    "heartbeat": ("heartbeat", "heart beating"),
    "train": ("train", "train on tracks", "railway"),
    "thunder": ("thunder", "thunderstorm", "storm"),
    "footsteps": ("footsteps", "walking footsteps"),
    "water drops": ("water drops", "dripping water"),
    "engine": ("engine", "motor engine", "car engine"),
    "static noise": ("static", "white noise", "radio static"),
    "siren": ("siren", "police siren", "alarm"),
    "crickets": ("crickets", "crickets at night", "night insects"),
    "laser": ("laser sounds", "sci-fi lasers", "video game zaps"),
    "telephone": ("telephone ringing", "phone ringing"),
    "stream": ("running water", "stream", "babbling brook"),
}
TEXTURE_WORDS = {
    "vinyl": ("vinyl crackle", "vinyl noise"),
    "air": ("air",),
    "sea": ("ocean waves",),
    "rain": ("rain",),
}
_PATTERN_WORDS = {
    "walking": ("walking bass",),
    "arp 16": ("arpeggios", "fast arpeggios"),
    "arp 8": ("arpeggios",),
    "chip arp": ("fast arpeggios",),
    "skank": ("offbeat skank", "off-beat chords"),
    "pad": ("sustained chords",),
    "power mutes": ("palm mutes",),
    "power": ("power chords",),
    "power eighths": ("power chords",),
    "travis": ("fingerpicking", "fingerpicked"),
    "strum": ("strumming", "strummed chords"),
    "alberti": ("broken chords",),
    "stabs": ("stabs",),
    "montuno": ("montuno",),
    "reel": ("reel",),
    "jig": ("jig",),
    "bebop": ("bebop solo",),
    "chorale": ("chorale",),
    "dub": ("dub bassline",),
    "acid": ("acid line",),
    "slap": ("slap bassline",),
    "ripple": ("rippling arpeggios",),
    "changes": ("change ringing",),
    "half": ("chords",),
    "quarters": ("chords",),
    "whole": ("long notes",),
    "running": ("fast runs",),
    "sparse": ("sparse melody",),
    "melody": ("melody", "solo melody"),
}


def _articled(word: str) -> str:
    return f"an {word}" if word[0] in "aeiou8" else f"a {word}"


def sounding(piece: Piece, window: int) -> list[Part]:
    """The parts that are heard in a window, loudest roles first; the texture last."""
    order = ("lead", "comp", "drums", "bass", "second", "pad", "foley", "texture")
    start, end = piece.layout.window_beats(window)
    heard = [
        part
        for part in piece.parts
        if part.role in ("foley", "texture")
        or (
            part.active[window]
            and any(note.start < end - 0.1 and note.start + note.length > start for note in part.notes)
        )
    ]
    return sorted(heard, key=lambda part: order.index(part.role))


def part_word(part: Part, rng: Random) -> str:
    """A word for a part, drawn from its synonyms."""
    if part.role == "drums":
        if part.pattern in _PERCUSSION_GROOVES and part.kit in ("acoustic", "room") and rng.random() < 0.6:
            return rng.choice(_PERCUSSION_GROOVES[part.pattern])
        return rng.choice(KIT_WORDS[part.kit])
    if part.role == "foley":
        return rng.choice(FOLEY_WORDS[part.kit])
    if part.role == "texture":
        return rng.choice(TEXTURE_WORDS[part.kit])
    assert part.instrument is not None
    words = part.instrument.words
    return words[0] if rng.random() < 0.5 else rng.choice(words)


def caption(piece: Piece, window: int, rng: Random) -> str:
    """One caption of a window, in lower case apart from key names."""
    parts = sounding(piece, window)
    words = list(dict.fromkeys(part_word(part, rng) for part in parts))
    tempo = round(piece.layout.tempo)
    extras = []
    if rng.random() < 0.3:
        extras.append(
            rng.choice([f"{tempo} bpm", f"{tempo} bpm", f"at {tempo} bpm", f"{tempo} beats per minute"])
        )
    if piece.key and rng.random() < 0.3:
        extras.append(rng.choice([f"in {piece.key}", f"key of {piece.key}", piece.key]))
    if piece.layout.bar_beats == 3 and rng.random() < 0.4:
        extras.append(rng.choice(["waltz", "3/4"]))
    if tempo >= 150 and rng.random() < 0.25:
        extras.append(rng.choice(["fast", "up-tempo"]))
    elif tempo <= 72 and rng.random() < 0.25:
        extras.append("slow")
    make = {"band": _band, "solo": _solo, "drums": _drums, "foley": _foley}[piece.kind]
    text = make(piece, parts, words, rng)
    if extras:
        text = (
            ", ".join([text, *extras])
            if rng.random() < 0.8 or not extras[-1].startswith("in ")
            else f"{text} {extras[-1]}"
        )
    return text


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
            rng.choice(_PATTERN_WORDS[part.pattern])
            for part in parts
            if part.pattern in _PATTERN_WORDS and rng.random() < 0.5
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
    played = rng.choice(_PATTERN_WORDS.get(parts[0].pattern, ("melody",))) if parts else ""
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


def _drums(piece: Piece, parts: list[Part], words: list[str], rng: Random) -> str:
    word = words[0] if words else "drums"
    genre = rng.choice(DRUM_WORDS[piece.parts[0].pattern])
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


def _foley(piece: Piece, parts: list[Part], words: list[str], rng: Random) -> str:
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
