"""Effect chains: the names, equal results in blocks and as a whole, and tails."""

from __future__ import annotations

import numpy as np
import pytest
from mix_signals import EFFECT_SETTINGS, SAMPLE_RATE, Effect, noise, plucks

from riffcomposer.errors import AudioError
from riffcomposer.mix.chain import EFFECTS, Chain
from riffcomposer.song import effects as song_effects


def stream(chain: Chain, audio: np.ndarray, size: int) -> np.ndarray:
    blocks = [chain.push(audio[:, start : start + size]) for start in range(0, audio.shape[1], size)]
    return np.concatenate(blocks, axis=1)


def test_every_effect_of_the_song_language_is_here() -> None:
    assert set(EFFECTS) == set(song_effects.EFFECTS) == set(EFFECT_SETTINGS)


@pytest.mark.parametrize("name", EFFECT_SETTINGS)
def test_blocks_give_what_the_whole_gives(name: str) -> None:
    audio = plucks(1.5)
    effects = [Effect(name, EFFECT_SETTINGS[name])]
    whole = stream(Chain(effects, SAMPLE_RATE), audio, audio.shape[1])
    blocks = stream(Chain(effects, SAMPLE_RATE), audio, 7001)
    assert whole.shape == blocks.shape == audio.shape
    np.testing.assert_allclose(blocks, whole, atol=1e-6)
    assert np.abs(whole - audio).max() > 1e-3, "the effect did nothing"


@pytest.mark.parametrize("name", sorted(song_effects.EFFECTS))
def test_defaults_of_the_language_are_accepted(name: str) -> None:
    entry = song_effects.ChainEntry.model_validate({name: {}}).effect()
    assert stream(Chain([entry], SAMPLE_RATE), noise(0.2), 4000).shape == (1, 8820)


def test_a_tail_rings_out_and_ends() -> None:
    chain = Chain([Effect("delay", {"delay_seconds": 0.4, "feedback": 0.5, "mix": 0.5})], SAMPLE_RATE)
    impulse = np.zeros((2, 1000), np.float32)
    impulse[:, 0] = 1
    head = chain.push(impulse)
    tail = np.concatenate(list(chain.tail()), axis=1)
    ringing = np.concatenate([head, tail], axis=1)
    echoes = np.flatnonzero(np.abs(ringing[0]) > 1e-5)
    assert len(echoes) >= 15
    assert np.all(np.diff(echoes[1:]) == round(0.4 * SAMPLE_RATE))
    assert np.abs(tail[:, -SAMPLE_RATE // 4 :]).max() < 1e-5
    assert tail.shape[1] < 30 * SAMPLE_RATE


def test_a_tail_that_never_ends_is_faded_out() -> None:
    frozen = Chain([Effect("reverb", {"freeze_mode": 1.0, "wet_level": 1.0})], SAMPLE_RATE)
    frozen.push(noise(0.3))
    tail = np.concatenate(list(frozen.tail()), axis=1)
    assert tail.shape[1] <= 30.5 * SAMPLE_RATE
    assert np.abs(tail[:, -1]).max() < 1e-4


def test_no_effects_change_nothing() -> None:
    chain, audio = Chain([], SAMPLE_RATE), noise(0.1)
    assert chain.push(audio) is audio
    assert list(chain.tail()) == []


@pytest.mark.parametrize(
    ("effect", "words"),
    [
        (Effect("VST3Plugin", {"path": "x"}), "no effect 'VST3Plugin'"),
        (Effect("__class__"), "no effect"),
        (Effect("reverb", {"size": 1}), "refuses"),
        (Effect("ladder_filter", {"mode": "NOTCH"}), "LPF12"),
        (Effect("compressor", {"ratio": 0.2}), "refuses"),
    ],
)
def test_what_is_not_in_the_map_is_refused(effect: Effect, words: str) -> None:
    with pytest.raises(AudioError, match=words):
        Chain([effect], SAMPLE_RATE)
