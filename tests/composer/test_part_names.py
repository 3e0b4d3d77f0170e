"""What a song asks of a role, as people write it."""

from __future__ import annotations

import pytest

from riffcomposer.composer.instruments import INSTRUMENTS
from riffcomposer.composer.part_names import parse_wish
from riffcomposer.composer.section_score import Wish
from riffcomposer.composer.words import KIT_WORDS


@pytest.mark.parametrize(
    ("role", "text", "wish"),
    [
        ("comp", "electric piano: lazy", Wish("comp", "electric piano", "lazy")),
        ("comp", "Rhodes", Wish("comp", "electric piano")),
        ("comp", ": montuno", Wish("comp", pattern="montuno")),
        ("drums", "brushes", Wish("drums", "brush")),
        ("drums", "808: trap", Wish("drums", "808", "trap")),
        ("drums", "bossa", Wish("drums", pattern="bossa")),
        ("bass", "walking", Wish("bass", pattern="walking")),
        ("bass", "upright bass: walking", Wish("bass", "upright bass", "walking")),
        ("lead", "tenor sax", Wish("lead", "tenor saxophone")),
        ("texture", "vinyl crackle", Wish("texture", "vinyl")),
        ("lead", "none", Wish("lead", silent=True)),
        ("pad", "", Wish("pad")),
    ],
)
def test_wishes_are_read(role: str, text: str, wish: Wish) -> None:
    assert parse_wish(role, text) == wish


def test_every_name_is_its_own_word() -> None:
    for name in INSTRUMENTS:
        assert parse_wish("lead", name) == Wish("lead", name)
    for kit in KIT_WORDS:
        assert parse_wish("drums", kit) == Wish("drums", kit)


@pytest.mark.parametrize(
    ("role", "text", "meant"),
    [
        ("comp", "electrc piano", "electric piano"),
        ("bass", "upright bass: wlking", "walking"),
        ("drum", "808", "drums"),
        ("lead", "hurdy-gurdy", "hurdy-gurdy"),
    ],
)
def test_what_is_not_known_is_named(role: str, text: str, meant: str) -> None:
    with pytest.raises(ValueError, match=meant):
        parse_wish(role, text)
