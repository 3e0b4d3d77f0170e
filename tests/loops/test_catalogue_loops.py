"""The shipped catalogue: complete, in the format, at one level, on the grid, and without a seam."""

from __future__ import annotations

import hashlib
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from riffcomposer.composer.styles import STYLES
from riffcomposer.loops.catalogue import FOLDER, Loop, SeedMask, catalogue
from riffcomposer.media.picture import parameters_from_exif
from riffcomposer.spectrogram.image import read_image

CLIPS = list(catalogue().clips.values())
BEAT_FRAMES = 64


def _levels(clip: Loop) -> np.ndarray:
    level, _, tagged = read_image(clip.path)
    assert tagged
    return level[0].double().numpy()


def test_there_are_enough_for_every_style() -> None:
    assert len(CLIPS) >= 48
    count = Counter(clip.style for clip in CLIPS)
    assert set(count) == set(STYLES)
    assert min(count.values()) >= 3


def test_files_are_those_listed() -> None:
    listed = {clip.path for clip in CLIPS} | {mask.path for mask in catalogue().masks.values()}
    on_disk = {*(FOLDER / "clips").glob("*"), *(FOLDER / "masks").glob("*")}
    assert listed == on_disk
    entries: list[Loop | SeedMask] = [*CLIPS, *catalogue().masks.values()]
    for each in entries:
        assert hashlib.sha256(each.path.read_bytes()).hexdigest() == each.sha256, each.name


@pytest.mark.parametrize("clip", CLIPS, ids=lambda clip: clip.name)
def test_a_clip_is_described_and_in_the_format(clip: Loop) -> None:
    assert (float(clip.tempo), clip.bars, clip.meter) == (93.75, 2, "4/4")
    assert clip.description
    assert "\n" not in clip.description
    assert clip.tags
    assert clip.key == "" or clip.key.split()[1] in ("major", "minor")
    with Image.open(clip.path) as image:
        assert (image.size, image.mode) == ((512, 512), "L")
        params, tagged = parameters_from_exif(image.getexif())
    assert tagged
    assert params.max_volume == 30e6
    assert clip.path.stat().st_size < 200_000


@pytest.mark.parametrize("clip", CLIPS, ids=lambda clip: clip.name)
def test_a_clip_loops_without_a_seam(clip: Loop) -> None:
    """The step from the last column to the first is no larger than steps inside the clip."""
    level = _levels(clip)
    steps = np.abs(np.diff(level, axis=1)).mean(axis=0)
    seam = np.abs(level[:, 0] - level[:, -1]).mean()
    assert seam <= max(steps.max(), 2 * np.percentile(steps, 95))


@pytest.mark.parametrize("clip", [clip for clip in CLIPS if "drums" in clip.tags], ids=lambda clip: clip.name)
def test_a_rhythm_is_at_its_tempo_and_starts_on_the_downbeat(clip: Loop) -> None:
    """Onsets repeat after a beat or a bar of exactly 64 or 256 frames, and fall on the beat grid."""
    loud = np.log1p(_levels(clip) ** 4 * 30e6 / 3000)
    onsets = np.maximum(0, loud - np.roll(loud, 1, axis=1)).sum(axis=0)
    centred = onsets - onsets.mean()
    echo = np.fft.irfft(np.abs(np.fft.rfft(centred)) ** 2)
    around = {period: echo[period - 6 : period + 7].argmax() - 6 for period in (BEAT_FRAMES, 4 * BEAT_FRAMES)}
    strength = {period: echo[period] / echo[0] for period in around}
    best = max(strength, key=lambda period: strength[period])
    assert strength[best] > 0.5
    assert abs(around[best]) <= 1
    # Where onsets lie within a sixteenth or a triplet, whichever the rhythm is made of.
    time = np.arange(len(onsets))
    waves = {step: np.sum(centred * np.exp(2j * np.pi * time / step)) for step in (16, 64 / 3)}
    step = max(waves, key=lambda step: abs(waves[step]))
    late_frames = np.angle(waves[step]) / (2 * np.pi) * step
    assert abs(late_frames) <= 4


def test_clips_stand_at_one_level() -> None:
    """Power in the mel is within 2 dB of the median, and nothing is clipped."""
    power = {}
    for clip in CLIPS:
        level = _levels(clip)
        power[clip.name] = 10 * np.log10(np.mean(level**8))
        assert np.mean(level >= 1) < 1e-4, clip.name
    middle = np.median(list(power.values()))
    assert {name: value for name, value in power.items() if abs(value - middle) > 2} == {}


def test_no_two_clips_are_alike() -> None:
    flat = np.stack([_levels(clip)[::8, ::8].ravel() for clip in CLIPS])
    flat = flat - flat.mean(axis=1, keepdims=True)
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    alike = flat @ flat.T - 2 * np.eye(len(flat))
    assert alike.max() < 0.97


def test_masks_are_of_the_kinds_that_riffusion_has() -> None:
    masks = catalogue().masks
    assert {"beats-80", "beats-75", "gradient-up", "gradient-dark", "top-third", "bottom-third"} <= set(masks)
    for mask in masks.values():
        with Image.open(mask.path) as image:
            assert (image.size, image.mode) == ((512, 512), "L")
            pixels = np.asarray(image).astype(float)
        assert mask.description
        assert pixels.max() == 255, mask.name
        assert pixels.min() < 230, mask.name
    beats = np.asarray(Image.open(masks["beats-80"].path)).astype(float)
    assert set(np.flatnonzero(beats[256] == beats.min()) // BEAT_FRAMES) == set(range(8))
    assert beats[256, 0] == 204
    assert beats[256, 32] == 255
    up = np.asarray(Image.open(masks["gradient-up"].path)).astype(float)
    assert up[0, 0] > up[511, 0]
    top = np.asarray(Image.open(masks["top-third"].path)).astype(float)
    assert top[0, 0] < 128 < top[300, 0]
