"""Captions: they say what sounds, in many ways."""

from __future__ import annotations

import re
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from riffcomposer.composer.grooves import GROOVES
from riffcomposer.composer.instruments import INSTRUMENTS
from riffcomposer.composer.solos import GROOVE_KITS
from riffcomposer.composer.styles import STYLES
from riffcomposer.composer.words import DRUM_WORDS, KIT_WORDS, TEXTURE_WORDS
from riffcomposer.synth.foley import SOUNDS
from riffcomposer_training.caption_words import FOLEY_WORDS
from riffcomposer_training.captions import caption, sounding
from riffcomposer_training.collection import compose


def test_every_kit_groove_and_sound_has_words() -> None:
    kits = {kit for style in STYLES.values() for kit in style.kits}
    kits |= {kit for kits_of in GROOVE_KITS.values() for kit in kits_of}
    assert kits <= set(KIT_WORDS)
    assert set(GROOVES) <= set(DRUM_WORDS)
    assert {texture for style in STYLES.values() for texture in style.texture} <= set(TEXTURE_WORDS)
    assert set(FOLEY_WORDS) <= set(SOUNDS)


@given(st.integers(0, 50_000), st.integers(0, 1000))
@settings(max_examples=150, deadline=None)
def test_captions_are_one_clean_line(index: int, seed: int) -> None:
    collected = compose(6, index)
    for window in range(len(collected.starts)):
        if not sounding(collected, window):
            continue
        text = caption(collected, window, Random(seed))
        assert 2 < len(text) < 160
        assert text == text.strip()
        assert re.fullmatch(r"[A-Za-z0-9#&'/,. -]+", text), text
        assert "  " not in text
        assert ", ," not in text


@given(st.integers(0, 20_000))
@settings(max_examples=60, deadline=None)
def test_what_is_silent_is_not_named(index: int) -> None:
    collected = compose(7, index, kind="band" if index % 2 else "score")
    piece = collected.piece
    for window in range(len(collected.starts)):
        parts = sounding(collected, window)
        if not parts:
            continue
        allowed = {word for part in parts if part.instrument for word in part.instrument.words}
        style = STYLES[piece.style]
        allowed |= {*style.words, *style.moods, *style.tags, style.name}
        text = caption(collected, window, Random(index))
        for name in ("violin", "tenor saxophone", "tubular bells", "harmonica", "sitar", "banjo", "kalimba"):
            if re.search(rf"\b{name}\b", text):
                assert any(name in word for word in allowed), (text, name)


def test_a_layer_is_described_by_what_is_heard_of_it() -> None:
    layers = [each for index in range(300) if (each := compose(11, index, kind="score")).heard]
    assert layers
    for collected in layers:
        for window in range(len(collected.starts)):
            assert {part.role for part in sounding(collected, window)} <= set(collected.heard)


def test_meters_are_named_as_the_score_has_them() -> None:
    named = 0
    for index in range(300):
        collected = compose(12, index, kind="score")
        text = caption(collected, 0, Random(index)) if sounding(collected, 0) else ""
        for meter in re.findall(r"\b\d+/\d+\b", text):
            assert meter == collected.meter
            named += 1
    assert named > 4


def test_a_piece_is_described_in_many_ways() -> None:
    piece = compose(1, 3, kind="band", style="jazz", tempo=93.75)
    texts = {caption(piece, 0, Random(seed)) for seed in range(200)}
    assert len(texts) >= 60
    assert len({re.sub(r"[a-z-]+", "w", text.split(", 94")[0]) for text in texts}) >= 8


def test_tempo_and_key_are_named_in_about_a_third() -> None:
    tempo = key = 0
    total = 400
    for seed in range(total):
        collected = compose(2, seed, kind="solo", tempo=93.75)
        text = caption(collected, 0, Random(seed))
        tempo += "94" in text
        key += collected.piece.key in text
    assert 0.2 <= tempo / total <= 0.42
    assert 0.2 <= key / total <= 0.42


def test_a_solo_names_its_instrument() -> None:
    for name in ("violin", "church organ", "8-bit pulse", "tubular bells"):
        piece = compose(1, 1, instrument=name)
        for seed in range(20):
            assert any(word in caption(piece, 0, Random(seed)) for word in INSTRUMENTS[name].words)
