"""Single-file checkpoints, as Stable Diffusion and Riffusion v1 were first published, become folders."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_checkpoint import TINY_PROFILE, build_tiny_checkpoint

from riffcomposer.checkpoints.verify import verify_model
from riffcomposer.diffusion.convert import convert_single_file
from riffcomposer.diffusion.loading import load_checkpoint
from riffcomposer.errors import ModelError

RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
VAE_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}


def renamed(name: str, table: Iterable[tuple[str, str]]) -> str:
    for ours, theirs in table:
        name = re.sub(rf"^{ours}(?=\.|$)", theirs, name)
    return name


def unet_name(name: str, layers: int = 1) -> str:
    """The original name of a diffusers UNet's weight: blocks numbered through, modules by position."""
    step = layers + 1
    if match := re.match(r"(down|up)_blocks\.(\d+)\.(\w+)\.(\d+)\.(.*)", name):
        side, block, kind, number, rest = match[1], int(match[2]), match[3], int(match[4]), match[5]
        if side == "down":
            if kind == "downsamplers":
                return f"input_blocks.{step * (block + 1)}.0.op.{rest.removeprefix('conv.')}"
            where = f"input_blocks.{step * block + 1 + number}"
        else:
            where = f"output_blocks.{(layers + 1) * block + number}"
        if kind == "upsamplers":
            return f"output_blocks.{(layers + 1) * block + layers}.1.{rest}"
        if kind == "resnets":
            return f"{where}.0.{renamed(rest, RESNET.items())}"
        return f"{where}.1.{rest}"
    if match := re.match(r"mid_block\.(resnets|attentions)\.(\d)\.(.*)", name):
        if match[1] == "attentions":
            return f"middle_block.1.{match[3]}"
        return f"middle_block.{2 * int(match[2])}.{renamed(match[3], RESNET.items())}"
    table = {
        "time_embedding.linear_1": "time_embed.0",
        "time_embedding.linear_2": "time_embed.2",
        "conv_in": "input_blocks.0.0",
        "conv_norm_out": "out.0",
        "conv_out": "out.2",
    }
    return renamed(name, table.items())


def vae_name(name: str, blocks: int) -> str:
    """The original name of a diffusers autoencoder's weight."""
    if match := re.match(r"(encoder|decoder)\.(down|up)_blocks\.(\d+)\.(\w+)\.(\d+)\.(.*)", name):
        part, side, block, kind, number, rest = match.groups()
        level = int(block) if side == "down" else blocks - 1 - int(block)
        if kind == "resnets":
            return f"{part}.{side}.{level}.block.{number}.{rest.replace('conv_shortcut', 'nin_shortcut')}"
        return f"{part}.{side}.{level}.{side}sample.{rest}"
    if match := re.match(r"(encoder|decoder)\.mid_block\.(resnets|attentions)\.(\d)\.(.*)", name):
        part, kind, number, rest = match.groups()
        if kind == "resnets":
            return f"{part}.mid.block_{int(number) + 1}.{rest}"
        return f"{part}.mid.attn_1.{renamed(rest, VAE_ATTENTION.items())}"
    return name.replace("conv_norm_out", "norm_out")


def weights_of(folder: Path, part: str) -> dict[str, torch.Tensor]:
    (path,) = (folder / part).glob("*.safetensors")
    return load_file(path)


def single_file(folder: Path) -> dict[str, torch.Tensor]:
    """The weights of a diffusers folder under their original names."""
    found = {}
    for name, value in weights_of(folder, "unet").items():
        found[f"model.diffusion_model.{unet_name(name)}"] = value
    vae = weights_of(folder, "vae")
    blocks = 1 + max(int(name.split(".")[2]) for name in vae if name.startswith("encoder.down_blocks"))
    for name, value in vae.items():
        # Attention in the autoencoder was made of convolutions.
        shaped = value[:, :, None, None] if "attentions" in name and value.ndim == 2 else value
        found[f"first_stage_model.{vae_name(name, blocks)}"] = shaped.contiguous()
    for name, value in weights_of(folder, "text_encoder").items():
        full_name = name if name.startswith("text_model.") else f"text_model.{name}"
        found[f"cond_stage_model.transformer.{full_name}"] = value
    return found


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_checkpoint(tmp_path_factory.mktemp("base") / "model", TINY_PROFILE)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Other weights of the same shape: what the single file holds."""
    return build_tiny_checkpoint(tmp_path_factory.mktemp("trained") / "model", TINY_PROFILE, seed=5)


@pytest.mark.parametrize("suffix", [".safetensors", ".ckpt"])
def test_a_single_file_becomes_a_folder_with_its_weights(
    base: Path, trained: Path, tmp_path: Path, suffix: str
) -> None:
    source = tmp_path / f"model{suffix}"
    said: list[str] = []
    if suffix == ".ckpt":
        torch.save({"state_dict": single_file(trained), "global_step": 3}, source)
    else:
        save_file(single_file(trained), source)
    located = convert_single_file(source, tmp_path / "folder", base, say=said.append)
    for part in ("unet", "vae", "text_encoder"):
        wanted, got = weights_of(trained, part), weights_of(tmp_path / "folder", part)
        assert set(got) == set(wanted)
        for name, value in wanted.items():
            torch.testing.assert_close(got[name].float().reshape(value.shape), value.float(), msg=name)
    assert located.profile.spectrogram == TINY_PROFILE.spectrogram
    verify_model(located)
    load_checkpoint(located, device="cpu")
    assert any("safetensors" in line for line in said) == (suffix == ".ckpt")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", source.name]


def test_a_file_of_another_shape_is_refused_and_leaves_nothing(base: Path, tmp_path: Path) -> None:
    save_file({"model.diffusion_model.input_blocks.0.0.weight": torch.zeros(3)}, tmp_path / "odd.safetensors")
    with pytest.raises(ModelError, match=r"odd\.safetensors: does not fit the shape of"):
        convert_single_file(tmp_path / "odd.safetensors", tmp_path / "folder", base)
    assert [path.name for path in tmp_path.iterdir()] == ["odd.safetensors"]


def test_a_file_of_another_kind_is_named(
    base: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    capfd.readouterr()
    for names, kind in (
        (["conditioner.embedders.0.x", "model.diffusion_model.x"], "an SDXL checkpoint"),
        (["down_blocks.0.x"], "the UNet of a checkpoint alone"),
        (["lora_unet_x.lora_up.weight"], "a LoRA"),
    ):
        save_file({name: torch.zeros(2, 2) for name in names}, tmp_path / "odd.safetensors")
        with pytest.raises(ModelError, match=rf"odd\.safetensors: holds {kind}, not a whole"):
            convert_single_file(tmp_path / "odd.safetensors", tmp_path / "folder", base)
    assert capfd.readouterr() == ("", "")
    assert [path.name for path in tmp_path.iterdir()] == ["odd.safetensors"]


def test_a_folder_that_is_there_is_not_overwritten(base: Path, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(ModelError, match="already there"):
        convert_single_file(tmp_path / "x.ckpt", tmp_path / "folder", base)
