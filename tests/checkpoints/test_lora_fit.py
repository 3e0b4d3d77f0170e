"""Which LoRA files fit a checkpoint, told from headers: each way of naming, each way of not fitting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lora_files import ATTENTION, DIFFUSERS, KOHYA, PEFT, kohya, pair, save

from riffcomposer.checkpoints.lora_fit import Layers, fit_lora, layers_of
from riffcomposer.checkpoints.lora_values import check_values
from riffcomposer.errors import ModelError

SHAPE = (16, 32)
TEXT = "encoder.layers.0.self_attn.q_proj"


@pytest.fixture(scope="module")
def layers(tiny_checkpoint: Path) -> Layers:
    return layers_of(tiny_checkpoint)


def test_the_layers_of_a_checkpoint(layers: Layers, tiny_flow_checkpoint: Path) -> None:
    assert layers["unet"][ATTENTION] == SHAPE
    assert layers["text_encoder"][TEXT] == (32, 32)
    assert layers["unet"]["conv_in"] == (16, 4, 3, 3)
    assert not any("norm" in name for name in layers["unet"])
    assert "text_encoder" not in layers_of(tiny_flow_checkpoint), "BERT takes no LoRA"


NAMES: dict[str, tuple[str, tuple[str, str, str]]] = {
    "kohya": (kohya(ATTENTION), KOHYA),
    "peft in diffusers": (f"unet.{ATTENTION}", PEFT),
    "peft alone": (f"base_model.model.{ATTENTION}", PEFT),
    "peft with an adapter's name": (
        f"unet.{ATTENTION}",
        ("lora_A.default.weight", "lora_B.default.weight", ""),
    ),
    "no prefix": (ATTENTION, PEFT),
    "ComfyUI": (f"diffusion_model.{ATTENTION}", PEFT),
    "diffusers": (f"unet.{ATTENTION}", DIFFUSERS),
    "oldest diffusers": (
        f"unet.{ATTENTION.replace('to_v', 'processor.to_v_lora')}",
        ("down.weight", "up.weight", "alpha"),
    ),
}


@pytest.mark.parametrize("style", NAMES)
def test_every_way_of_naming_a_layer(layers: Layers, tmp_path: Path, style: str) -> None:
    module, names = NAMES[style]
    path = save(tmp_path / "x.safetensors", pair(module, SHAPE, 3, names=names))
    (found,) = fit_lora(path, layers).layers
    assert (found.component, found.layer, found.rank, found.shape) == ("unet", ATTENTION, 3, SHAPE)
    assert fit_lora(path, layers).left_out == ()


@pytest.mark.parametrize(
    ("module", "names"),
    [
        (kohya("text_model." + TEXT, "lora_te"), KOHYA),
        (f"text_encoder.text_model.{TEXT}", PEFT),
        (f"text_encoder.{TEXT}", PEFT),
        (
            f"text_encoder.text_model.{TEXT}",
            ("lora_linear_layer.down.weight", "lora_linear_layer.up.weight", "alpha"),
        ),
        (
            "text_encoder.text_model.encoder.layers.0.self_attn.to_q_lora",
            ("down.weight", "up.weight", "alpha"),
        ),
    ],
)
def test_every_way_of_naming_a_text_layer(
    layers: Layers, tmp_path: Path, module: str, names: tuple[str, str, str]
) -> None:
    path = save(tmp_path / "x.safetensors", pair(module, (32, 32), 2, names=names))
    (found,) = fit_lora(path, layers).layers
    assert (found.component, found.layer) == ("text_encoder", TEXT)


def test_attention_outputs_of_the_oldest_names(layers: Layers, tmp_path: Path) -> None:
    layer = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_out.0"
    module = "unet." + layer.replace("to_out.0", "processor.to_out_lora")
    path = save(tmp_path / "x.safetensors", pair(module, (16, 16), 2, names=("down.weight", "up.weight", "")))
    assert fit_lora(path, layers).layers[0].layer == layer


def test_an_alpha_belongs_to_its_layer(layers: Layers, tmp_path: Path) -> None:
    path = save(tmp_path / "x.safetensors", pair(kohya(ATTENTION), SHAPE, 4, names=KOHYA, alpha=2.0))
    fit = fit_lora(path, layers)
    assert fit.layers[0].alpha == f"{kohya(ATTENTION)}.alpha"
    assert fit.left_out == ()


def test_convolutions(layers: Layers, tmp_path: Path) -> None:
    for layer, shape in (("conv_in", (16, 4, 3, 3)), ("down_blocks.0.attentions.0.proj_in", (16, 16, 1, 1))):
        path = save(tmp_path / f"{layer}.safetensors", pair(kohya(layer), shape, 2, names=KOHYA))
        assert fit_lora(path, layers).layers[0].shape == layers["unet"][layer]
    flat = save(
        tmp_path / "flat.safetensors",
        pair(kohya("down_blocks.0.attentions.0.proj_in"), (16, 16), 2, names=KOHYA),
    )
    assert fit_lora(flat, layers).layers[0].shape == (16, 16, 1, 1)


ZEROS = torch.zeros


def _sdxl_blocks() -> dict[str, Any]:
    return pair("lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q", (640, 640), 4, names=KOHYA)


MISFITS: dict[str, tuple[dict[str, Any], str]] = {
    "SDXL by its blocks": (_sdxl_blocks(), "made for SDXL"),
    "SDXL by its text encoders": (pair("lora_te1_text_model_x", (4, 4), 2, names=KOHYA), "made for SDXL"),
    "Flux": (pair("lora_unet_double_blocks_0_img_attn_proj", (4, 4), 2, names=KOHYA), "made for Flux"),
    "a transformer": (pair("transformer.blocks.0.attn.to_q", (4, 4), 2), "made for a transformer"),
    "ComfyUI's transformer": (
        pair("diffusion_model.blocks.0.q", (4, 4), 2),
        "blocks.0.q, which is not there",
    ),
    "Control-LoRA": (pair(ATTENTION, SHAPE, 2) | {"lora_controlnet": ZEROS(1)}, "a Control-LoRA"),
    "quantised": (
        {name: tensor.to(torch.int8) for name, tensor in pair(f"unet.{ATTENTION}", SHAPE, 2).items()},
        "holds whole numbers (I8",
    ),
    "wrong size": (pair(kohya(ATTENTION), (32, 64), 4, names=KOHYA), "is 32 x 64 there and 16 x 32 here"),
    "wrong kernel": (pair(kohya("conv_in"), (16, 4, 1, 1), 4, names=KOHYA), "16 x 4 x 1 x 1 there"),
    "ranks that differ": (
        {f"unet.{ATTENTION}.lora_A.weight": ZEROS(4, 32), f"unet.{ATTENTION}.lora_B.weight": ZEROS(16, 5)},
        "model of other sizes",
    ),
    "one factor of two": (
        {f"unet.{ATTENTION}.lora_A.weight": ZEROS(4, 32)},
        f"only one factor of each layer: {ATTENTION} lacks its up",
    ),
    "another layout": (pair(f"unet.{ATTENTION}.more", SHAPE, 4), "which is not there"),
    "LoHa": (
        {f"{kohya(ATTENTION)}.hada_w1_a": ZEROS(16, 4), f"{kohya(ATTENTION)}.alpha": ZEROS(1)},
        "a LoHa",
    ),
    "LoKr": ({f"{kohya(ATTENTION)}.lokr_w1": ZEROS(4, 4)}, "a LoKr"),
    "OFT": ({f"{kohya(ATTENTION)}.oft_blocks": ZEROS(4, 4)}, "an OFT"),
    "GLoRA": ({f"{kohya(ATTENTION)}.a1.weight": ZEROS(4, 4)}, "a GLoRA"),
    "IA3": ({f"{kohya(ATTENTION)}.on_input": ZEROS(1)}, "an IA3"),
    "full difference": ({f"{kohya(ATTENTION)}.diff": ZEROS(16, 32)}, "a full difference"),
    "textual inversion of A1111": ({"emb_params": ZEROS(2, 768)}, "a textual inversion"),
    "textual inversion of diffusers": ({"<cat-toy>": ZEROS(768)}, "a textual inversion"),
    "textual inversion of SDXL": ({"clip_l": ZEROS(2, 768), "clip_g": ZEROS(2, 1280)}, "a textual inversion"),
    "a whole checkpoint": (
        {"model.diffusion_model.input_blocks.0.0.weight": ZEROS(2, 2)},
        "a single-file checkpoint, not a LoRA",
    ),
    "a UNet": ({f"{ATTENTION}.weight": ZEROS(16, 32)}, "the UNet of a checkpoint alone"),
    "a ControlNet": ({"control_model.input_hint_block.0.weight": ZEROS(2, 2)}, "a ControlNet"),
    "an IP-Adapter": ({"ip_adapter.1.to_k_ip.weight": ZEROS(2, 2)}, "an IP-Adapter"),
    "an autoencoder": ({"decoder.conv_in.weight": ZEROS(2, 2)}, "an autoencoder (VAE)"),
    "something else": ({"a": ZEROS(2, 2), "b": ZEROS(1), "c": ZEROS(1)}, "weights of an unknown kind"),
    "nothing": ({}, "holds no tensors"),
}


@pytest.mark.parametrize("name", MISFITS)
def test_what_does_not_fit_is_named(layers: Layers, tmp_path: Path, name: str) -> None:
    tensors, words = MISFITS[name]
    path = save(tmp_path / "x.safetensors", tensors)
    with pytest.raises(ModelError) as caught:
        fit_lora(path, layers)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({"ss_base_model_version": "sdxl_base_v1-0"}, "made for SDXL"),
        ({"modelspec.architecture": "stable-diffusion-xl-v1-base/lora"}, "made for SDXL"),
        ({"modelspec.architecture": "Flux.1-dev/lora"}, "made for Flux"),
    ],
)
def test_the_base_model_that_a_trainer_noted(
    layers: Layers, tmp_path: Path, metadata: dict[str, str], words: str
) -> None:
    path = save(tmp_path / "x.safetensors", pair(kohya(ATTENTION), SHAPE, 4, names=KOHYA), metadata)
    with pytest.raises(ModelError, match=words):
        fit_lora(path, layers)
    plain = save(
        tmp_path / "y.safetensors",
        pair(kohya(ATTENTION), SHAPE, 4, names=KOHYA),
        {"ss_base_model_version": "sd_v1"},
    )
    assert fit_lora(plain, layers).left_out == ()


MORE: dict[str, dict[str, Any]] = {
    "a layer that is not there": pair(
        kohya(ATTENTION.replace("blocks.0", "blocks.7", 1)), SHAPE, 4, names=KOHYA
    ),
    "half a pair": {f"{kohya('conv_out')}.lora_down.weight": ZEROS(2, 16, 3, 3)},
    "a middle tensor": pair(kohya("conv_out"), (4, 16, 3, 3), 2, names=KOHYA)
    | {f"{kohya('conv_out')}.lora_mid.weight": ZEROS(2, 2, 3, 3)},
    "DoRA": {f"{kohya(ATTENTION)}.dora_scale": ZEROS(1, 32)},
    "an alpha of several numbers": pair(kohya("conv_out"), (4, 16, 3, 3), 2, names=KOHYA)
    | {f"{kohya('conv_out')}.alpha": ZEROS(3)},
    "a bias": {f"{kohya(ATTENTION)}.lora_up.bias": ZEROS(16)},
    "another text encoder": pair("lora_te_text_model_encoder_layers_9_mlp_fc1", (4, 4), 2, names=KOHYA),
}


@pytest.mark.parametrize("name", MORE)
def test_what_is_left_out_is_counted(layers: Layers, tmp_path: Path, name: str) -> None:
    good = pair(kohya(ATTENTION), SHAPE, 4, names=KOHYA, alpha=1.0)
    fit = fit_lora(save(tmp_path / "x.safetensors", good | MORE[name]), layers)
    assert [layer.layer for layer in fit.layers] == [ATTENTION]
    assert set(fit.left_out) == MORE[name].keys()


def test_without_a_model_only_the_kind_is_looked_at(tmp_path: Path) -> None:
    anything = save(tmp_path / "x.safetensors", pair("unet.somewhere.to_q", (77, 3), 4))
    assert fit_lora(anything, None).layers[0].shape == (77, 3)
    with pytest.raises(ModelError, match="a textual inversion"):
        fit_lora(save(tmp_path / "y.safetensors", {"emb_params": ZEROS(2, 768)}), None)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize(("value", "word"), [("nan", "NaN"), ("inf", "infinity"), ("-inf", "infinity")])
@pytest.mark.parametrize("which", [0, 1])
def test_numbers_that_are_none_are_named(
    layers: Layers, tmp_path: Path, dtype: torch.dtype, value: str, word: str, which: int
) -> None:
    tensors = {name: tensor.to(dtype) for name, tensor in pair(f"unet.{ATTENTION}", SHAPE, 4).items()}
    path = save(tmp_path / "x.safetensors", tensors)
    assert check_values(path, fit_lora(path, layers)).acts
    name = list(tensors)[which]
    tensors[name].view(-1)[-1] = float(value)
    save(path, tensors)
    with pytest.raises(ModelError, match=f"has {word} in {name}"):
        check_values(path, fit_lora(path, layers))


def test_the_largest_numbers_are_numbers(layers: Layers, tmp_path: Path) -> None:
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        info = torch.finfo(dtype)
        tensors = {name: tensor.to(dtype) for name, tensor in pair(f"unet.{ATTENTION}", SHAPE, 4).items()}
        for tensor in tensors.values():
            tensor.view(-1)[0], tensor.view(-1)[1] = info.max, info.min
        path = save(tmp_path / "x.safetensors", tensors)
        assert check_values(path, fit_lora(path, layers)).acts


def test_an_alpha_is_a_number_too(layers: Layers, tmp_path: Path) -> None:
    for alpha, word in ((float("nan"), "NaN"), (float("inf"), "infinity")):
        path = save(tmp_path / "x.safetensors", pair(f"unet.{ATTENTION}", SHAPE, 4, alpha=alpha))
        with pytest.raises(ModelError, match=f"has {word} in unet.{ATTENTION}.alpha"):
            check_values(path, fit_lora(path, layers))
    path = save(tmp_path / "x.safetensors", pair(f"unet.{ATTENTION}", SHAPE, 4, alpha=0.0))
    assert not check_values(path, fit_lora(path, layers)).acts


def test_eight_bits_are_read_too(layers: Layers, tmp_path: Path) -> None:
    tensors = pair(f"unet.{ATTENTION}", SHAPE, 4)
    path = save(tmp_path / "x.safetensors", {k: v.to(torch.float8_e4m3fn) for k, v in tensors.items()})
    assert check_values(path, fit_lora(path, layers)).acts


def test_a_lora_before_its_first_step_changes_nothing(layers: Layers, tmp_path: Path) -> None:
    tensors = pair(f"unet.{ATTENTION}", SHAPE, 4)
    tensors[f"unet.{ATTENTION}.lora_B.weight"].zero_()
    path = save(tmp_path / "x.safetensors", tensors)
    assert not check_values(path, fit_lora(path, layers)).acts
