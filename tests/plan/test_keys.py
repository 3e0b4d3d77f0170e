"""Canonical jobs and keys."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planned_songs import planned, section, song

from riffcomposer.plan.inits import InitClip
from riffcomposer.plan.keys import canonical, job_key, passage_key
from riffcomposer.plan.types import ClipJob, LoraFile, Place, Point

JOB = next(iter(planned(song(section("a", clips=1, mask="beats-80"))).jobs.values()))
LORAS = (LoraFile("x", Path("/x"), "1" * 64, 0.5), LoraFile("y", Path("/y"), "0" * 64, 1.0))


def at(**numbers: Any) -> Place:
    """The place of `JOB` with another strength or guidance."""
    return Place(replace(JOB.place.a, **numbers), replace(JOB.place.b, **numbers), JOB.place.alpha)


points = st.builds(
    Point,
    prompt=st.sampled_from(["", "bells", "jazz"]),
    seed=st.integers(0, 3),
    strength=st.one_of(st.sampled_from([0.0, 0.01, 1.0]), st.floats(0, 1)),
    guidance_scale=st.sampled_from([1.0, 5.0]),
)
places = st.builds(Place, points, points, st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0, 1)))
jobs = st.builds(
    replace,
    st.just(JOB),
    place=places,
    init=st.sampled_from([None, JOB.init]),
    mask=st.sampled_from([None, JOB.mask]),
    loras=st.sampled_from([(), LORAS, LORAS[::-1]]),
)


@settings(max_examples=60, deadline=None)
@given(jobs)
def test_canonical_is_final(job: ClipJob) -> None:
    assert canonical(canonical(job)) == canonical(job)
    assert job_key(canonical(job)) == job_key(job)


@settings(max_examples=60, deadline=None)
@given(jobs)
def test_a_walk_seen_from_its_other_end_is_the_same_job(job: ClipJob) -> None:
    other = replace(job, place=Place(job.place.b, job.place.a, 1 - job.place.alpha))
    assert job_key(other) == job_key(job)


def test_names_and_paths_are_not_in_the_key() -> None:
    assert isinstance(JOB.init, InitClip)
    assert JOB.mask is not None
    moved = replace(
        JOB,
        init=replace(JOB.init, name="other", path=Path("/other"), kind="image"),
        mask=replace(JOB.mask, name="other", path=Path("/other")),
    )
    assert job_key(moved) == job_key(JOB)


CHANGES: dict[str, Any] = {
    "model_digest": "e" * 64,
    "backend": "cuda-float16",
    "width_frames": 640,
    "frames_per_quarter": 65,
    "clip_quarters": 4,
    "place": at(guidance_scale=7.5),
    "negative_prompt": "other hiss",
    "num_inference_steps": 31,
    "scheduler": "another",
    "init": replace(JOB.init, sha256="f" * 64) if isinstance(JOB.init, InitClip) else None,
    "mask": None,
    "loras": LORAS,
}


@pytest.mark.parametrize("name", [field.name for field in fields(ClipJob)])
def test_every_field_that_decides_samples_is_in_the_key(name: str) -> None:
    changed = replace(JOB, **{name: CHANGES[name]})
    assert getattr(changed, name) != getattr(JOB, name)
    assert job_key(changed) != job_key(JOB)


BELLS, JAZZ = Point("bells", 1, 0.4, 5.0), Point("jazz", 2, 0.6, 7.0)


@pytest.mark.parametrize(
    "other",
    [
        Place(replace(BELLS, prompt="horns"), JAZZ, 0.25),
        Place(BELLS, replace(JAZZ, prompt="horns"), 0.25),
        Place(replace(BELLS, seed=41), JAZZ, 0.25),
        Place(BELLS, replace(JAZZ, seed=41), 0.25),
        Place(replace(BELLS, strength=0.41), JAZZ, 0.25),
        Place(BELLS, replace(JAZZ, guidance_scale=7.1), 0.25),
        Place(BELLS, JAZZ, 0.26),
    ],
)
def test_every_part_of_a_place_is_in_the_key(other: Place) -> None:
    walking = replace(JOB, place=Place(BELLS, JAZZ, 0.25))
    assert job_key(replace(JOB, place=other)) != job_key(walking)


def test_points_whose_mix_is_the_same_are_one_job() -> None:
    mixed = Point("bells", 1, 0.5, 6.0), Point("jazz", 2, 0.5, 6.0)
    assert job_key(replace(JOB, place=Place(BELLS, JAZZ, 0.5))) == job_key(
        replace(JOB, place=Place(*mixed, 0.5))
    )


def test_float_noise_is_not_in_the_key() -> None:
    noisy, exact = (replace(JOB, place=at(strength=strength)) for strength in (0.1 + 0.2, 0.3))
    assert job_key(noisy) == job_key(exact)


def test_the_sampler_version_is_in_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = job_key(JOB)
    monkeypatch.setattr("riffcomposer.plan.keys.SAMPLER_VERSION", 999)
    assert job_key(JOB) != before


def test_a_passage_keeps_its_key_where_it_moves_by_whole_clips() -> None:
    def key_of(name: str, *parts: dict[str, object], decoder: str = "default") -> str:
        plan = planned(song(*parts))
        passage = next(item for item in plan.passages if plan.sections[item.sections[0]].name == name)
        return passage_key(plan, passage, decoder=decoder, decoder_version=1, phase_seed=1)

    a, b, c = (section(name, seed=number * 10) for number, name in enumerate("abc"))
    assert key_of("b", a, b, c) == key_of("b", c, a, b, a | {"name": "d"})
    assert key_of("b", a, b, c) != key_of("b", a, b | {"seed": 99}, c)
    assert key_of("b", a, b, c) != key_of("b", a, b, c, decoder="best")
    louder = b | {"gain_db": -3, "fade_in": "1 bar"}
    assert key_of("b", a, b, c) == key_of("b", a, louder, c)
