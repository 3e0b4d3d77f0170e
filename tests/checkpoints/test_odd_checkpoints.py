"""Checkpoints in forms that are not read: quantised, of other frameworks, half downloads, lost tensors."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from riffcomposer.checkpoints.locate import locate_model
from riffcomposer.checkpoints.verify import verify_model
from riffcomposer.diffusion.convert import convert_single_file
from riffcomposer.errors import ModelError

UNET = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture
def model(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_checkpoint, tmp_path / "model"))


def refused(folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        verify_model(locate_model(str(folder)), hashes=False)
    return str(caught.value)


def configure(path: Path, **fields: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_a_tensor_in_another_shard_than_the_index_says(model: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(model / UNET)
    (model / UNET).unlink()
    names = sorted(tensors)
    files = [f"diffusion_pytorch_model-{number:05d}-of-00002.safetensors" for number in (1, 2)]
    placed = {name: files[number % 2] for number, name in enumerate(names)}
    for file in files:
        save_file({name: tensors[name] for name in names if placed[name] == file}, model / "unet" / file)
    index = model / "unet/diffusion_pytorch_model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": placed}))
    verify_model(locate_model(str(model)), hashes=False)
    index.write_text(json.dumps({"metadata": {}, "weight_map": placed | {names[0]: files[1]}}))
    said = refused(model)
    assert f"{names[0]} is not in {files[1]}" in said


@pytest.mark.parametrize(
    "part", [UNET, "vae/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors"]
)
def test_whole_numbers_are_quantised_weights(model: Path, part: str) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    tensors = load_file(model / part)
    save_file({k: v.to(torch.int8) if v.ndim > 1 else v for k, v in tensors.items()}, model / part)
    said = refused(model)
    assert "quantised" in said
    assert "I8" in said


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_a_quantised_part_names_its_method(model: Path, part: str) -> None:
    configure(model / part / "config.json", quantization_config={"quant_method": "bitsandbytes"})
    said = refused(model)
    assert "quantised with 'bitsandbytes'" in said
    assert "float16" in said


OTHERS = {
    "diffusion_flax_model.msgpack": "Flax",
    "model.onnx": "ONNX",
    "openvino_model.xml": "OpenVINO",
    "diffusion_pytorch_model-Q4.gguf": "GGUF",
    "tf_model.h5": "TensorFlow",
    "diffusion_pytorch_model.safetensors.incomplete": "half a download",
    "diffusion_pytorch_model.safetensors.crdownload": "half a download",
    "diffusion_pytorch_model.safetensors.part": "half a download",
}


@pytest.mark.parametrize("name", OTHERS)
def test_weights_of_other_forms_are_named(model: Path, name: str) -> None:
    (model / UNET).rename(model / "unet" / name)
    said = refused(model)
    assert f"{name} is there" in said
    assert OTHERS[name] in said


def test_an_unknown_prediction_is_named(model: Path) -> None:
    (model / "riffcomposer.json").unlink()
    configure(model / "scheduler/scheduler_config.json", prediction_type="sample")
    said = refused(model)
    assert "prediction_type" in said
    assert "'sample'" in said
    assert "KeyError" not in said


@pytest.mark.parametrize("target", ["nowhere", "model-link"])
def test_a_link_to_no_folder(tmp_path: Path, target: str) -> None:
    os.symlink(target, tmp_path / "model-link")
    assert "is a link that leads nowhere" in refused(tmp_path / "model-link")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_configuration_that_an_editor_saved(model: Path, encoding: str) -> None:
    path = model / "unet/config.json"
    path.write_text(path.read_text(), encoding=encoding)
    assert "save it as UTF-8 without a byte order mark" in refused(model)


FILES: dict[str, tuple[bytes, str]] = {
    "page": (b"<!DOCTYPE html><html>404</html>", "a web page"),
    "pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "a git-lfs pointer"),
    "gguf": (b"GGUF" + bytes(40), "a GGUF file"),
    "empty": (b"", "it is empty"),
    "truncated": (b"PK\x03\x04" + bytes(90), "truncated"),
}


@pytest.mark.parametrize("name", FILES)
def test_what_is_no_pickle_is_named(tiny_checkpoint: Path, tmp_path: Path, name: str) -> None:
    content, words = FILES[name]
    (tmp_path / "x.ckpt").write_bytes(content)
    with pytest.raises(ModelError) as caught:
        convert_single_file(tmp_path / "x.ckpt", tmp_path / "out", tiny_checkpoint)
    assert words in str(caught.value)
    assert "x.ckpt" in str(caught.value)
    assert "weights_only" not in str(caught.value)
    assert not (tmp_path / "out").exists()


class _Callback:
    """As pytorch-lightning leaves them in its checkpoints."""


def test_objects_in_a_pickle_are_named(tiny_checkpoint: Path, tmp_path: Path) -> None:
    import torch

    torch.save({"state_dict": {}, "callbacks": {_Callback: 1}}, tmp_path / "x.ckpt")
    with pytest.raises(ModelError) as caught:
        convert_single_file(tmp_path / "x.ckpt", tmp_path / "out", tiny_checkpoint)
    said = str(caught.value)
    assert "_Callback" in said
    assert "more than tensors" in said
    assert "\x1b" not in said
    assert "weights_only" not in said


def test_safetensors_under_the_name_of_a_pickle(tiny_checkpoint: Path, tmp_path: Path) -> None:
    """Many are renamed on their way; no pickle is opened."""
    shutil.copy(tiny_checkpoint / UNET, tmp_path / "x.ckpt")
    with pytest.raises(ModelError, match="holds the UNet of a checkpoint alone"):
        convert_single_file(tmp_path / "x.ckpt", tmp_path / "out", tiny_checkpoint)


def test_a_pickle_under_the_name_of_safetensors(tiny_checkpoint: Path, tmp_path: Path) -> None:
    import torch

    torch.save({"model.diffusion_model.x": torch.ones(2)}, tmp_path / "x.safetensors")
    with pytest.raises(ModelError) as caught:
        convert_single_file(tmp_path / "x.safetensors", tmp_path / "out", tiny_checkpoint)
    assert "a pickled checkpoint" in str(caught.value)


UNET_CONFIG, VAE_CONFIG, TEXT_CONFIG = (f"{part}/config.json" for part in ("unet", "vae", "text_encoder"))


@pytest.mark.parametrize(
    ("config", "fields", "words"),
    [
        (UNET_CONFIG, {"out_channels": 8}, ("unet", "conv_out.weight is 4 x 16 x 3 x 3", "8 x 16 x 3 x 3")),
        (UNET_CONFIG, {"time_embedding_dim": 32}, ("unet", "time_embedding.linear_1.weight", "32 x 16")),
        (UNET_CONFIG, {"block_out_channels": [16]}, ("unet", "_blocks.1.", "has 1 blocks")),
        (UNET_CONFIG, {"cross_attention_dim": 48}, ("unet", "attn2.to_", "cross_attention_dim", "48")),
        (VAE_CONFIG, {"out_channels": 1}, ("vae", "decoder.conv_out.weight", "1 x 8 x 3 x 3")),
        (TEXT_CONFIG, {"hidden_size": 48}, ("text_encoder", "hidden_size", "48")),
        (TEXT_CONFIG, {"vocab_size": 7}, ("text_encoder", "token_embedding.weight", "vocab_size", "7")),
        (TEXT_CONFIG, {"num_hidden_layers": 3}, ("text_encoder", "layer 2 are missing")),
    ],
)
def test_tensors_that_do_not_fit_their_configuration_are_named(
    model: Path, config: str, fields: dict[str, Any], words: tuple[str, ...]
) -> None:
    if "cross_attention_dim" in fields:  # so that the parts still fit each other
        configure(model / TEXT_CONFIG, hidden_size=fields["cross_attention_dim"])
    if "hidden_size" in fields:
        configure(model / UNET_CONFIG, cross_attention_dim=fields["hidden_size"])
        words = ("cross_attention_dim", "48")  # the UNet is looked at first
    configure(model / config, **fields)
    said = refused(model)
    assert [word for word in words if word not in said] == [], said


@pytest.mark.parametrize(
    ("file", "tensor"),
    [
        (UNET, "conv_out.bias"),
        (UNET, "time_embedding.linear_2.weight"),
        ("vae/diffusion_pytorch_model.safetensors", "encoder.conv_out.weight"),
        ("text_encoder/model.safetensors", "position_embedding.weight"),
    ],
)
def test_a_missing_tensor_is_named_without_loading(model: Path, file: str, tensor: str) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(model / file)
    kept = {name: values for name, values in tensors.items() if not name.endswith(tensor)}
    assert len(kept) < len(tensors)
    save_file(kept, model / file)
    said = refused(model)
    assert "missing from the weights" in said
    assert tensor in said


def test_a_text_encoder_may_have_more_than_is_used(model: Path) -> None:
    """Fewer layers by its configuration ("clip skip"), and CLIP's tower for images."""
    import torch
    from safetensors.torch import load_file, save_file

    file = model / "text_encoder/model.safetensors"
    tower = {
        "vision_model.embeddings.position_embedding.weight": torch.zeros(5, 7),
        "vision_model.encoder.layers.0.mlp.fc1.weight": torch.zeros(7, 7),
    }
    save_file(tower | load_file(file), file)
    configure(model / TEXT_CONFIG, num_hidden_layers=1)
    verify_model(locate_model(str(model)), hashes=False)
