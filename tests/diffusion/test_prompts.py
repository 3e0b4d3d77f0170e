"""Chunks and the embeddings of prompts."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from riffcomposer.diffusion.prompts import PromptEncoder, WeightedTokens


@pytest.fixture(scope="module", params=["engine", "flow_engine"])
def encoder(request: Any) -> Any:
    engine = request.getfixturevalue(request.param)
    return PromptEncoder(
        engine.checkpoint.tokenizer, engine.checkpoint.text_encoder, engine.located.profile.text_length
    )


def test_a_plain_prompt_is_encoded_as_the_pipelines_do(encoder: Any, engine: Any) -> None:
    tokenizer, network, length = encoder._tokenizer, encoder._encoder, encoder._length
    inputs = tokenizer("church bells", padding="max_length", max_length=length, return_tensors="pt")
    mask = inputs.attention_mask if encoder._masked else None
    with torch.inference_mode():
        wanted = network(inputs.input_ids, attention_mask=mask)[0][0]
    assert torch.allclose(encoder.encode("church bells", 1), wanted, atol=1e-6)


def test_bert_sees_no_padding_and_clip_does(engine: Any, flow_engine: Any) -> None:
    assert flow_engine._prompts._masked
    assert not engine._prompts._masked


def test_weight_1_changes_nothing_and_others_move_along_a_line(encoder: Any) -> None:
    plain, empty = encoder.encode("bells", 1), encoder.encode("", 1)
    assert torch.equal(encoder.encode("(bells:1)", 1), plain)
    doubled = encoder.encode("(bells:2.0)", 1)
    count = len(encoder.tokenize("bells").ids)
    inside = slice(1, 1 + count)
    assert torch.allclose(doubled[inside] - plain[inside], plain[inside] - empty[inside], atol=1e-5)
    assert torch.equal(doubled[1 + count :], plain[1 + count :])
    assert torch.allclose(encoder.encode("(bells:0)", 1)[inside], empty[inside], atol=1e-6)


def test_long_prompts_take_more_chunks_and_lose_nothing(encoder: Any) -> None:
    word, room = "abcde ", encoder._length - 2
    long = word * (room // 2)
    chunks = encoder.chunks_needed(["short", long])
    assert chunks == -(-len(encoder.tokenize(long).ids) // room)
    assert chunks > 1
    embedded = encoder.encode(long, chunks)
    assert embedded.shape[0] == chunks * encoder._length
    changed = encoder.encode(long.rstrip()[:-1] + "x", chunks)
    assert torch.equal(embedded[: encoder._length], changed[: encoder._length])
    assert not torch.equal(embedded, changed)


def test_both_ends_of_a_walk_are_padded_alike(encoder: Any) -> None:
    long = "x " * (encoder._length - 1)
    assert encoder.chunks_needed(["bells", long]) == 2
    short = encoder.encode("bells", 2)
    assert short.shape == encoder.encode(long, 2).shape
    assert torch.equal(short[encoder._length :], encoder.encode("", 1))


def test_embeddings_are_remembered_and_bounded(encoder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    run = encoder._run

    def counted(ids: Any) -> Any:
        calls.append(ids)
        return run(ids)

    monkeypatch.setattr(encoder, "_run", counted)
    for _ in range(3):
        encoder.encode("thrice", 1)
    assert len(calls) == 1
    encoder.encode("thrice", 1, weights=("a LoRA",))
    assert len(calls) == 2, "with other weights on the encoder it is another embedding"
    encoder._cache.clear()
    monkeypatch.setattr("riffcomposer.diffusion.prompts._CACHED_CHUNKS", 4)
    for index in range(8):
        encoder._chunk(WeightedTokens((index,), (1.0,)), ())
    assert len(encoder._cache) <= 4
