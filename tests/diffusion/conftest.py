"""Engines on tiny random checkpoints, and jobs for them."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clip_jobs import clip_job

from riffcomposer.checkpoints.locate import locate_model
from riffcomposer.diffusion.engine import Engine
from riffcomposer.files import file_sha256
from riffcomposer.plan.types import ClipJob, InitClip, MaskImage
from riffcomposer.spectrogram_parameters import SpectrogramParameters

MakeJob = Callable[..., ClipJob]


@pytest.fixture(scope="session")
def make_job() -> MakeJob:
    """Builds a job that differs from `clip_jobs.FIELDS` where told."""
    return clip_job


@pytest.fixture(scope="session")
def engine(tiny_checkpoint: Path) -> Engine:
    return Engine(locate_model(str(tiny_checkpoint)), device="cpu")


@pytest.fixture(scope="session")
def flow_engine(tiny_flow_checkpoint: Path) -> Engine:
    return Engine(locate_model(str(tiny_flow_checkpoint)), device="cpu")


@pytest.fixture(scope="session")
def seed_clip(tmp_path_factory: pytest.TempPathFactory) -> InitClip:
    """A two-beat loop with 64 mel bands, a spectrogram image of 64 frames: 187.5 BPM."""
    from riffcomposer.spectrogram.image import write_image

    rng = np.random.default_rng(5)
    level = np.kron(rng.random((1, 16, 16)), np.ones((1, 4, 4))).astype(np.float32)
    path = tmp_path_factory.mktemp("seeds") / "loop.png"
    write_image(path, level, SpectrogramParameters(num_frequencies=64))
    return InitClip("image", "loop", path, file_sha256(path), Fraction(375, 2), Fraction(2))


@pytest.fixture(scope="session")
def half_mask(tmp_path_factory: pytest.TempPathFactory) -> MaskImage:
    """Keeps the first half of the clip (black), repaints the second (white)."""
    from PIL import Image

    grey = np.zeros((64, 64), np.uint8)
    grey[:, 32:] = 255
    path = tmp_path_factory.mktemp("masks") / "half.png"
    Image.fromarray(grey).save(path)
    return MaskImage("half", path, file_sha256(path))


@pytest.fixture(scope="session")
def render_one() -> Callable[[Engine, ClipJob], np.ndarray]:
    """Renders one job and fails the test if the clip does."""

    def render(engine: Engine, job: ClipJob) -> np.ndarray:
        ((_, result),) = engine.render({"clip": job})
        assert isinstance(result, np.ndarray), result
        return result

    return render
