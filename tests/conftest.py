"""Fixtures shared by all tests."""

from __future__ import annotations

import gc
import importlib
import multiprocessing
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import hypothesis
import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


def pytest_configure(config: pytest.Config) -> None:
    """Keeps torch to one thread, which sleeps when it waits, so that tests side by side share the cores.

    What the environment says already holds: `.ci/processors` runs the tests with other numbers.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # The modules of torch and diffusers stay; looking through them again and again is a seventh of the
    # processor time. What a test leaves open is found a little later.
    gc.set_threshold(50_000, 50, 100)
    # How long an example takes says more about the machine than about the code.
    hypothesis.settings.register_profile("riffcomposer", deadline=None)
    hypothesis.settings.load_profile("riffcomposer")


def pytest_collection_finish() -> None:
    """Collections of garbage need not look at what stays to the end: modules, and the tests themselves."""
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips tests marked `gpu` where there is no CUDA device, with the reason."""
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if not marked:
        return
    import torch

    if not torch.cuda.is_available():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device, and there is none here"))


@pytest.fixture(scope="session", autouse=True)
def sketched_timelines() -> Iterator[None]:
    """A render draws no timeline, but notes what it would draw: drawing is a third of a small render.

    `drawn_timelines` is for tests that want the picture.
    """
    from timeline_sketch import write_sketch

    from riffcomposer.mix import timeline_image

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timeline_image, "write_timeline", write_sketch)
        yield


@pytest.fixture
def drawn_timelines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Renders of the test draw their timelines."""
    from timeline_sketch import TIMELINE, write_timeline

    monkeypatch.setattr(TIMELINE, write_timeline)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_folder() -> Path:
    """Riffusion's images, masks and clips, which lie beside the checkout in CI only."""
    folder = REPOSITORY.parent / "shared" / "riffusion"
    if not folder.is_dir():
        pytest.skip("real inputs (../shared/riffusion) are not on this machine")
    return folder


@pytest.fixture(scope="session")
def torchaudio() -> ModuleType:
    """The library that Riffusion's spectrograms are made with, as the reference for ours."""
    try:
        return importlib.import_module("torchaudio")
    except (ImportError, OSError) as problem:
        pytest.skip(f"torchaudio does not load beside this PyTorch: {problem}")


@pytest.fixture(scope="session")
def forkserver() -> Any:
    """Forks children from a process that has imported everything and computed nothing.

    A child that renders the small song costs its render, and not the seconds of an import. It sees the
    environment of the server's start; what a test sets must be among its arguments. A child that renders
    sketches its timelines itself (`timeline_sketch.sketch_timelines`).
    """
    context = multiprocessing.get_context("forkserver")
    ours = [
        "riffcomposer.api",
        "riffcomposer.spectrogram.decoder",
        "riffcomposer.render.quality",
        "small_song",
    ]
    # matplotlib lists the fonts once, and not again for each child's empty store.
    context.set_forkserver_preload([*ours, "scipy.signal", "soundfile", "pedalboard", "matplotlib.figure"])
    return context


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random checkpoint of Stable Diffusion's shape with 64 mel bands; a folder not to be changed."""
    from tiny_checkpoint import build_tiny_checkpoint

    checkpoint = build_tiny_checkpoint(tmp_path_factory.mktemp("tiny") / "checkpoint")
    # It has imported torch and diffusers, whose modules stay.
    gc.collect()
    gc.freeze()
    return checkpoint


@pytest.fixture(scope="session")
def tiny_flow_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random checkpoint of the default model's shape with 64 mel bands; a folder not to be changed."""
    from tiny_checkpoint import TINY_FLOW_PROFILE, build_tiny_checkpoint

    return build_tiny_checkpoint(tmp_path_factory.mktemp("tiny") / "flow", TINY_FLOW_PROFILE)
