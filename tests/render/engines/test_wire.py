"""Messages from workers: each comes back as it was, and nothing else is taken for one."""

from __future__ import annotations

import json
import pickle
import struct
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_song import fake_level

from riffcomposer.render.engines.interface import Done, Failed, SoundBlock, Step, Versions
from riffcomposer.render.engines.wire import (
    Dying,
    Ended,
    Loaded,
    LoadFailed,
    Message,
    Ready,
    WireError,
    decode,
    encode,
)

PLAIN: list[Message] = [
    Ready("node-1 GPU 0", "cuda-float16", Versions()),
    Loaded("ab" * 32, 4096),
    LoadFailed("ab" * 32, "weights are damaged"),
    Step("cd" * 32, 3, 10),
    Failed("cd" * 32, "out of luck", final=True),
    Ended(12),
    Dying("ZeroDivisionError: división"),
]


@pytest.mark.parametrize("message", PLAIN, ids=lambda message: type(message).__name__)
def test_a_message_comes_back_as_it_was(message: Message) -> None:
    assert decode(encode(message)) == message


def test_arrays_come_back_to_the_bit() -> None:
    level = fake_level("a", 64)
    back = decode(encode(Done("a", level)))
    assert isinstance(back, Done)
    assert back.level.dtype == np.float16
    assert np.array_equal(back.level, level.astype(np.float16))
    sound = np.random.default_rng(1).normal(size=(2, 441)).astype(np.float32)
    block = decode(encode(SoundBlock("a", sound)))
    assert isinstance(block, SoundBlock)
    assert np.array_equal(block.sound, sound)


def crafted(head: Any, body: bytes = b"") -> bytes:
    text = json.dumps(head).encode()
    return struct.pack("<I", len(text)) + text + body


ARRAY = {"dtype": "<f2", "shape": [1, 2, 2]}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00\x00\x00\x00",
        b"\xff\xff\xff\xff{}",
        pickle.dumps(("done", "a")),
        crafted([]),
        crafted({"kind": "run"}),
        crafted({"kind": "step", "key": "a", "step": -1, "of": 2}),
        crafted({"kind": "step", "key": "a", "step": True, "of": 2}),
        crafted({"kind": "step", "key": "a\n", "step": 1, "of": 2}),
        crafted({"kind": "ended", "number": 1 << 40}),
        crafted({"kind": "ready", "place": "x", "backend": "abacus", "versions": {}}),
        crafted({"kind": "ready", "place": "x", "backend": "cpu-float32", "versions": {"sampler": 1}}),
        crafted({"kind": "dying", "message": "x" * 5000}),
        crafted({"kind": "done", "key": "a", "array": ARRAY}, bytes(7)),
        crafted({"kind": "done", "key": "a", "array": ARRAY}, bytes(9)),
        crafted({"kind": "done", "key": "a", "array": ARRAY | {"dtype": "|O"}}, bytes(8)),
        crafted({"kind": "done", "key": "a", "array": ARRAY | {"dtype": "<f4"}}, bytes(16)),
        crafted({"kind": "done", "key": "a", "array": ARRAY | {"shape": [1, 4]}}, bytes(8)),
        crafted({"kind": "done", "key": "a", "array": ARRAY | {"shape": [-1, -2, 2]}}, bytes(8)),
        crafted({"kind": "done", "key": "a", "array": ARRAY | {"shape": [1 << 40, 1 << 40, 1]}}, bytes(8)),
        crafted({"kind": "block", "key": "a", "array": {"dtype": "<f4", "shape": [2, 0]}}),
    ],
)
def test_what_is_no_message_is_refused(content: bytes) -> None:
    with pytest.raises(WireError):
        decode(content)


@given(st.binary(max_size=300))
def test_no_bytes_do_anything_else(content: bytes) -> None:
    with suppress(WireError):
        decode(content)


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_a_changed_byte_is_a_message_or_an_error(at: int, value: int) -> None:
    content = bytearray(encode(Done("a", fake_level("a", 16)[:, :8])))
    content[at % len(content)] = value
    with suppress(WireError):
        decode(bytes(content))
