"""The decoder: quality, chunk borders, loop seams, determinism."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from riffcomposer.errors import SpectrogramError, UsageError
from riffcomposer.spectrogram import decoder as decoder_module
from riffcomposer.spectrogram.decoder import Decoder
from riffcomposer.spectrogram.mel import mel_from_audio
from riffcomposer.spectrogram_parameters import SpectrogramParameters

PARAMS = SpectrogramParameters()
HOP = PARAMS.hop_length


def _music(frames: int) -> torch.Tensor:
    """Plucked chords and a noise burst every half second, `[1, frames * hop]`."""
    generator = torch.Generator().manual_seed(5)
    samples = frames * HOP
    audio = torch.zeros(samples)
    for number, onset in enumerate(range(0, samples, 22050)):
        time = torch.arange(min(44100, samples - onset)) / 44100
        for ratio in (1.0, 1.26, 1.5):
            pitch = 220.0 * ratio * 2 ** ((number * 5 % 12) / 12)
            for harmonic in range(1, 5):
                tone = torch.sin(2 * math.pi * pitch * harmonic * time) * torch.exp(-3 * harmonic * time)
                audio[onset : onset + len(time)] += 0.05 / harmonic * tone
        burst = 0.1 * torch.randn(len(time), generator=generator) * torch.exp(-30 * time)
        audio[onset : onset + len(time)] += burst
    return audio[None]


def _sc(got: torch.Tensor, wanted: torch.Tensor) -> float:
    return 20 * math.log10(float((got - wanted).norm() / wanted.norm()))


def _level_db(got: torch.Tensor, wanted: torch.Tensor) -> float:
    return 20 * math.log10(float(got.norm() / wanted.norm()))


@pytest.fixture(scope="module")
def mel() -> torch.Tensor:
    return mel_from_audio(_music(260), PARAMS, fast=True)[:, :, :260]


def test_decoded_music_has_the_mel_it_was_decoded_from(mel: torch.Tensor) -> None:
    audio = Decoder(PARAMS, "fast").decode(mel)
    assert audio.shape == (1, 260 * HOP)
    assert _sc(mel_from_audio(audio, PARAMS)[:, :, :260], mel) < -22


def test_a_chunk_border_is_no_worse_than_one_pass(mel: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = Decoder(PARAMS, "fast")
    whole = mel_from_audio(decoder.decode(mel), PARAMS, fast=True)
    monkeypatch.setattr(decoder_module, "CHUNK_FRAMES", 130)
    chunks = mel_from_audio(decoder.decode(mel), PARAMS, fast=True)
    border = slice(120, 140)
    assert _sc(chunks[..., border], mel[..., border]) < _sc(whole[..., border], mel[..., border]) + 1.5
    assert abs(_level_db(chunks[..., border], whole[..., border])) < 0.1


@pytest.mark.parametrize("samples", [200 * HOP, 200 * HOP - 157])
def test_a_loop_runs_into_its_start(samples: int) -> None:
    music = _music(300)[:, : samples + 60 * HOP]
    fade = torch.sin(torch.linspace(0, math.pi / 2, 60 * HOP))
    loop = music[:, :samples].clone()
    loop[:, : 60 * HOP] = loop[:, : 60 * HOP] * fade + music[:, samples:] * fade.flip(0)
    turns = loop.repeat(1, 3)
    before = 40 * HOP
    frames = -(-samples // HOP)
    mel = mel_from_audio(turns[:, samples - before :], PARAMS, fast=True)[:, :, 40 : 40 + frames]
    parts = Decoder(PARAMS).decode_stream(
        lambda first, count: mel[:, :, first : first + count].numpy(), frames, samples, wraps=True
    )
    audio = torch.from_numpy(np.concatenate(list(parts), axis=1))
    assert audio.shape == (1, samples)
    got = mel_from_audio(audio.repeat(1, 2)[:, samples - 100 * HOP :], PARAMS, fast=True)[..., :200]
    wanted = mel_from_audio(turns[:, samples - 100 * HOP :], PARAMS, fast=True)[..., :200]
    seam = slice(90, 110)
    around = torch.cat([got[..., 50:90], got[..., 110:150]], 2)
    around_wanted = torch.cat([wanted[..., 50:90], wanted[..., 110:150]], 2)
    assert _sc(got[..., seam], wanted[..., seam]) < max(_sc(around, around_wanted) + 1.5, -27)
    assert abs(_level_db(got[..., seam], wanted[..., seam])) < 0.1


def test_a_loud_beginning_is_tried_several_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    # Tones so close that they beat within a window: their signs at the start matter.
    time = torch.arange(72 * HOP) / 44100
    generator = torch.Generator().manual_seed(3)
    tones = [
        torch.sin(
            2 * math.pi * (100.0 + 7.0 * number) * time + 6.3 * float(torch.rand((), generator=generator))
        )
        for number in range(60)
    ]
    mel = mel_from_audio(0.02 * torch.stack(tones).sum(0)[None], PARAMS)[:, :, 8:64]
    errors = []
    for draws in (1, 8):
        monkeypatch.setattr(decoder_module, "START_DRAWS", draws)
        decoded = [Decoder(PARAMS, "fast", seed=seed).decode(mel) for seed in range(2)]
        errors.append([_sc(mel_from_audio(audio, PARAMS)[:, :, :16], mel[:, :, :16]) for audio in decoded])
    assert np.mean(errors[1]) < np.mean(errors[0]) - 1.0


@pytest.mark.parametrize(("preset", "frames"), [("fast", 40), ("fast", 260), ("default", 77)])
def test_the_seed_decides_and_threads_do_not(mel: torch.Tensor, preset: str, frames: int) -> None:
    part = mel[:, :, :frames]
    threads = torch.get_num_threads()
    first, two, many = (Decoder(PARAMS, preset, seed=1, threads=count).decode(part) for count in (1, 2, 7))
    assert torch.get_num_threads() == threads
    for again in (two, many):
        assert torch.equal(first, again)
    assert not torch.equal(first, Decoder(PARAMS, preset, seed=2).decode(part))


def test_threads_of_torch_and_of_the_decoder_decide_nothing_over_several_blocks(mel: torch.Tensor) -> None:
    part = mel.repeat(1, 1, 4)[:, :, :800]
    before, decoded = torch.get_num_threads(), []
    try:
        for inside, beside in ((1, 1), (2, 2), (3, 4)):
            torch.set_num_threads(inside)
            decoded.append(Decoder(PARAMS, "fast", threads=beside).decode(part))
            assert torch.get_num_threads() == inside
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(decoded[0], again) for again in decoded[1:])


@pytest.mark.parametrize("frames", [1, 2, 7, 23])
def test_short_and_silent_songs_have_their_length(frames: int) -> None:
    audio = Decoder(PARAMS, "fast").decode(torch.zeros(2, 512, frames))
    assert audio.shape == (2, frames * HOP)
    assert float(audio.abs().max()) == 0.0


def test_a_stream_reports_progress_and_pads_with_silence(mel: torch.Tensor) -> None:
    seen: list[tuple[int, int]] = []
    parts = Decoder(PARAMS, "fast").decode_stream(
        lambda first, count: mel[:, :, first : first + count].numpy(),
        20,
        25 * HOP + 3,
        on_progress=lambda done, total: seen.append((done, total)),
    )
    audio = np.concatenate(list(parts), axis=1)
    assert audio.shape == (1, 25 * HOP + 3)
    assert not audio[:, 20 * HOP :].any()
    assert seen == [(20, 20)]


def test_other_formats_decode_too() -> None:
    params = SpectrogramParameters(sample_rate=22050, num_frequencies=128, max_frequency=8000)
    audio = 0.3 * torch.sin(2 * math.pi * 440 * torch.arange(22050) / 22050)[None]
    mel = mel_from_audio(audio, params)
    decoded = Decoder(params, "fast").decode(mel)
    assert decoded.shape == (1, mel.shape[2] * params.hop_length)
    assert _sc(mel_from_audio(decoded, params)[..., 10:80], mel[..., 10:80]) < -20


def test_what_cannot_be_decoded_is_refused(mel: torch.Tensor) -> None:
    with pytest.raises(UsageError, match="fast, default, best"):
        Decoder(PARAMS, "superb")
    decoder = Decoder(PARAMS, "fast")
    for bad in (
        mel[0],
        mel[:, :100],
        mel[:, :, :0],
        torch.full((1, 512, 9), float("nan")),
        -mel[:, :, :9] - 1,
    ):
        with pytest.raises(SpectrogramError):
            decoder.decode(bad)


@pytest.mark.gpu
def test_a_gpu_decodes_as_well(mel: torch.Tensor) -> None:
    audio = Decoder(PARAMS, "fast", device="cuda").decode(mel)
    assert _sc(mel_from_audio(audio, PARAMS)[:, :, :260], mel) < -22
