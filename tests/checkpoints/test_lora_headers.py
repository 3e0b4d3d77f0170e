"""LoRA files whose headers are odd: what the loader would refuse is refused at once, by its true fault."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from lora_files import ATTENTION, KOHYA, PEFT, kohya, pair, save

from riffcomposer.checkpoints.lora_fit import Layers, fit_lora, layers_of
from riffcomposer.checkpoints.lora_values import check_values
from riffcomposer.errors import ModelError

SHAPE = (16, 32)
DOWN, UP = f"{kohya(ATTENTION)}.lora_down.weight", f"{kohya(ATTENTION)}.lora_up.weight"
ZEROS = torch.zeros


@pytest.fixture(scope="module")
def layers(tiny_checkpoint: Path) -> Layers:
    return layers_of(tiny_checkpoint)


def refused(path: Path, layers: Layers) -> str:
    with pytest.raises(ModelError) as caught:
        fit_lora(path, layers)
    return str(caught.value)


def entry(shape: list[Any], begin: int, end: int) -> dict[str, Any]:
    return {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}


def write(path: Path, table: str, body_bytes: int) -> Path:
    """A safetensors file with this table, as it stands, and a body of zeros."""
    header = table.encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(body_bytes))
    return path


WHOLE = {DOWN: entry([4, 32], 0, 512), UP: entry([16, 4], 512, 768)}


def changed(**fields: Any) -> str:
    return json.dumps(
        {"__metadata__": fields.pop("metadata", {"format": "pt"}), DOWN: WHOLE[DOWN], UP: WHOLE[UP] | fields}
    )


TABLES = {
    "two tensors on the same bytes": (changed(data_offsets=[0, 256]), 512),
    "bytes of no tensor between two": (changed(data_offsets=[612, 868]), 868),
    "bytes of no tensor at the start": (
        json.dumps({DOWN: entry([4, 32], 4, 516), UP: entry([16, 4], 516, 772)}),
        772,
    ),
    "a side that is no number": (changed(shape=[16, 4, True, True]), 768),
    "an offset that is no number": (changed(data_offsets=[512, 768.0]), 768),
    "a number in the metadata": (changed(metadata={"step": 3}), 768),
    "metadata that are a list": (changed(metadata=["x"]), 768),
    "metadata twice": ('{"__metadata__": {"a": "1"}, ' + changed()[1:], 768),
    "a number that JSON does not have": (changed().replace('"F32"', '"F32", "x": NaN', 1), 768),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_that_the_loader_refuses(layers: Layers, tmp_path: Path, name: str) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = write(tmp_path / "x.safetensors", *TABLES[name])
    with pytest.raises(SafetensorError):
        load_file(path)
    assert "its header is damaged" in refused(path, layers)


@pytest.mark.parametrize("table", [json.dumps(WHOLE), changed(metadata=None), json.dumps(WHOLE) + "   "])
def test_a_table_that_the_loader_reads(layers: Layers, tmp_path: Path, table: str) -> None:
    from safetensors.torch import load_file

    path = write(tmp_path / "x.safetensors", table, 768)
    assert len(load_file(path)) == 2
    assert len(fit_lora(path, layers).layers) == 1


def test_a_rank_of_nothing(layers: Layers, tmp_path: Path) -> None:
    path = save(tmp_path / "x.safetensors", {DOWN: ZEROS(0, 32), UP: ZEROS(16, 0)})
    said = refused(path, layers)
    assert "rank 0" in said
    assert "16 x 32" not in said


def test_numbers_that_are_neither_floating_nor_whole(layers: Layers, tmp_path: Path) -> None:
    factors = {name: ZEROS(*shape, dtype=torch.complex64) for name, shape in ((DOWN, (4, 32)), (UP, (16, 4)))}
    said = refused(save(tmp_path / "x.safetensors", factors), layers)
    assert "C64" in said
    assert "whole" not in said


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2])
def test_eight_bits_without_a_number(layers: Layers, tmp_path: Path, dtype: torch.dtype) -> None:
    tensors = pair(kohya(ATTENTION), SHAPE, 4, names=KOHYA)
    values = {"nan": "NaN"} | ({"inf": "infinity"} if dtype is torch.float8_e5m2 else {})
    for value, word in values.items():
        strange = {name: tensor.clone() for name, tensor in tensors.items()}
        strange[UP][3, 1] = float(value)
        path = save(tmp_path / "x.safetensors", {k: v.to(dtype) for k, v in strange.items()})
        with pytest.raises(ModelError, match=f"has {word} in {UP}"):
            check_values(path, fit_lora(path, layers))
    small = {name: tensor.clamp(-1, 1).to(dtype) for name, tensor in tensors.items()}
    path = save(tmp_path / "x.safetensors", small)
    assert check_values(path, fit_lora(path, layers)).largest == 1.0


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2])
def test_the_largest_of_eight_bits(layers: Layers, tmp_path: Path, dtype: torch.dtype) -> None:
    for value in (2.0**-9 if dtype is torch.float8_e4m3fn else 2.0**-16, 0.0625, 1.75, 448.0):
        tensors = {DOWN: torch.full((4, 32), value), UP: ZEROS(16, 4)}
        path = save(tmp_path / "x.safetensors", {k: v.to(dtype) for k, v in tensors.items()})
        assert check_values(path, fit_lora(path, layers)).largest == value


NAMES: Mapping[str, tuple[str, tuple[str, str, str]]] = {
    "an adapter of any name": (
        f"base_model.model.{ATTENTION}",
        ("lora_A.my-tape_2.weight", "lora_B.my-tape_2.weight", ""),
    ),
    "peft's names within a pipeline": (f"unet.base_model.model.{ATTENTION}", PEFT),
    "LyCORIS's plain LoRA": ("lycoris_" + ATTENTION.replace(".", "_"), KOHYA),
}


@pytest.mark.parametrize("style", NAMES)
def test_further_ways_of_naming_a_layer(layers: Layers, tmp_path: Path, style: str) -> None:
    module, names = NAMES[style]
    fit = fit_lora(save(tmp_path / "x.safetensors", pair(module, SHAPE, 3, names=names)), layers)
    assert [(layer.component, layer.layer) for layer in fit.layers] == [("unet", ATTENTION)]
    assert fit.left_out == ()


def test_two_adapters_in_one_file_are_not_both_used(layers: Layers, tmp_path: Path) -> None:
    tensors = {
        f"base_model.model.{ATTENTION}.{role}.{name}.weight": ZEROS(*shape)
        for name in ("one", "two")
        for role, shape in (("lora_A", (4, 32)), ("lora_B", (16, 4)))
    }
    fit = fit_lora(save(tmp_path / "x.safetensors", tensors), layers)
    assert len(fit.layers) == 1
    assert len(fit.left_out) == 2
    assert len({name.split(".")[-2] for name in fit.used}) == 1, "of one adapter"


@pytest.mark.parametrize(
    ("tensors", "kind"),
    [
        ({"base_model.model.x.vera_lambda_b": ZEROS(3), "base_model.vera_A": ZEROS(3, 3)}, "a VeRA"),
        ({"320.0.linear.0.weight": ZEROS(3, 3)}, "a hypernetwork"),
    ],
)
def test_further_kinds(layers: Layers, tmp_path: Path, tensors: dict[str, Any], kind: str) -> None:
    assert f"is {kind}" in refused(save(tmp_path / "x.safetensors", tensors), layers)


def test_one_for_a_text_encoder_that_takes_none(tiny_flow_checkpoint: Path, tmp_path: Path) -> None:
    name = "lora_te_text_model_encoder_layers_0_self_attn_q_proj"
    path = save(tmp_path / "x.safetensors", pair(name, (32, 32), 4, names=KOHYA))
    said = refused(path, layers_of(tiny_flow_checkpoint))
    assert "changes the text encoder alone" in said
    assert "CLIP" in said


def noted(**fields: Any) -> dict[str, str]:
    """What diffusers writes beside the tensors since 0.33."""
    return {"format": "pt", "lora_adapter_metadata": json.dumps({f"unet.{k}": v for k, v in fields.items()})}


ALPHAS = {
    "an alpha": (noted(r=4, lora_alpha=16), 16.0),
    "one of its own": (noted(r=4, lora_alpha=16, alpha_pattern={ATTENTION: 2}), 2.0),
    "a pattern for others": (noted(r=4, lora_alpha=16, alpha_pattern={"conv_in": 2}), 16.0),
    "the end of a name": (noted(r=4, lora_alpha=16, alpha_pattern={"attn2.to_v": 8}), 8.0),
    "stabilised ranks": (noted(r=4, lora_alpha=3, use_rslora=True), 6.0),
    "of a text encoder": ({"lora_adapter_metadata": json.dumps({"text_encoder.lora_alpha": 16})}, 4.0),
    "none": ({"format": "pt"}, 4.0),
    "not JSON": ({"lora_adapter_metadata": "{"}, 4.0),
    "not a mapping": ({"lora_adapter_metadata": "[1]"}, 4.0),
    "not a number": (noted(lora_alpha="16"), 4.0),
    "infinity": ({"lora_adapter_metadata": '{"unet.lora_alpha": 1e999}'}, 4.0),
}


@pytest.mark.parametrize("name", ALPHAS)
def test_the_alpha_that_diffusers_notes(layers: Layers, tmp_path: Path, name: str) -> None:
    metadata, alpha = ALPHAS[name]
    path = save(tmp_path / "x.safetensors", pair(f"unet.{ATTENTION}", SHAPE, 4), metadata)
    (layer,) = fit_lora(path, layers).layers
    assert layer.noted_alpha == alpha


def test_an_alpha_tensor_comes_before_the_note(layers: Layers, tmp_path: Path) -> None:
    tensors = pair(f"unet.{ATTENTION}", SHAPE, 4, alpha=2.0)
    path = save(tmp_path / "x.safetensors", tensors, noted(r=4, lora_alpha=16))
    (layer,) = fit_lora(path, layers).layers
    assert layer.alpha == f"unet.{ATTENTION}.alpha"
