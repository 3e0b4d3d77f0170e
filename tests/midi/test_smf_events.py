"""Decoding a track's bytes, compared with mido."""

from __future__ import annotations

import io

import mido
import pytest
from hypothesis import given
from hypothesis import strategies as st
from raw_midi import meta, number, smf

from riffcomposer.errors import MidiError
from riffcomposer.midi.smf_events import STATUS, TICK, TRACK, decode_tracks

DATA = st.integers(0, 127)
DELTAS = st.one_of(st.integers(0, 300), st.integers(0, 1 << 20)).map(number)
CHANNEL_EVENTS = st.builds(
    lambda status, first, second: bytes(
        (status, first) if 0xC0 <= status < 0xE0 else (status, first, second)
    ),
    st.integers(0x80, 0xEF),
    DATA,
    DATA,
)
OTHERS = st.one_of(
    st.binary(max_size=150).map(lambda text: meta(0, 1, text)[1:]),
    st.lists(DATA, max_size=150).map(lambda data: b"\xf0" + number(len(data) + 1) + bytes(data) + b"\xf7"),
)
TRACKS = st.lists(st.tuples(DELTAS, st.one_of(CHANNEL_EVENTS, OTHERS)), max_size=30)


def joined(events: list[tuple[bytes, bytes]]) -> bytes:
    """The events of a track, with running status wherever it may be."""
    content, status = b"", -1
    for delta, event in events:
        content += delta + (event[1:] if event[0] == status else event)
        status = event[0] if event[0] < 0xF0 else -1
    return content


@given(st.lists(TRACKS, min_size=1, max_size=3))
def test_messages_and_their_times_are_those_of_mido(tracks: list[list[tuple[bytes, bytes]]]) -> None:
    content = [joined(track) for track in tracks]
    found = decode_tracks(tuple(content), "x.mid").messages
    for place, track in enumerate(mido.MidiFile(file=io.BytesIO(smf(*content))).tracks):
        wanted, tick = [], 0
        for message in track:
            tick += message.time
            if not message.is_meta and message.type != "sysex":
                status, first, second = (*message.bytes(), 0)[:3]
                wanted.append(tick << TICK | place << TRACK | status << STATUS | first << 8 | second)
        assert found[place] == wanted


@pytest.mark.parametrize("value", [0, 1, 127, 128, 0x3FFF, 0x4000, 0x1FFFFF, 0x200000, 0xFFFFFFF])
def test_numbers_of_one_to_four_bytes(value: int) -> None:
    assert decode_tracks((number(value) + b"\xc0\0",), "x.mid").messages[0][0] >> TICK == value


def test_a_number_of_five_bytes_is_refused_even_if_it_is_0() -> None:
    with pytest.raises(MidiError, match=r"x\.mid: track 1 is damaged: the number at byte 0 is longer"):
        decode_tracks((b"\x80\x80\x80\x80\0\xc0\0",), "x.mid")
