"""The model zoo: every way a checkpoint can be wrong ends in a ModelError before any work."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tiny_checkpoint import TINY_FLOW_PROFILE, TINY_PROFILE

from riffcomposer.checkpoints.locate import locate_model
from riffcomposer.checkpoints.profile import write_profile
from riffcomposer.checkpoints.safetensors_file import read_header
from riffcomposer.checkpoints.verify import verify_model
from riffcomposer.diffusion.loading import load_checkpoint
from riffcomposer.errors import ModelError
from riffcomposer.files import file_sha256

UNET = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture
def folder(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    shutil.copytree(tiny_checkpoint, tmp_path / "model")
    return tmp_path / "model"


def refused(folder: Path, message: str) -> None:
    """Loading is refused with `message`, and `models verify` says the same."""
    with pytest.raises(ModelError, match=message):
        load_checkpoint(locate_model(str(folder)), device="cpu")


def edit(path: Path, **fields: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


class Canary:
    """A pickle that leaves a file behind if it is ever loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.system, (f"touch '{self.path}'",)


def test_the_untouched_copy_loads(folder: Any) -> None:
    checkpoint = load_checkpoint(locate_model(str(folder)), device="cpu")
    assert checkpoint.parameters > 10_000
    assert checkpoint.memory_bytes == 4 * checkpoint.parameters


@pytest.mark.parametrize("share", [0, 1, 4, 0.5, 0.999])
@pytest.mark.parametrize(
    "part", [UNET, "vae/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors"]
)
def test_truncated_weights(folder: Any, part: Any, share: Any) -> None:
    path = folder / part
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content)) if share < 1 else share])
    refused(folder, "truncated")


def test_weights_with_something_appended(folder: Any) -> None:
    with open(folder / UNET, "ab") as handle:
        handle.write(b"more")
    refused(folder, "longer than its header says")


@pytest.mark.parametrize("header", [b"not json", b"[]", b'{"a": {"shape": 3}}', b'{"a": 1}', b"{" * 50_000])
def test_damaged_header(folder: Any, header: Any) -> None:
    (folder / UNET).write_bytes(len(header).to_bytes(8, "little") + header)
    refused(folder, "header is damaged")


def test_a_header_that_claims_to_be_enormous(folder: Any) -> None:
    (folder / UNET).write_bytes((1 << 62).to_bytes(8, "little") + b"{}")
    refused(folder, "truncated or not a safetensors file")


def test_html_named_safetensors(folder: Any) -> None:
    (folder / UNET).write_text("<!doctype html><title>404</title>" * 20)
    refused(folder, "not a safetensors file")


def test_wrong_hash(folder: Any) -> None:
    hashes = {UNET: file_sha256(folder / UNET)}
    write_profile(folder, replace(TINY_PROFILE, files=hashes))
    load_checkpoint(locate_model(str(folder)), device="cpu")
    content = bytearray((folder / UNET).read_bytes())
    content[-1] ^= 1
    (folder / UNET).write_bytes(content)
    refused(folder, "wrong hash")


def test_a_listed_file_is_missing(folder: Any) -> None:
    write_profile(folder, replace(TINY_PROFILE, files={"unet/more.json": "0" * 64}))
    refused(folder, "the profile lists it")


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder", "tokenizer", "scheduler"])
def test_missing_component(folder: Any, part: Any) -> None:
    shutil.rmtree(folder / part)
    refused(folder, f"{part}.*(missing|incomplete)")


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder", "tokenizer"])
def test_component_missing_from_the_index(folder: Any, part: Any) -> None:
    edit(folder / "model_index.json", **{part: [None, None]})
    refused(folder, f"names no {part}")


def test_missing_weights(folder: Any) -> None:
    (folder / UNET).unlink()
    refused(folder, "no safetensors weights")


@pytest.mark.parametrize(
    ("part", "entry"),
    [
        ("unet", ["my_code", "MyUNet"]),
        ("text_encoder", ["transformers", "AutoModel"]),
        ("vae", ["os", "system"]),
        ("tokenizer", ["transformers", "AutoTokenizer"]),
    ],
)
def test_foreign_classes(folder: Any, part: Any, entry: Any) -> None:
    (folder / "my_code.py").write_text("raise SystemExit('code of the folder ran')")
    edit(folder / "model_index.json", **{part: entry})
    refused(folder, "which is not loaded")


def test_pickle_canary(folder: Any, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    content = pickle.dumps(Canary(canary))
    for path in (folder / UNET, folder / "vae" / "diffusion_pytorch_model.safetensors"):
        path.with_suffix(".bin").write_bytes(content)
    (folder / "text_encoder" / "pytorch_model.bin").write_bytes(content)
    load_checkpoint(locate_model(str(folder)), device="cpu")
    (folder / UNET).unlink()
    refused(folder, "only pickled weights.*models convert")
    (folder / UNET).write_bytes(content)
    refused(folder, "not a safetensors file")
    assert not canary.exists()
    pickle.loads(content)
    assert canary.exists(), "the canary works"


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        ("unet/config.json", {"cross_attention_dim": 48}, "cross_attention_dim is 48, but text width is 32"),
        ("unet/config.json", {"in_channels": 8}, "takes 8 channels, as models for editing"),
        ("unet/config.json", {"time_cond_proj_dim": 16}, "guidance_embedding is False"),
        ("vae/config.json", {"in_channels": 1}, "vae in_channels is 1"),
        ("vae/config.json", {"block_out_channels": [8, 8]}, "vae scale is 2, but latent_scale is 8"),
        (
            "text_encoder/config.json",
            {"max_position_embeddings": 20},
            "too few for the profile's text_length",
        ),
        ("vae/config.json", {"block_out_channels": 5}, "wrong kind"),
        ("unet/config.json", {"block_out_channels": [32, 32]}, "unet: "),
        ("text_encoder/config.json", {"intermediate_size": 40}, "text_encoder: "),
    ],
)
def test_wrong_width(folder: Any, name: Any, fields: Any, message: Any) -> None:
    edit(folder / name, **fields)
    refused(folder, message)


def test_a_profile_of_another_model(folder: Any) -> None:
    write_profile(folder, TINY_FLOW_PROFILE)
    refused(folder, "the parts do not fit")


def test_tensors_missing_from_the_weights(folder: Any) -> None:
    from safetensors.torch import load_file, save_file

    for part in (UNET, "text_encoder/model.safetensors"):
        tensors = load_file(folder / part)
        dropped = sorted(tensors)[3]
        del tensors[dropped]
        save_file(tensors, folder / part, metadata={"format": "pt"})
        with pytest.raises(ModelError, match="missing"):
            load_checkpoint(locate_model(str(folder)), device="cpu")
        shutil.copy(folder / part, folder / "kept")


def test_verification_reads_the_table_of_tensors(folder: Any) -> None:
    header = read_header(folder / UNET)
    assert header["conv_in.weight"]["shape"] == [16, 4, 3, 3]
    verify_model(locate_model(str(folder)))


def test_only_a_half_precision_variant(folder: Any) -> None:
    from safetensors.torch import load_file, save_file

    for part in ("unet/diffusion_pytorch_model", "vae/diffusion_pytorch_model", "text_encoder/model"):
        path = folder / f"{part}.safetensors"
        tensors = {key: value.half() for key, value in load_file(path).items()}
        save_file(tensors, folder / f"{part}.fp16.safetensors", metadata={"format": "pt"})
        path.unlink()
    checkpoint = load_checkpoint(locate_model(str(folder)), device="cpu")
    assert str(checkpoint.dtype) == "torch.float32"
    assert {str(weights.dtype) for weights in checkpoint.unet.parameters()} == {"torch.float32"}
