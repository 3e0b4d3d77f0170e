"""Model profiles: the file, its bounds, strength maps and the identity of a checkpoint."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riffcomposer.checkpoints.builtin import RIFFUSION_V1
from riffcomposer.checkpoints.profile import (
    ModelProfile,
    digest_of,
    parse_profile,
    profile_json,
    read_profile,
    write_profile,
)
from riffcomposer.errors import ModelError
from riffcomposer.spectrogram_parameters import SpectrogramParameters

FULL = ModelProfile(
    name="full",
    spectrogram=SpectrogramParameters(num_frequencies=256, stereo=True),
    image_channels=2,
    network_input="level",
    pixel_unshuffle=4,
    latent_scale=16,
    prediction="flow",
    guidance_embedding=True,
    text_length=32,
    schedulers=("euler", "lcm"),
    scheduler="lcm",
    strength_map=((0.3, 0.454), (0.7, 0.769)),
    supports_negative_prompt=False,
    evaluation={"l1": 3.5},
    files={"unet/x.safetensors": "0" * 64},
)


@pytest.mark.parametrize("profile", [ModelProfile(name="plain"), RIFFUSION_V1, FULL])
def test_a_profile_survives_its_file(tmp_path: Path, profile: Any) -> None:
    write_profile(tmp_path, profile)
    assert read_profile(tmp_path) == profile
    assert read_profile(tmp_path / "riffcomposer.json") == profile


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("colour", 1, "colour"),
        ("image_width", "wide", "image_width"),
        ("prediction", "guess", "prediction"),
        ("image_width", 500, "multiple of width_step"),
        ("width_step", 0, "width_step"),
        ("width_step", 4, "multiple of latent_scale"),
        ("max_width", 10, "image_width"),
        ("image_channels", 4, "image_channels"),
        ("scheduler", "heun", "one of schedulers"),
        ("num_inference_steps", 0, "num_inference_steps"),
        ("strength", 1.5, "strength"),
        ("detail_guidance", 1.1, "detail_guidance"),
        ("strength_map", [[0.5, 0.4], [0.4, 0.5]], "strength_map"),
        ("strength_map", [[0.5, 1.4]], "strength_map"),
        ("pixel_unshuffle", 3, "pixel_unshuffle"),
        ("text_length", 2, "text_length"),
        ("files", {"../../etc/passwd": "0"}, "relative paths"),
        ("files", {"/etc/passwd": "0"}, "relative paths"),
        ("spectrogram", {"num_frequencies": 0}, "positive"),
        ("format", 99, "upgrade riffcomposer"),
    ],
)
def test_what_cannot_be_is_refused(field: Any, value: Any, message: Any) -> None:
    content = json.loads(profile_json(ModelProfile(name="x"))) | {field: value}
    with pytest.raises(ModelError, match=message) as caught:
        parse_profile(json.dumps(content), "here/riffcomposer.json")
    assert str(caught.value).startswith("here/riffcomposer.json")


@pytest.mark.parametrize("text", ["", "[]", "{", "null", "{}", "[" * 100_000, '{"name": NaN}'])
def test_what_is_no_profile_is_refused(text: Any) -> None:
    with pytest.raises(ModelError):
        parse_profile(text, "x")


@given(st.floats(0, 1), st.floats(0, 1))
def test_strength_maps_rise_and_keep_their_ends(left: float, right: float) -> None:
    profile = replace(FULL, strength_map=((0.0, 0.0), (0.3, 0.454), (0.7, 0.769), (1.0, 1.0)))
    assert profile.model_strength(0) == 0
    assert profile.model_strength(1) == 1
    low, high = sorted((left, right))
    assert profile.model_strength(low) <= profile.model_strength(high)


def test_a_strength_map_goes_through_its_pairs() -> None:
    assert FULL.model_strength(0.3) == pytest.approx(0.454)
    assert FULL.model_strength(0.5) == pytest.approx((0.454 + 0.769) / 2)
    assert FULL.model_strength(0.85) == pytest.approx((0.769 + 1) / 2)
    assert ModelProfile(name="plain").model_strength(0.37) == pytest.approx(0.37)


def test_the_digest_moves_with_what_decides_samples_only() -> None:
    digest = digest_of(FULL, FULL.files)
    for field, value in {
        "name": "other",
        "strength": 0.1,
        "scheduler": "euler",
        "licence": "MIT",
        "evaluation": {},
        "max_width": 2048,
        "seconds_per_evaluation": 9.0,
        "num_inference_steps": 3,
    }.items():
        assert digest_of(replace(FULL, **{field: cast(Any, value)}), FULL.files) == digest, field
    for field, value in {
        "spectrogram": SpectrogramParameters(),
        "network_input": "image",
        "pixel_unshuffle": 2,
        "prediction": "epsilon",
        "guidance_embedding": False,
        "text_length": 16,
        "strength_map": (),
        "detail_guidance": 0.5,
    }.items():
        assert digest_of(replace(FULL, **{field: cast(Any, value)}), FULL.files) != digest, field
    assert digest_of(FULL, {"unet/x.safetensors": "1" * 64}) != digest


def test_a_field_that_came_later_leaves_older_digests_as_they_are() -> None:
    assert FULL.detail_guidance == 1
    assert digest_of(FULL, {"a": "b"}) == "8c3d741f3e56f26f4100ca900656b35cd796a648748b99ad22289a3067f2a77e"
