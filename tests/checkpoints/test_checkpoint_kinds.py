"""Checkpoints as other programs write them: they load, or `check` says what `render` would refuse."""

from __future__ import annotations

import json
import math
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from riffcomposer.checkpoints.locate import locate_model
from riffcomposer.checkpoints.verify import verify_model
from riffcomposer.diffusion.loading import load_checkpoint
from riffcomposer.errors import ModelError
from riffcomposer.render.session import Session

PARTS = {"unet": "diffusion_pytorch_model", "vae": "diffusion_pytorch_model", "text_encoder": "model"}
LFS = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'ab' * 32}\nsize 24881656\n"


@pytest.fixture
def model(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    """A copy of the tiny checkpoint beside the song that `said_by_check` writes."""
    shutil.copytree(tiny_checkpoint, tmp_path / "model")
    return tmp_path / "model"


def said_by_check(folder: Path, reference: str = "./model") -> list[str]:
    """What `check` says of a song with this model: errors at the model's own place in the file."""
    song = folder / "song.yaml"
    song.write_text(f"title: t\nmodel: {reference}\nsections:\n  - {{prompt: x, clips: 2}}\n")
    found = [item for item in Session().check(song) if item.severity == "error"]
    assert all((item.line, item.column) == (2, 8) for item in found)
    return [item.sentence for item in found]


def refused(folder: Path, reference: str = "./model") -> str:
    """The one sentence of `check`, after making sure that a render refuses the model for the same reason."""
    (sentence,) = said_by_check(folder, reference)
    with pytest.raises(ModelError) as caught:
        verify_model(locate_model(reference, folder), hashes=False)
    assert str(caught.value) in sentence
    assert "\n" not in sentence
    return sentence


def weights(model: Path, part: str) -> Path:
    return model / part / f"{PARTS[part]}.safetensors"


def table(**tensors: tuple[int, ...]) -> bytes:
    """A safetensors file of zeros in float16 with tensors of these names and shapes."""
    header: dict[str, Any] = {}
    at = 0
    for name, shape in tensors.items():
        size = 2 * math.prod(shape)
        header[name] = {"dtype": "F16", "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(at)


def pickled(model: Path) -> None:
    import torch
    from safetensors.torch import load_file

    for part, base in PARTS.items():
        name = "pytorch_model" if part == "text_encoder" else base
        torch.save(load_file(weights(model, part)), model / part / f"{name}.bin")
        weights(model, part).unlink()


def test_only_pickled_weights(model: Path) -> None:
    pickled(model)
    sentence = refused(model.parent)
    assert "only pickled weights" in sentence
    assert f"riffcompose models convert {model} <new folder>" in sentence


@pytest.mark.parametrize("part", PARTS)
def test_a_git_lfs_pointer(model: Path, part: str) -> None:
    weights(model, part).write_text(LFS)
    assert "git-lfs pointer" in (sentence := refused(model.parent))
    assert "run `git lfs pull`" in sentence


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"GGUF\x03\0\0\0" + bytes(100), "a GGUF file"),
        (b"PK\x03\x04" + bytes(100), "a pickled checkpoint"),
        (b"\x80\x02}q\0." + b"x" * 100, "a pickled checkpoint"),
        (b"\n<!DOCTYPE html><html><body>404</body>", "a web page"),
        (b"\x1f\x8b\x08" + b"x" * 100, "a gzip archive"),
        (b"", "truncated or not a safetensors file"),
        (b"\x05\0\0\0\0\0\0\0hello", "header is damaged"),
    ],
)
def test_weights_that_are_something_else(model: Path, content: bytes, kind: str) -> None:
    weights(model, "unet").write_bytes(content)
    assert kind in refused(model.parent)


@pytest.mark.parametrize(
    "change",
    [
        {"shape": [3, 3]},
        {"shape": [-16, -4, 3, 3]},
        {"shape": "16"},
        {"shape": [1] * 17},
        {"data_offsets": [8, 4]},
        {"data_offsets": [0]},
        {"data_offsets": ["0", "9"]},
        {"data_offsets": [-2304, 0]},
    ],
)
def test_a_table_of_tensors_that_cannot_be(model: Path, change: dict[str, Any]) -> None:
    path = weights(model, "unet")
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header["conv_in.weight"] |= change
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + length :])
    assert "header is damaged" in refused(model.parent)


def shard(model: Path, part: str, variant: str = "") -> Path:
    """Cuts a component's weights into two shards with an index, as `save_pretrained` does."""
    from safetensors.torch import load_file, save_file

    tensors = load_file(weights(model, part))
    weights(model, part).unlink()
    names = sorted(tensors)
    half = len(names) // 2
    dotted = f".{variant}" if variant else ""
    placed: dict[str, str] = {}
    for number, chosen in ((1, names[:half]), (2, names[half:])):
        file = f"{PARTS[part]}{dotted}-{number:05d}-of-00002.safetensors"
        save_file({name: tensors[name] for name in chosen}, model / part / file, metadata={"format": "pt"})
        placed |= dict.fromkeys(chosen, file)
    index = model / part / f"{PARTS[part]}.safetensors.index{dotted}.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": placed}))
    return index


@pytest.mark.parametrize("variant", ["", "fp16"])
def test_shards_load(
    model: Path, tiny_checkpoint: Path, variant: str, capfd: pytest.CaptureFixture[str]
) -> None:
    import torch

    for part in PARTS:
        shard(model, part, variant)
    assert said_by_check(model.parent) == []
    capfd.readouterr()
    loaded = load_checkpoint(locate_model("./model", model.parent), device="cpu")
    assert "shards" not in "".join(capfd.readouterr())
    whole = load_checkpoint(locate_model(str(tiny_checkpoint)), device="cpu")
    for left, right in zip(loaded.unet.parameters(), whole.unet.parameters(), strict=True):
        assert torch.equal(left, right)


def lose_a_shard(model: Path, index: Path) -> None:
    (model / "unet" / "diffusion_pytorch_model-00002-of-00002.safetensors").unlink()


def lose_the_index(model: Path, index: Path) -> None:
    index.unlink()


def lose_a_tensor(model: Path, index: Path) -> None:
    content = json.loads(index.read_text())
    content["weight_map"]["more.weight"] = "diffusion_pytorch_model-00001-of-00002.safetensors"
    index.write_text(json.dumps(content))


def lead_elsewhere(model: Path, index: Path) -> None:
    index.write_text(json.dumps({"weight_map": {"conv_in.weight": "../../secret.safetensors"}}))


def empty_the_index(model: Path, index: Path) -> None:
    index.write_text("{}")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lose_a_shard, "00002-of-00002.safetensors: this shard is missing"),
        (lose_the_index, "index.json: missing"),
        (lose_a_tensor, "more.weight is in none of the shards"),
        (lead_elsewhere, "which is not beside it"),
        (empty_the_index, "no weight_map"),
    ],
)
def test_shards_that_are_not_all_there(
    model: Path, damage: Callable[[Path, Path], None], message: str
) -> None:
    damage(model, shard(model, "unet"))
    assert message in refused(model.parent)


def test_shards_and_a_whole_file(model: Path, tiny_checkpoint: Path) -> None:
    shard(model, "unet")
    shutil.copy(weights(tiny_checkpoint, "unet"), model / "unet")
    assert "remove one of the two" in refused(model.parent)


@pytest.mark.parametrize("variant", ["fp16", "bf16", "fp32", "non_ema"])
def test_only_a_variant_loads(model: Path, variant: str) -> None:
    for part in PARTS:
        path = weights(model, part)
        path.rename(path.with_suffix(f".{variant}.safetensors"))
    assert said_by_check(model.parent) == []
    assert load_checkpoint(locate_model("./model", model.parent), device="cpu").parameters > 10_000


def test_weights_of_another_part(model: Path) -> None:
    shutil.copy(weights(model, "vae"), weights(model, "unet"))
    assert "holds an autoencoder (VAE) alone, not a UNet's weights" in refused(model.parent)


def test_weights_of_another_model(model: Path) -> None:
    config = model / "unet" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "block_out_channels": [32, 32]}))
    assert "conv_in is 16 x 4 in the weights and 32 x 4 in config.json" in refused(model.parent)


@pytest.mark.parametrize("channels", [[], "x", [[]], 5, None])
def test_a_configuration_without_sense(model: Path, channels: Any) -> None:
    config = model / "unet" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "block_out_channels": channels}))
    assert "unet" in refused(model.parent) or "wrong kind" in refused(model.parent)


def test_weights_under_another_name(model: Path) -> None:
    weights(model, "unet").rename(model / "unet" / "model.safetensors")
    assert "must be named diffusion_pytorch_model.safetensors" in refused(model.parent)


def test_links_into_a_cache(model: Path) -> None:
    path = weights(model, "unet")
    path.rename(model.parent / "blob")
    path.symlink_to("../../blob")
    assert said_by_check(model.parent) == []
    (model.parent / "blob").unlink()
    assert "a link to a file that is not there" in refused(model.parent)


def test_a_configuration_that_is_a_git_lfs_pointer(model: Path) -> None:
    (model / "unet" / "config.json").write_text(LFS)
    assert "a git-lfs pointer" in refused(model.parent)


SD1 = {"model.diffusion_model.input_blocks.0.0.weight": (2, 4), "cond_stage_model.transformer.x": (2,)}
SINGLE_FILES = {
    "sd1.safetensors": (table(**SD1), "riffcompose models convert"),
    "old.ckpt": (b"PK\x03\x04" + bytes(50), "riffcompose models convert"),
    "sdxl.safetensors": (
        table(**{"model.diffusion_model.x": (2,), "conditioner.embedders.0.transformer.x": (2,)}),
        "an SDXL checkpoint",
    ),
    "flux.safetensors": (table(**{"double_blocks.0.img_attn.qkv.weight": (2, 2)}), "a Flux"),
    "sd3.safetensors": (table(**{"model.diffusion_model.joint_blocks.0.x": (2,)}), "Stable Diffusion 3"),
    "unet.safetensors": (table(**{"down_blocks.0.x": (2,)}), "the UNet of a checkpoint alone"),
    "vae.safetensors": (table(**{"decoder.conv_in.weight": (2,)}), "an autoencoder (VAE) alone"),
    "small.safetensors": (
        table(**{"encoder.layers.0.weight": (2,), "decoder.layers.0.weight": (2,)}),
        "an autoencoder (VAE) alone",
    ),
    "style.safetensors": (table(**{"lora_unet_x.lora_up.weight": (2, 2)}), "under the key lora"),
    "control.safetensors": (table(**{"control_model.input_hint_block.0.weight": (2,)}), "a ControlNet"),
    "token.safetensors": (table(emb_params=(2, 768)), "a textual inversion"),
    "q4.gguf": (b"GGUF" + bytes(50), "a GGUF file"),
    "pointer.safetensors": (LFS.encode(), "git lfs pull"),
    "page.safetensors": (b"<html>404</html>", "a web page"),
    "notes.txt": (b"hello", "name the folder that holds model_index.json"),
}


@pytest.mark.parametrize("name", SINGLE_FILES)
def test_a_file_where_a_folder_is_wanted(tmp_path: Path, name: str) -> None:
    content, words = SINGLE_FILES[name]
    (tmp_path / name).write_bytes(content)
    sentence = refused(tmp_path, f"./{name}")
    assert "is a file, but a model is a folder" in sentence
    assert words in sentence


def test_the_advised_command_is_there() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "riffcomposer", "models", "convert", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "--base" in run.stdout


@pytest.mark.parametrize(
    ("parts", "pipeline", "words"),
    [
        (["unet", "vae", "text_encoder", "text_encoder_2"], "StableDiffusionXLPipeline", "SDXL"),
        (["transformer", "vae", "text_encoder_3"], "StableDiffusion3Pipeline", "Stable Diffusion 3"),
        (["transformer", "vae", "text_encoder", "text_encoder_2"], "FluxPipeline", "FluxPipeline"),
        (["transformer", "vae", "text_encoder"], "PixArtSigmaPipeline", "a diffusion transformer"),
        (["unet", "vae", "text_encoder", "controlnet"], "StableDiffusionControlNetPipeline", "ControlNet"),
        (["unet", "vae", "text_encoder", "vocoder"], "AudioLDMPipeline", "AudioLDM"),
        (["unet", "scheduler", "mel", "vqvae"][1:], "AudioDiffusionPipeline", "another kind of model"),
    ],
)
def test_folders_of_other_pipelines(model: Path, parts: list[str], pipeline: str, words: str) -> None:
    index = {
        "_class_name": pipeline,
        **{part: ["diffusers", "X"] for part in parts},
        "safety_checker": [None, None],
    }
    (model / "model_index.json").write_text(json.dumps(index))
    sentence = refused(model.parent)
    assert pipeline in sentence
    assert words in sentence


@pytest.mark.parametrize(
    ("channels", "task"), [(9, "inpainting"), (8, "editing by instruction"), (7, "upscaling"), (5, "depth")]
)
def test_models_for_other_tasks(model: Path, channels: int, task: str) -> None:
    config = model / "unet" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "in_channels": channels}))
    sentence = refused(model.parent)
    assert f"takes {channels} channels" in sentence
    assert task in sentence


def test_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    assert "the folder is empty" in refused(tmp_path)


def test_the_folder_above_and_the_folder_below(model: Path) -> None:
    outer = model.parent / "outer"
    outer.mkdir()
    model.rename(outer / "mine")
    assert f"did you mean {outer / 'mine'}?" in refused(outer.parent, "./outer")
    assert f"did you mean {outer / 'mine'}?" in refused(outer.parent, "./outer/mine/unet")


def test_a_folder_of_single_files(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "sd1.safetensors").write_bytes(table(**SD1))
    sentence = refused(tmp_path)
    assert "no model_index.json" in sentence
    assert "riffcompose models convert" in sentence


def test_a_component_that_was_saved_alone(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text('{"_class_name": "ControlNetModel"}')
    assert "it is a ControlNetModel alone" in refused(tmp_path)


def test_the_shipped_model_and_a_whole_copy_are_well(model: Path) -> None:
    assert said_by_check(model.parent) == []
    assert said_by_check(model.parent, "default") == []
