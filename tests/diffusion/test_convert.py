"""Pickled weights become safetensors once, in a child process, and code in a pickle never runs."""

from __future__ import annotations

import os
import pickle
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from riffcomposer.checkpoints.locate import locate_model
from riffcomposer.checkpoints.verify import verify_model
from riffcomposer.diffusion.convert import convert_folder, unpickle
from riffcomposer.diffusion.engine import Engine
from riffcomposer.diffusion.fetch import fetch_model, files_to_fetch
from riffcomposer.diffusion.unpickle import convert_file
from riffcomposer.errors import ModelError

COMMIT = "ab" * 20


@pytest.fixture
def pickled(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    """The tiny checkpoint as older repositories hold it: pickled weights, no profile."""
    folder = tmp_path / "old"
    shutil.copytree(tiny_checkpoint, folder)
    (folder / "riffcomposer.json").unlink()
    for part, old in {
        "unet/diffusion_pytorch_model": "unet/diffusion_pytorch_model",
        "vae/diffusion_pytorch_model": "vae/diffusion_pytorch_model",
        "text_encoder/model": "text_encoder/pytorch_model",
    }.items():
        path = folder / f"{part}.safetensors"
        torch.save(load_file(path), folder / f"{old}.bin")
        path.unlink()
    return folder


class Canary:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.system, (f"touch '{self.path}'",)


def test_a_converted_folder_renders_the_same(
    pickled: Any, tiny_checkpoint: Path, tmp_path: Path, make_job: Any, render_one: Any
) -> None:
    lines: list[str] = []
    located = convert_folder(pickled, tmp_path / "new", say=lines.append)
    assert len(lines) == 3
    assert located.derived
    again = locate_model(str(tmp_path / "new"))
    assert len(again.profile.files) >= 10
    verify_model(again)
    job = make_job(num_inference_steps=2)
    wanted = render_one(Engine(locate_model(str(tiny_checkpoint)), device="cpu"), job)
    # The derived profile has 512 bands, as wide as high; only the middle of the walk is compared.
    assert set(load_file(tmp_path / "new/unet/diffusion_pytorch_model.safetensors")) == set(
        load_file(tiny_checkpoint / "unet/diffusion_pytorch_model.safetensors")
    )
    shutil.copy(tiny_checkpoint / "riffcomposer.json", tmp_path / "new/riffcomposer.json")
    found = render_one(Engine(locate_model(str(tmp_path / "new")), device="cpu"), job)
    assert np.array_equal(found, wanted)


def test_a_hostile_pickle_is_refused_and_not_run(pickled: Any, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    (pickled / "unet/diffusion_pytorch_model.bin").write_bytes(pickle.dumps({"a": Canary(canary)}))
    with pytest.raises(ModelError, match="not a plain table of tensors"):
        convert_folder(pickled, tmp_path / "new")
    assert not canary.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old"], "nothing is left behind"


@pytest.mark.parametrize("content", [b"", b"PK\3\4broken", pickle.dumps([1, 2]), pickle.dumps({"a": 1})])
def test_what_holds_no_tensors_is_refused(tmp_path: Path, content: Any) -> None:
    (tmp_path / "x.bin").write_bytes(content)
    with pytest.raises((ValueError, RuntimeError, EOFError, pickle.UnpicklingError)):
        convert_file(tmp_path / "x.bin", tmp_path / "x.safetensors")
    assert not (tmp_path / "x.safetensors").exists()


def test_tensors_that_share_memory_and_wrapped_tables(tmp_path: Path) -> None:
    shared = torch.arange(6.0)
    torch.save({"state_dict": {"a": shared, "b": shared.view(2, 3).T, "step": 3}}, tmp_path / "x.ckpt")
    unpickle({tmp_path / "x.ckpt": tmp_path / "x.safetensors"})
    tensors = load_file(tmp_path / "x.safetensors")
    assert torch.equal(tensors["b"], shared.view(2, 3).T)
    assert set(tensors) == {"a", "b"}


def test_an_existing_target_is_left_alone(pickled: Any, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    with pytest.raises(ModelError, match="already there"):
        convert_folder(pickled, tmp_path / "new")


def test_files_are_fetched_from_an_allow_list() -> None:
    names = [
        "model_index.json",
        "README.md",
        "evil.py",
        "model.ckpt",
        "unet/config.json",
        "unet/diffusion_pytorch_model.bin",
        "unet/diffusion_pytorch_model.safetensors",
        "unet/diffusion_pytorch_model.fp16.safetensors",
        "unet/code.py",
        "vae/config.json",
        "vae/diffusion_pytorch_model.bin",
        "text_encoder/config.json",
        "text_encoder/pytorch_model.bin",
        "tokenizer/vocab.json",
        "tokenizer/merges.txt",
        "scheduler/scheduler_config.json",
        "safety_checker/pytorch_model.bin",
    ]
    wanted = files_to_fetch(names)
    assert "unet/diffusion_pytorch_model.safetensors" in wanted
    assert {"vae/diffusion_pytorch_model.bin", "text_encoder/pytorch_model.bin"} <= set(wanted)
    unwanted = {"README.md", "evil.py", "model.ckpt", "unet/code.py", "safety_checker/pytorch_model.bin"}
    assert not unwanted & set(wanted)
    assert not [
        name for name in wanted if name.startswith("unet/") and name.endswith((".bin", ".fp16.safetensors"))
    ]
    with pytest.raises(ModelError, match="not a diffusers checkpoint"):
        files_to_fetch(["model.ckpt"])
    with pytest.raises(ModelError, match="no weights for vae"):
        files_to_fetch([name for name in names if name != "vae/diffusion_pytorch_model.bin"])


def test_fetching_pins_and_converts(pickled: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    files = [path.relative_to(pickled).as_posix() for path in pickled.rglob("*") if path.is_file()]
    described = SimpleNamespace(sha=COMMIT, siblings=[SimpleNamespace(rfilename=name) for name in files])
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda *_, **__: described)
    asked: dict[str, Any] = {}

    def download(repository: Path, *, revision: Any, allow_patterns: Any) -> Any:
        asked.update(repository=repository, revision=revision, files=allow_patterns)
        return str(pickled)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    monkeypatch.setenv("RIFFCOMPOSER_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    located = fetch_model("org/name")
    assert located.reference == f"org/name@{COMMIT}"
    assert asked["revision"] == COMMIT
    assert located.folder == tmp_path / "models" / "org--name" / COMMIT
    assert fetch_model(located.reference).digest == located.digest


def test_a_hub_that_cannot_be_reached_is_a_model_error(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    def fail(*_: Any, **__: Any) -> Any:
        raise ConnectionError("no route to host")

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", fail)
    with pytest.raises(ModelError, match=r"cannot be fetched.*no route"):
        fetch_model("org/name")
    with pytest.raises(ModelError, match="not a hub repository"):
        fetch_model("../x")
