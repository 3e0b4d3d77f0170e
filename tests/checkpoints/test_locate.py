"""Where checkpoints are found, what identifies them, and what is advised when they are not there."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tiny_checkpoint import TINY_PROFILE

from riffcomposer.checkpoints import locate
from riffcomposer.checkpoints.builtin import RIFFUSION_V1
from riffcomposer.checkpoints.locate import locate_model
from riffcomposer.checkpoints.profile import write_profile
from riffcomposer.errors import ModelError

COMMIT = "8f2752fe" + "0" * 32
RIFFUSION = f"riffusion/riffusion-model-v1@{COMMIT}"


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Keeps the user's own models out of the tests."""
    for name in ("HF_HUB_CACHE", "HF_HUB_OFFLINE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("RIFFCOMPOSER_MODELS", str(tmp_path / "models"))


@pytest.fixture
def bare(tiny_checkpoint: Path, tmp_path: Path) -> Any:
    """A copy of the tiny checkpoint without a profile."""
    folder = tmp_path / "song" / "model"
    shutil.copytree(tiny_checkpoint, folder)
    (folder / "riffcomposer.json").unlink()
    return folder


def test_a_folder_with_its_own_profile(tiny_checkpoint: Path) -> None:
    located = locate_model(str(tiny_checkpoint))
    assert located.profile == TINY_PROFILE
    assert not located.derived


def test_a_folder_relative_to_the_song(bare: Any) -> None:
    located = locate_model("./model", bare.parent)
    assert located.folder.resolve() == bare.resolve()
    assert located.derived
    assert locate_model("model", bare.parent).digest == located.digest


def test_a_derived_profile_reads_the_configuration(bare: Any) -> None:
    profile = locate_model("./model", bare.parent).profile
    assert (profile.image_width, profile.latent_scale, profile.width_step) == (512, 8, 16)
    assert (profile.image_channels, profile.prediction, profile.text_length) == (3, "epsilon", 77)
    scheduler = bare / "scheduler" / "scheduler_config.json"
    scheduler.write_text(json.dumps({**json.loads(scheduler.read_text()), "prediction_type": "v_prediction"}))
    assert locate_model("./model", bare.parent).profile.prediction == "v_prediction"


def test_the_digest_follows_the_content(bare: Any) -> None:
    digest = locate_model("./model", bare.parent).digest
    moved = bare.with_name("elsewhere")
    shutil.copytree(bare, moved)
    assert locate_model(str(moved)).digest == digest
    weights = moved / "unet" / "diffusion_pytorch_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-100] ^= 1
    weights.write_bytes(content)
    assert locate_model(str(moved)).digest != digest


def test_a_profile_with_hashes_needs_no_reading_of_weights(bare: Any) -> None:
    write_profile(bare, replace(TINY_PROFILE, files={"unet/config.json": "0" * 64}))
    (bare / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    assert locate_model("./model", bare.parent).profile.files


def test_a_hub_model_in_the_hugging_face_cache(tiny_checkpoint: Path, tmp_path: Path) -> None:
    folder = tmp_path / "hf" / "hub" / "models--riffusion--riffusion-model-v1" / "snapshots" / COMMIT
    shutil.copytree(tiny_checkpoint, folder)
    (folder / "riffcomposer.json").unlink()
    located = locate_model(RIFFUSION)
    assert located.folder == folder
    assert located.profile == RIFFUSION_V1
    assert not located.derived


def test_a_converted_copy_comes_first(tiny_checkpoint: Path, tmp_path: Path) -> None:
    folder = tmp_path / "models" / "riffusion--riffusion-model-v1" / COMMIT
    shutil.copytree(tiny_checkpoint, folder)
    assert locate_model(RIFFUSION).folder == folder


def test_a_snapshot_of_pickles_does_not_count(tiny_checkpoint: Path, tmp_path: Path) -> None:
    folder = tmp_path / "hf" / "hub" / "models--a--b" / "snapshots" / COMMIT
    shutil.copytree(tiny_checkpoint, folder)
    (folder / "unet" / "diffusion_pytorch_model.safetensors").rename(
        folder / "unet" / "diffusion_pytorch_model.bin"
    )
    with pytest.raises(ModelError, match="models fetch"):
        locate_model(f"a/b@{COMMIT}")


def test_a_missing_hub_model_says_how_to_fetch_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match=f"riffcompose models fetch {RIFFUSION}`$") as caught:
        locate_model(RIFFUSION)
    assert caught.value.exit_code == 5
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelError, match="set to work offline"):
        locate_model(RIFFUSION)


@pytest.mark.parametrize(
    "reference", ["a/b@main", "a/b@", "a/b", f"a/b@{COMMIT[:12]}", f"a/b@{COMMIT.upper()}"]
)
def test_a_hub_model_must_be_pinned(reference: Any) -> None:
    with pytest.raises(ModelError, match="pin it to a commit"):
        locate_model(reference)


@pytest.mark.parametrize("reference", ["./none", "/no/such/folder", "x" * 5000, "../../..", "a\0b"])
def test_what_is_no_model_is_refused(tmp_path: Path, reference: Any) -> None:
    with pytest.raises(ModelError):
        locate_model(reference, tmp_path)


def test_a_missing_default_model_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locate, "DEFAULT_FOLDER", tmp_path / "default")
    with pytest.raises(ModelError, match="install riffcomposer again"):
        locate_model("default")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("unet/config.json", "{", "cannot be read"),
        ("unet/config.json", "[1]", "not a JSON object"),
        ("vae/config.json", None, "missing"),
        ("vae/config.json", '{"in_channels": 16}', "takes 16 channels"),
        ("unet/config.json", '{"sample_size": 1000000000}', "image_width must be"),
        ("vae/config.json", '{"in_channels": "x"}', "configuration is not of"),
        ("scheduler/scheduler_config.json", '{"prediction_type": "sample"}', "prediction_type is"),
    ],
)
def test_damaged_configurations_are_named(bare: Any, name: Any, content: Any, message: Any) -> None:
    (bare / name).unlink()
    if content is not None:
        (bare / name).write_text(content)
    with pytest.raises(ModelError, match=message):
        locate_model("./model", bare.parent)


def test_locating_imports_nothing_heavy(tiny_checkpoint: Path) -> None:
    code = (
        "import sys; from riffcomposer.checkpoints.locate import locate_model;"
        "from riffcomposer.device import guess_backend;"
        f"locate_model({str(tiny_checkpoint)!r}); guess_backend();"
        "sys.exit(sum(name in sys.modules for name in ('torch', 'diffusers', 'transformers', 'numpy')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
