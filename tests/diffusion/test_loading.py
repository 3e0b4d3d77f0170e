"""How a checkpoint is loaded: from several threads, and with which values."""

from __future__ import annotations

import shutil
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from tiny_checkpoint import TINY_PROFILE

from riffcomposer.checkpoints.locate import locate_model
from riffcomposer.checkpoints.profile import write_profile
from riffcomposer.diffusion import loading
from riffcomposer.diffusion.engine import Engine
from riffcomposer.diffusion.loading import _tokenizer_class, load_checkpoint
from riffcomposer.errors import ModelError


def test_the_networks_hold_the_files_own_values(tiny_checkpoint: Path) -> None:
    from safetensors.torch import load_file

    checkpoint = load_checkpoint(locate_model(str(tiny_checkpoint)), device="cpu")
    for network, file in (
        (checkpoint.unet, "unet/diffusion_pytorch_model"),
        (checkpoint.vae, "vae/diffusion_pytorch_model"),
        (checkpoint.text_encoder, "text_encoder/model"),
    ):
        stored = load_file(tiny_checkpoint / f"{file}.safetensors")
        held = network.state_dict()
        assert stored
        for name, values in stored.items():
            # Newer releases of transformers drop a prefix that files of older ones have.
            own = held.get(name, held.get(name.removeprefix("text_model.")))
            assert own is not None, name
            assert torch.equal(own, values), name


def test_nothing_is_loaded_from_files_of_another_hash(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_checkpoint, folder)
    write_profile(folder, replace(TINY_PROFILE, files={"unet/config.json": "0" * 64}))
    loaded: list[Path] = []
    monkeypatch.setattr(loading, "_load", lambda _, part, **__: loaded.append(part))
    with pytest.raises(ModelError, match=r"unet/config\.json: wrong hash"):
        load_checkpoint(locate_model(str(folder)), device="cpu")
    assert loaded == []


@pytest.mark.parametrize(
    ("named", "files", "read_by"),
    [
        ("BertTokenizer", ["tokenizer.json"], "BertTokenizerFast"),
        ("BertTokenizer", ["tokenizer.json", "vocab.txt"], "BertTokenizer"),
        ("CLIPTokenizer", ["vocab.json", "merges.txt"], "CLIPTokenizer"),
        ("CLIPTokenizer", ["tokenizer.json"], "CLIPTokenizerFast"),
        ("BertTokenizerFast", ["tokenizer.json"], "BertTokenizerFast"),
    ],
)
def test_a_vocabulary_in_tokenizer_json_alone_is_read_by_the_class_that_can(
    tmp_path: Path, named: str, files: list[str], read_by: str
) -> None:
    (tmp_path / "tokenizer").mkdir()
    for file in files:
        (tmp_path / "tokenizer" / file).touch()
    assert _tokenizer_class(tmp_path, named) == read_by
    assert hasattr(transformers, read_by)


def test_checkpoints_load_in_threads_of_one_process(
    tiny_checkpoint: Path, tiny_flow_checkpoint: Path, make_job: Any
) -> None:
    folders = [tiny_checkpoint, tiny_flow_checkpoint] * 3
    errors: list[BaseException] = []
    levels: dict[int, Any] = {}
    start = threading.Barrier(len(folders))

    def render(index: int) -> None:
        try:
            start.wait()
            engine = Engine(locate_model(str(folders[index])), device="cpu")
            scheduler = "euler" if folders[index] == tiny_flow_checkpoint else "ddim"
            job = make_job(num_inference_steps=2, scheduler=scheduler, negative_prompt="")
            ((_, levels[index]),) = engine.render({"clip": job})
        except BaseException as error:  # noqa: BLE001 - a thread's error is the test's to look at
            errors.append(error)

    threads = [threading.Thread(target=render, args=(index,)) for index in range(len(folders))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    for index in range(2, len(folders)):
        assert levels[index].tobytes() == levels[index % 2].tobytes()
