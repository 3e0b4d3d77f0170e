"""Files on a node: had by digest, once, checked, and used in place of the driver's paths."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import pytest
from small_song import Studio

from riffcomposer.api import plan_song
from riffcomposer.checkpoints.locate import describe_folder, locate_model
from riffcomposer.errors import RenderError
from riffcomposer.plan.inits import InitClip
from riffcomposer.plan.types import ClipJob, LoraFile, MaskImage
from riffcomposer.render.engines.node_files import NodeCache, NodeFile, job_paths, model_files
from riffcomposer.synth.soundfont_choice import ENVIRONMENT, SHIPPED


@dataclass
class Driver:
    """Sends files by digest, and counts."""

    paths: dict[str, Path]
    sent: list[str] = field(default_factory=list)

    def __call__(self, sha256: str) -> Iterator[bytes]:
        self.sent.append(sha256)
        content = self.paths[sha256].read_bytes()
        yield content[: len(content) // 2]
        yield content[len(content) // 2 :]


def cache(folder: Path, driver: Driver) -> NodeCache:
    return NodeCache(folder / "node", driver, lambda path: nullcontext())


def file(path: Path, content: bytes) -> tuple[Path, str]:
    path.write_bytes(content)
    return path, hashlib.sha256(content).hexdigest()


@pytest.fixture
def job(studio: Studio) -> ClipJob:
    return next(iter(plan_song(studio.song, store=studio.store).plan.jobs.values()))


def test_a_jobs_files_are_had_once_and_used_in_their_place(tmp_path: Path, job: ClipJob) -> None:
    loop, loop_digest = file(tmp_path / "loop.wav", b"loop")
    mask, mask_digest = file(tmp_path / "mask.png", b"mask")
    lora, lora_digest = file(tmp_path / "lora.safetensors", b"lora")
    full = replace(
        job,
        init=InitClip("audio", "loop.wav", loop, loop_digest, Fraction(90), Fraction(8)),
        mask=MaskImage("mask", mask, mask_digest),
        loras=(LoraFile("lora", lora, lora_digest, 0.5),),
    )
    driver = Driver(job_paths([full]))
    node = cache(tmp_path, driver)
    moved = node.job(full)
    assert sorted(driver.sent) == sorted([loop_digest, mask_digest, lora_digest])
    assert [each.path.read_bytes() for each in moved.files] == [b"loop", b"mask", b"lora"]
    assert [each.path.suffix for each in moved.files] == [".wav", ".png", ".safetensors"]
    assert all(tmp_path / "node" in each.path.parents for each in moved.files)
    node.job(full)
    cache(tmp_path, driver).job(full)
    assert len(driver.sent) == 3
    assert replace(moved, init=full.init, mask=full.mask, loras=full.loras) == full


def test_another_content_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    path, digest = file(tmp_path / "loop.wav", b"loop")
    path.write_bytes(b"changed since")
    node = cache(tmp_path, Driver({digest: path}))
    with pytest.raises(RenderError, match="came as"):
        node.path(NodeFile(digest, ".wav"))
    assert [each for each in (tmp_path / "node").rglob("*") if each.is_file()] == []


def test_a_checkpoint_arrives_whole(tmp_path: Path, studio: Studio) -> None:
    model = describe_folder(studio.folder / "model", "./model")
    files, paths = model_files(model)
    driver = Driver(paths)
    here = cache(tmp_path, driver).model(files)
    assert here.folder != model.folder
    assert describe_folder(here.folder, "./model").digest == model.digest
    sent = len(driver.sent)
    assert sent == len(set(driver.sent))
    cache(tmp_path, driver).model(files)
    assert len(driver.sent) == sent


def test_the_checkpoint_that_ships_is_not_sent(tmp_path: Path) -> None:
    files, paths = model_files(locate_model("default"))
    driver = Driver(paths)
    assert cache(tmp_path, driver).model(files) == locate_model("default")
    assert driver.sent == []


def test_the_drivers_sound_font_plays(
    tmp_path: Path, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = describe_folder(studio.folder / "model", "./model")
    own = tmp_path / "own.sf3"
    own.write_bytes(SHIPPED.read_bytes() + b"\0")
    monkeypatch.setenv(ENVIRONMENT, str(own))
    files, paths = model_files(model)
    monkeypatch.setenv(ENVIRONMENT, "/somewhere/else.sf2")
    cache(tmp_path, Driver(paths)).model(files)
    chosen = Path(os.environ[ENVIRONMENT])
    assert tmp_path / "node" in chosen.parents
    assert chosen.read_bytes() == own.read_bytes()
    cache(tmp_path, Driver(paths)).model(replace(files, font=None))
    assert ENVIRONMENT not in os.environ
