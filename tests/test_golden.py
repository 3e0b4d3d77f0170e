"""The output of sampler, decoder, mix, master and synth is what it was when its version was written down."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import golden
import golden_decoder
import golden_mix
import golden_sampler
import golden_synth
import numpy as np
import pytest
from fingerprints import Fingerprint, difference, figures, fingerprint, uniform
from tiny_checkpoint import TINY_PROFILE

from riffcomposer.diffusion import engine
from riffcomposer.diffusion.sampler import SamplerClip
from riffcomposer.mix import band_crossfade, mixdown
from riffcomposer.synth import soundfont_voice

Perturb = Callable[[pytest.MonkeyPatch], None]


@pytest.mark.parametrize("name", golden.STAGES)
def test_output_changes_only_with_its_version(name: str) -> None:
    complaint = golden.complaint(name, golden.read_golden()[name], golden.computed(name))
    assert not complaint, complaint


def _stronger_guidance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        engine, "SamplerClip", lambda **f: SamplerClip(**{**f, "guidance_scale": 1.01 * f["guidance_scale"]})
    )


def _img2img(folder: Path) -> np.ndarray:
    jobs = golden_sampler.jobs_from(*golden_sampler.inputs(folder))
    (level,) = golden_sampler.clips(folder, TINY_PROFILE, {"img2img": jobs["img2img"]}).values()
    return level


def _ends_of_a_track(folder: Path) -> np.ndarray:
    track = golden_mix.plain_track(folder)
    return track.read(0, track.samples)


CHANGES: dict[str, tuple[str, Perturb, Callable[[Path], np.ndarray]]] = {
    "img2img": ("sampler", _stronger_guidance, _img2img),
    "joined clips": (
        "decoder",
        lambda patch: patch.setattr(band_crossfade, "FADE_FRAMES", 15),
        lambda folder: golden_decoder.joined_clips()["joined clips"],
    ),
    "layer of band": (
        "synth",
        lambda patch: patch.setattr(soundfont_voice, "BEND_S", 0.1),
        lambda folder: golden_synth.layer(),
    ),
    "ends of a track": (
        "mix",
        lambda patch: patch.setattr(mixdown, "START_FADE_MS", 2.0),
        _ends_of_a_track,
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_changed_constant_is_noticed(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name, perturb, compute = CHANGES[case]
    before = golden.read_golden()[name]
    assert not golden.changed(name, {case: before["cases"][case]}, {case: fingerprint(compute(tmp_path))})
    perturb(monkeypatch)
    (tmp_path / "changed").mkdir()
    now = {**before["cases"], case: fingerprint(compute(tmp_path / "changed"))}
    complaint = golden.complaint(name, before, now)
    assert f"{case} (by " in complaint
    assert f"raise {name.upper()}_VERSION" in complaint
    assert golden.COMMAND in complaint


def test_golden_output_is_written_again_only_under_a_higher_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(golden, "GOLDEN", tmp_path / "golden.json")
    old, new = ({"case": fingerprint(uniform(seed, 100))} for seed in (1, 2))

    def written(cases: dict[str, Fingerprint], version: int) -> list[str]:
        stages = {"mix": golden.Stage("MIX_VERSION", version, lambda folder: cases, 1e-3)}
        monkeypatch.setattr(golden, "STAGES", stages)
        return golden.write({"mix": cases})

    assert written(old, 3) == []
    (message,) = written(new, 3)
    assert "raise MIX_VERSION" in message
    assert golden.read_golden()["mix"] == {"version": 3, "cases": old}
    assert written(new, 2), "a version does not go down"
    assert written(old | {"another": new["case"]}, 3) == []
    assert golden.read_golden()["mix"]["cases"].keys() == {"case", "another"}
    assert "was raised" in golden.complaint("mix", {"version": 2, "cases": old}, old)
    assert written(new, 4) == []
    assert golden.read_golden()["mix"] == {"version": 4, "cases": new}


def test_a_missing_case_is_a_change() -> None:
    assert golden.changed("mix", {"gone": fingerprint(uniform(1, 9))}, {}) == {"gone": math.inf}


def test_fingerprints_see_changes_and_pass_over_roundings() -> None:
    audio = uniform(1, 2, 44100) - 0.5
    before = fingerprint(audio)
    assert difference(before, fingerprint(audio * (1 + 1e-6 * uniform(2, 2, 44100)))) < 1e-5
    assert difference(before, fingerprint(1.01 * audio)) > 2e-3
    assert difference(before, fingerprint(np.roll(audio, 1, axis=1))) > 0.1
    faded = audio.copy()
    faded[:, :60] *= np.linspace(0, 1, 60)
    assert difference(before, fingerprint(faded)) > 0.05
    broken = audio.copy()
    broken[0, 30000] = np.nan
    assert difference(before, fingerprint(broken)) == math.inf
    assert difference(before, fingerprint(audio[:, :-1])) == math.inf


def test_figures_are_compared_one_by_one() -> None:
    before = figures(gain=3.0, limiter=None)
    assert difference(before, figures(gain=3.25, limiter=None)) == 0.25
    assert difference(before, figures(gain=3.0, limiter=-1.0)) == math.inf
    assert difference(before, figures(gain=3.0)) == math.inf
