"""The same music with other players: the notes stay, who plays them does not."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_font import write_tiny_font

from riffcomposer.composer.piece import Part
from riffcomposer.composer.styles import STYLES
from riffcomposer.synth.soundfont_player import SoundFontPlayer
from riffcomposer_training.captions import caption
from riffcomposer_training.clip_shards import held_out, partners
from riffcomposer_training.clips import clips_of, write_shard
from riffcomposer_training.collection import Kind, compose
from riffcomposer_training.latent_set import CaptionStates, LatentFeed, write_latents
from riffcomposer_training.networks import build_autoencoder
from riffcomposer_training.other_players import with_other_players
from riffcomposer_training.text_states import load_encoder
from riffcomposer_training.training_settings import SETTINGS


def played(parts: tuple[Part, ...]) -> dict[str, Part]:
    return {part.role: part for part in parts if part.role != "texture"}


@given(st.integers(0, 100_000))
@settings(max_examples=40, deadline=None)
def test_the_notes_stay_and_the_sound_changes(index: int) -> None:
    collected = compose(6, index)
    others = with_other_players(collected, Random(index))
    if collected.kind == "foley":
        assert others is None
        return
    assert others is not None
    assert others.starts == collected.starts
    assert others.piece.layout == collected.piece.layout
    before, after = played(collected.piece.parts), played(others.piece.parts)
    assert before.keys() == after.keys()
    changed = 0
    for role, part in before.items():
        assert after[role].notes == part.notes
        assert (after[role].instrument is None) == (part.instrument is None)
        changed += (after[role].instrument, after[role].kit) != (part.instrument, part.kit)
    if collected.kind in ("score", "band"):
        assert others.piece.style != collected.piece.style
        assert others.piece.style in STYLES
    else:
        assert changed
    assert caption(others, 0, Random(1))


@pytest.mark.parametrize("kind", ["score", "solo", "drums"])
def test_a_range_that_fits_is_preferred(kind: Kind) -> None:
    outside = total = 0
    for index in range(30):
        others = with_other_players(compose(7, index, kind=kind), Random(index))
        assert others is not None
        for part in others.piece.parts:
            if part.instrument is not None and part.role != "texture":
                total += len(part.notes)
                outside += sum(
                    not part.instrument.low <= note.pitch <= part.instrument.high for note in part.notes
                )
    assert outside <= 0.15 * total


def test_pairs_are_found_again_in_shards_and_in_latents(tmp_path: Path, tiny_encoder: Path) -> None:
    player = SoundFontPlayer([write_tiny_font(tmp_path / "tiny.sf2")])
    toy = SETTINGS["toy"]
    clips = []
    for index in range(3):
        collected = compose(8, index, kind="solo")
        others = with_other_players(collected, Random(index))
        assert others is not None
        clips += clips_of(collected, player)
        if index != 1:
            clips += clips_of(others, player, replayed=collected.piece.seed)
    entries = [clip.entry for clip in clips]
    found = partners(entries)
    for place, (entry, partner) in enumerate(zip(entries, found, strict=True)):
        if entry["piece"] == "8-1":
            assert partner == -1
            continue
        assert found[partner] == place
        assert entries[partner]["window"] == entry["window"]
        assert entries[partner]["replayed"] != entry["replayed"]
        assert held_out(entries[partner]) == held_out(entry)
    folder, latents = tmp_path / "clips", tmp_path / "latents"
    folder.mkdir()
    latents.mkdir()
    half = next(place for place, entry in enumerate(entries) if entry["piece"] == "8-2")
    torch.manual_seed(0)
    autoencoder = build_autoencoder(toy)
    encoder, tokenizer = load_encoder(tiny_encoder)
    feed = LatentFeed(latents, CaptionStates(encoder, tokenizer))
    assert feed.grow() == 0
    for number, part in enumerate((clips[:half], clips[half:])):
        write_shard(folder, number, part)
        write_latents(autoencoder, toy.patch, folder, latents)
        assert feed.grow() == 1
    held = np.array([held_out(entry) for entry in entries])
    kept = [place for place in range(len(clips)) if not held[place]]
    assert len(feed.train) + len(feed.test) == len(clips)
    assert feed.train.replayed.tolist() == [entries[place]["replayed"] for place in kept]
    assert [kept[row] if row >= 0 else -1 for row in feed.train.partners.tolist()] == [
        found[place] for place in kept
    ]
    whole = LatentFeed(latents, CaptionStates(encoder, tokenizer))
    whole.grow()
    assert torch.equal(whole.train.latents, feed.train.latents)
    assert torch.equal(whole.train.partners, feed.train.partners)
    assert torch.equal(whole.train.states[whole.train.captions], feed.train.states[feed.train.captions])
