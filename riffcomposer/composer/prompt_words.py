"""What the words of a prompt say about the music: style, players, kit, key, energy.

A table of words, not a model: the words of styles, instruments, kits and patterns, the longest first, at the
borders of words, in any case; a hyphen counts as a space. Weights such as `(jazz:1.3)` are ignored. What is
not to be heard belongs into the negative prompt: `no drums` still names drums.

A prompt without a word for a style gets the style that most of its other words fit, and `DEFAULT_STYLE` where
there are none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache

from riffcomposer.composer import bass, harmony, melody
from riffcomposer.composer.instruments import INSTRUMENTS
from riffcomposer.composer.section_score import Wish
from riffcomposer.composer.style import Choice, Style
from riffcomposer.composer.styles import STYLES
from riffcomposer.composer.words import DRUM_WORDS, KIT_WORDS, PATTERN_WORDS, TEXTURE_WORDS

DEFAULT_STYLE = "lo-fi hip hop"
"""The style of a prompt in which no word is known: background music that few prompts contradict."""

_MORE_STYLE_WORDS: dict[str, tuple[str, ...]] = {
    "ambient": ("drone music", "soundscape", "new age"),
    "house": ("house", "edm", "dance", "club", "disco house"),
    "techno": ("rave",),
    "synthwave": ("80s", "synth pop", "vaporwave"),
    "drum and bass": ("drum n bass", "drum & bass", "breakbeat", "breakcore"),
    "chiptune": ("video game", "8 bit", "game music", "chip tune", "game boy"),
    "lo-fi hip hop": ("lofi", "lo fi", "lo fi hip hop", "chillout", "downtempo", "trip hop", "study music"),
    "hip hop": ("hiphop", "rap", "drill"),
    "jazz": ("jazzy", "swing", "big band", "jazz band", "jazz combo", "ragtime"),
    "funk": ("funky", "soul", "r&b", "disco", "motown"),
    "reggae": ("ska", "dancehall", "rocksteady"),
    "rock": ("punk", "grunge", "pop rock", "indie", "post rock", "shoegaze"),
    "metal": ("thrash", "doom", "death metal", "black metal"),
    "blues": ("bluesy",),
    "latin": ("mambo", "cumbia", "rumba", "tango", "merengue", "reggaeton"),
    "bossa nova": ("bossa", "brazilian"),
    "afrobeat": ("afro", "afrobeats", "west african"),
    "folk": ("country", "bluegrass", "celtic", "irish", "singer songwriter", "medieval", "americana"),
    "orchestral": ("orchestra", "cinematic", "film score", "soundtrack", "symphony", "epic"),
    "classical": ("string quartet", "sonata", "waltz", "mozart", "chopin", "piano concerto"),
    "church organ": ("fugue", "toccata", "hymn"),
    "bells": ("change ringing",),
    "music box": (),
    "world": ("japanese", "chinese", "indian", "raga", "zen", "meditation"),
}

_ENERGY_WORDS: dict[float, tuple[str, ...]] = {
    0.15: ("alone", "unaccompanied", "solo", "a cappella"),
    0.3: ("calm", "quiet", "soft", "sparse", "minimal", "sleepy", "peaceful", "silent", "still", "lullaby"),
    0.4: ("mellow", "relaxed", "gentle", "chill", "dreamy", "laid back", "floating", "slow", "late night"),
    0.7: ("groovy", "bouncy", "lively", "upbeat", "uplifting", "festive", "swinging", "fast", "danceable"),
    0.85: (
        "driving",
        "energetic",
        "epic",
        "intense",
        "heavy",
        "loud",
        "powerful",
        "anthemic",
        "aggressive",
        "frantic",
        "full band",
        "climax",
        "relentless",
    ),
}

# Words for any instrument of a family, and which one plays where the style has none.
_FAMILY_WORDS = {
    "guitar": ("clean electric guitar", ("guitar",)),
    "synth lead": ("saw lead", ("synth", "synthesizer", "synthesiser")),
    "pad": ("warm pad", ("pad", "synth pads")),
    "bass": ("electric bass", ("bass", "bassline", "bass line")),
    "reeds": ("tenor saxophone", ("sax",)),
}
# Words of patterns that say too little to choose a pattern by.
_VAGUE = ("half", "quarters", "whole", "melody", "pad")
# Where an instrument plays if the style does not say, by its family.
_FAMILY_ROLES: dict[str, tuple[str, ...]] = {
    "keys": ("comp", "second", "lead"),
    "guitar": ("comp", "second", "lead"),
    "organ": ("comp", "second", "pad"),
    "plucked": ("comp", "second", "lead"),
    "mallets": ("lead", "comp", "second"),
    "bells": ("lead", "second", "comp"),
    "strings": ("lead", "pad", "second", "comp"),
    "brass": ("lead", "second"),
    "reeds": ("lead", "second"),
    "winds": ("lead", "second"),
    "world": ("lead", "comp", "second"),
    "synth lead": ("lead", "comp", "second"),
    "chip": ("lead", "comp", "second"),
    "pad": ("pad", "second", "comp"),
    "choir": ("pad", "second", "lead"),
    "percussion": ("second",),
    "bass": ("bass",),
}
# Many players: accompaniment before melody.
_GROUPS = (
    "strings",
    "slow strings",
    "synth strings",
    "tremolo strings",
    "pizzicato strings",
    "brass section",
)
_ROLES = ("comp", "lead", "second", "pad", "bass")

_WEIGHT = re.compile(r":\s*\d*\.?\d+\s*(?=[)\]])")
_KEY = re.compile(
    r"(?:\b(?:key of|in) )?\b([A-G])(#|b|♯|♭| sharp| flat)? "
    r"(harmonic minor|minor|major|dorian|mixolydian|lydian|phrygian)\b"
)


@dataclass(frozen=True)
class Finding:
    """A word that says something.

    Attributes:
        kind: `style`, `instrument`, `family`, `kit`, `drums`, `groove`, `pattern`, `texture`, `key`,
            `energy`.
        value: What it says: a key of the table of its kind.
        words: As they are in the prompt.
        at: The first character in the prompt, counted from 0.
    """

    kind: str
    value: str
    words: str
    at: int


@dataclass(frozen=True)
class Reading:
    """What a prompt says.

    Attributes:
        style: A key of `STYLES`, always given.
        style_from: `words`, `players` (no word names a style; the other words fit this one) or `default`.
        parts: The players that it names, each in a role.
        key: `A minor`, or empty.
        energy: 0 to 1, or None where no word says it.
        findings: Every word that was used, by place.
    """

    style: str
    style_from: str
    parts: tuple[Wish, ...]
    key: str
    energy: float | None
    findings: tuple[Finding, ...]

    def explained(self) -> str:
        """The words that were used, for a plan: `jazz, piano, brushes: from the prompt`."""
        words = ", ".join(dict.fromkeys(finding.words for finding in self.findings))
        if not words:
            return f"{self.style}: no word of the prompt names a style"
        if self.style_from == "words":
            return f"{words}: from the prompt"
        why = "fits them best" if self.style_from == "players" else "no word names a style"
        return f"{words}: from the prompt; {self.style}: {why}"


def _plain(text: str) -> str:
    """Lower case without hyphens, brackets and weights, of the same length."""
    text = _WEIGHT.sub(lambda match: " " * len(match[0]), text)
    return re.sub(r"[-_()\[\]]", " ", text).lower()


@cache
def _table() -> dict[str, tuple[tuple[str, str], ...]]:
    """Each word with what it says, as kind and value."""
    found: dict[str, list[tuple[str, str]]] = {}

    def add(kind: str, value: str, words: Iterable[str]) -> None:
        for word in words:
            meanings = found.setdefault(" ".join(_plain(word).split()), [])
            if (kind, value) not in meanings:
                meanings.append((kind, value))

    for name, style in STYLES.items():
        add("style", name, (name, *style.words, *_MORE_STYLE_WORDS.get(name, ())))
    for name, instrument in INSTRUMENTS.items():
        add("instrument", name, (name, *instrument.words))
    for family, (_, words) in _FAMILY_WORDS.items():
        add("family", family, words)
    add("drums", "", ("beat", "drum beat", "drum loop"))
    for kit, words in KIT_WORDS.items():
        add("kit", kit, words)
    for groove, words in DRUM_WORDS.items():
        add("groove", groove, [f"{word} {noun}" for word in words for noun in ("drums", "beat", "groove")])
    add("groove", "house", ("four on the floor",))
    add("groove", "shuffle", ("shuffle",))
    for pattern, words in PATTERN_WORDS.items():
        if pattern not in _VAGUE:
            add("pattern", pattern, words)
    for texture, words in TEXTURE_WORDS.items():
        if texture != "air":
            add("texture", texture, words)
    for energy, words in _ENERGY_WORDS.items():
        add("energy", str(energy), words)
    return {word: tuple(meanings) for word, meanings in found.items()}


@cache
def _pattern() -> re.Pattern[str]:
    """Every word of the table, the longest first; a plural is the same word."""
    words = sorted(_table(), key=lambda word: (-len(word), word))
    alternatives = "|".join(re.escape(word).replace(r"\ ", r"\s+") for word in words)
    return re.compile(rf"(?<![\w&])({alternatives})(?:'?s)?(?![\w&])")


def named(kind: str, words: str) -> str:
    """The key that some words name in the table of a kind of finding; empty for none.

    >>> named("instrument", "Rhodes"), named("kit", "brushes")
    ('electric piano', 'brush')
    """
    word = " ".join(_plain(words).split())
    if word not in _table():
        return ""
    values = [value for each, value in _table()[word] if each == kind]
    return word if word in values else values[0] if values else ""


def words_of(kind: str) -> list[str]:
    """All words that name something of a kind of finding."""
    return [word for word, meanings in _table().items() if any(each == kind for each, _ in meanings)]


def _findings(prompt: str) -> list[Finding]:
    plain = _plain(prompt)
    found = []
    for match in _pattern().finditer(plain):
        words = prompt[match.start() : match.end()]
        for kind, value in _meanings(" ".join(match[1].split())):
            found.append(Finding(kind, value, words, match.start()))
    for match in _KEY.finditer(prompt):
        sign = {"#": "#", "♯": "#", " sharp": "#", "b": "b", "♭": "b", " flat": "b"}.get(match[2] or "", "")
        found.append(Finding("key", f"{match[1]}{sign} {match[3]}", match[0], match.start()))
    return sorted(found, key=lambda finding: finding.at)


def _meanings(word: str) -> list[tuple[str, str]]:
    """What a word says; of several instruments or kits with one word the one that has it as its name, or the
    first. A word for every kit, `drums`, only says that there are drums."""
    meanings = _table()[word]
    kept: list[tuple[str, str]] = []
    for kind in dict.fromkeys(kind for kind, _ in meanings):
        values = [value for each, value in meanings if each == kind]
        if kind == "kit" and len(values) > 2:
            kept.append(("drums", ""))
        else:
            kept.append((kind, word if word in values else values[0]))
    return kept


def from_prompt(prompt: str) -> Reading:
    """Reads a prompt.

    >>> reading = from_prompt("late night jazz trio with piano and brushes")
    >>> reading.style, [(part.role, part.sound) for part in reading.parts]
    ('jazz', [('comp', 'piano'), ('drums', 'brush')])
    """
    findings = _findings(prompt)
    named = next((finding.value for finding in findings if finding.kind == "style"), "")
    fitting = "" if named else _fitting_style(findings, set(re.findall(r"[\w&]+", _plain(prompt))))
    style = named or fitting or DEFAULT_STYLE
    keys = [finding.value for finding in findings if finding.kind == "key"]
    energies = [float(finding.value) for finding in findings if finding.kind == "energy"]
    used = tuple(finding for finding in findings if finding.kind != "style" or finding.value == style)
    return Reading(
        style,
        "words" if named else "players" if fitting else "default",
        _parts(findings, STYLES[style]),
        keys[0] if keys else "",
        sum(energies) / len(energies) if energies else None,
        used,
    )


def _fitting_style(findings: Iterable[Finding], words: set[str]) -> str:
    """The style that most findings and moods fit, or empty; of equals the one in which they are rarer."""
    votes: dict[str, float] = {}
    for name, style in STYLES.items():
        choices = (style.bass, style.comp, style.lead, style.second, style.pad)
        patterns = {pattern for choice in choices for pattern in choice.patterns}
        total = 0.6 * len(words & {*style.moods, *style.tags})
        for finding in findings:
            if finding.kind == "instrument":
                fits = [choice for choice in choices if finding.value in choice.instruments]
                total += max((1 + 1 / len(choice.instruments) for choice in fits), default=0.0)
            elif finding.kind in ("kit", "groove", "pattern"):
                total += finding.value in (*style.kits, *style.drums, *patterns)
        votes[name] = total + (0.5 if total and name == DEFAULT_STYLE else 0.0)
    best = max(votes, key=lambda name: votes[name])
    return best if votes[best] > 0 else ""


def _roles_for(instrument: str, style: Style) -> list[str]:
    """The roles that an instrument may have, the likeliest first: those it has in the style, then others."""
    family = _FAMILY_ROLES[INSTRUMENTS[instrument].family]
    if instrument in _GROUPS:
        family = ("pad", "second", "comp", "lead")
    usual = []
    for role in _ROLES:
        choice: Choice = getattr(style, role)
        if instrument in choice.instruments:
            usual.append(role)
    return list(dict.fromkeys((*usual, *family)))


def _of_family(family: str, style: Style) -> str:
    """The first instrument of a family that a style has, or the family's usual one."""
    for role in _ROLES:
        choice: Choice = getattr(style, role)
        for name in choice.instruments:
            if INSTRUMENTS[name].family == family:
                return name
    return _FAMILY_WORDS[family][0]


def _parts(findings: Iterable[Finding], style: Style) -> tuple[Wish, ...]:
    wishes: dict[str, Wish] = {}
    patterns: dict[str, str] = {}
    for found in findings:
        finding = found
        if found.kind == "family":
            finding = replace(found, kind="instrument", value=_of_family(found.value, style))
        if finding.kind == "instrument":
            if any(wish.sound == finding.value for wish in wishes.values()):
                continue
            role = next((each for each in _roles_for(finding.value, style) if each not in wishes), "")
            if role:
                wishes[role] = Wish(role, finding.value)
        elif finding.kind == "kit":
            wishes["drums"] = replace(wishes.get("drums", Wish("drums")), sound=finding.value)
        elif finding.kind == "drums":
            wishes.setdefault("drums", Wish("drums"))
        elif finding.kind == "groove":
            wishes["drums"] = replace(wishes.get("drums", Wish("drums")), pattern=finding.value)
        elif finding.kind == "texture":
            wishes["texture"] = Wish("texture", finding.value)
        elif finding.kind == "pattern":
            patterns.setdefault(_role_of_pattern(finding.value), finding.value)
    for role, pattern in patterns.items():
        if role:
            wishes[role] = replace(wishes.get(role, Wish(role)), pattern=pattern)
    return tuple(wishes.values())


def _role_of_pattern(pattern: str) -> str:
    if pattern in bass.STYLES and pattern not in harmony.PATTERNS:
        return "bass"
    if pattern in harmony.PATTERNS:
        return "comp"
    return "lead" if pattern in melody.CELLS else ""
