"""What a prompt's words say: style, players in their roles, kit, key and energy; nothing is guessed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riffcomposer.composer.instruments import INSTRUMENTS
from riffcomposer.composer.prompt_words import DEFAULT_STYLE, from_prompt
from riffcomposer.composer.section_score import ROLES, parse_key
from riffcomposer.composer.styles import STYLES


def roles(prompt: str) -> dict[str, tuple[str, str]]:
    return {wish.role: (wish.sound, wish.pattern) for wish in from_prompt(prompt).parts}


@pytest.mark.parametrize("name", sorted(STYLES))
def test_every_word_of_a_style_names_it(name: str) -> None:
    for word in (name, *STYLES[name].words):
        reading = from_prompt(f"a fine {word}, please")
        assert (reading.style, reading.style_from) == (name, "words"), word


@pytest.mark.parametrize("name", sorted(INSTRUMENTS))
def test_every_instrument_can_be_asked_for(name: str) -> None:
    assert name in [wish.sound for wish in from_prompt(f"jazz and {name}").parts]


def test_players_get_the_roles_that_they_have_in_the_style() -> None:
    assert roles("late night jazz trio with piano and brushes") == {
        "comp": ("piano", ""),
        "drums": ("brush", ""),
    }
    assert roles("jazz, tenor saxophone, upright bass, walking bass") == {
        "lead": ("tenor saxophone", ""),
        "bass": ("upright bass", "walking"),
    }
    assert roles("funk with slap bass and a guitar")["comp"] == ("muted guitar", "")
    assert roles("techno on 909 drums")["drums"] == ("909", "")
    assert roles("rain and rhodes")["texture"] == ("rain", "")


def test_the_longest_word_wins_at_borders_of_words() -> None:
    assert roles("fm electric piano")["comp"][0] == "fm electric piano"
    assert from_prompt("jazzercise rocket hip replacement").style_from == "default"
    assert from_prompt("Drum And Bass at night").style == "drum and bass"
    assert from_prompt("LO-FI HIP-HOP").style == "lo-fi hip hop"


def test_weights_are_ignored_and_places_are_those_of_the_prompt() -> None:
    prompt = "a (jazz:1.3) trio with ((piano:1.25))"
    reading = from_prompt(prompt)
    assert reading.style == "jazz"
    assert [wish.sound for wish in reading.parts] == ["piano"]
    for finding in reading.findings:
        assert prompt[finding.at : finding.at + len(finding.words)] == finding.words


def test_keys_and_energy_are_read() -> None:
    assert from_prompt("jazz in F# minor").key == "F# minor"
    assert from_prompt("reel in D dorian").key == "D dorian"
    assert from_prompt("jazz, a minor detail").key == ""
    calm, wild = from_prompt("calm folk").energy, from_prompt("driving aggressive folk").energy
    assert calm is not None
    assert wild is not None
    assert calm < 0.5 < wild
    assert from_prompt("folk").energy is None


def test_without_a_style_the_players_choose_it() -> None:
    reading = from_prompt("rhodes, upright bass, tenor saxophone")
    assert (reading.style, reading.style_from) == ("jazz", "players")
    assert from_prompt("distorted guitars").style == "metal"


def test_a_prompt_of_unknown_words_has_the_default_style() -> None:
    reading = from_prompt("xyzzy plugh")
    assert (reading.style, reading.style_from, reading.parts) == (DEFAULT_STYLE, "default", ())
    assert from_prompt("").style == DEFAULT_STYLE


def test_the_words_are_explained() -> None:
    explained = from_prompt("late night jazz trio with piano and brushes").explained()
    assert explained == "late night, jazz trio, piano, brushes: from the prompt"
    assert DEFAULT_STYLE in from_prompt("xyzzy").explained()


@given(
    st.text(max_size=80)
    | st.lists(st.sampled_from(["jazz", "piano", "(drums:1.2)", "no", "Bb major"])).map(" ".join)
)
@settings(max_examples=60)
def test_any_prompt_can_be_read(prompt: str) -> None:
    reading = from_prompt(prompt)
    assert reading == from_prompt(prompt)
    assert reading.style in STYLES
    assert len({wish.role for wish in reading.parts}) == len(reading.parts)
    assert {wish.role for wish in reading.parts} <= set(ROLES)
    if reading.key:
        parse_key(reading.key)
