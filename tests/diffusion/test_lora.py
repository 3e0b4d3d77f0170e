"""LoRA files on a checkpoint: applied to the clips that name them, and removed without a trace."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lora_files import ATTENTION, DIFFUSERS, KOHYA, PEFT, pair, save

from riffcomposer.files import file_sha256
from riffcomposer.plan.types import LoraFile


@pytest.fixture(scope="module")
def lora(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> LoraFile:
    """A random LoRA on one attention projection, in diffusers' naming."""
    from safetensors.torch import save_file

    generator = torch.Generator().manual_seed(0)
    prefix = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_v"
    tensors = {
        f"{prefix}.lora_A.weight": torch.randn(4, 32, generator=generator),
        f"{prefix}.lora_B.weight": torch.randn(16, 4, generator=generator),
    }
    path = tmp_path_factory.mktemp("lora") / "style.safetensors"
    save_file(tensors, path)
    return LoraFile("style", path, file_sha256(path), 0.8)


@pytest.fixture(scope="module")
def own_engine(tiny_checkpoint: Path) -> Any:
    from riffcomposer.checkpoints.locate import locate_model
    from riffcomposer.diffusion.engine import Engine

    return Engine(locate_model(str(tiny_checkpoint)), device="cpu")


def test_a_lora_acts_as_if_added_to_the_weights(
    own_engine: Any, make_job: Any, lora: Any, render_one: Any
) -> None:
    from safetensors.torch import load_file

    job = make_job(num_inference_steps=3)
    plain = render_one(own_engine, job)
    with_lora = render_one(own_engine, replace(job, loras=(lora,)))
    assert np.abs(with_lora - plain).max() > 1e-3
    assert render_one(own_engine, job).tobytes() == plain.tobytes(), "taken off without a trace"

    tensors = load_file(lora.path)
    down = next(value for key, value in tensors.items() if "lora_A" in key)
    up = next(value for key, value in tensors.items() if "lora_B" in key)
    weight = own_engine.checkpoint.unet.down_blocks[0].attentions[0].transformer_blocks[0].attn2.to_v.weight
    before = weight.clone()
    with torch.no_grad():
        weight += 0.8 * up @ down
        merged = render_one(own_engine, job)
        weight.copy_(before)
    assert np.abs(merged - with_lora).max() < 1e-4


def test_weight_and_order_of_two(own_engine: Any, make_job: Any, lora: Any, render_one: Any) -> None:
    job = make_job(num_inference_steps=2)
    half = replace(lora, weight=0.4)
    twice = render_one(own_engine, replace(job, loras=(half, replace(half, name="again"))))
    once = render_one(own_engine, replace(job, loras=(lora,)))
    assert np.abs(twice - once).max() < 1e-4


@pytest.mark.parametrize("fault", ["changed", "missing", "truncated", "foreign"])
def test_a_bad_lora_fails_its_clip_only(
    own_engine: Any, make_job: Any, lora: Any, tmp_path: Path, fault: Any
) -> None:
    from safetensors.torch import save_file

    path = tmp_path / "bad.safetensors"
    if fault == "truncated":
        path.write_bytes(lora.path.read_bytes()[:-10])
    elif fault == "foreign":
        save_file({"something.else": torch.zeros(3)}, path)
    elif fault == "changed":
        path.write_bytes(lora.path.read_bytes())
    sha256 = "0" * 64 if fault == "changed" else file_sha256(path) if path.exists() else ""
    bad = LoraFile("bad", path, sha256, 1.0)
    jobs = {"bad": make_job(num_inference_steps=2, loras=(bad,)), "good": make_job(num_inference_steps=2)}
    results = dict(own_engine.render(jobs))
    assert "bad" in results["bad"].message
    assert isinstance(results["good"], np.ndarray)


TEXT = "encoder.layers.0.self_attn"
PROJECTION = "down_blocks.0.attentions.0.proj_in"
LAYERS: dict[str, list[tuple[str, str, tuple[int, ...], int, float | None]]] = {
    "one alpha": [("unet", ATTENTION, (16, 32), 4, 2.0)],
    "no alpha": [("unet", ATTENTION, (16, 32), 4, None), ("unet", PROJECTION, (16, 16, 1, 1), 2, None)],
    "ranks and alphas that differ": [
        ("unet", ATTENTION, (16, 32), 4, 1.0),
        ("unet", PROJECTION, (16, 16, 1, 1), 2, 8.0),
        ("unet", "conv_in", (16, 4, 3, 3), 3, None),
        ("unet", "mid_block.attentions.0.proj_out", (16, 16, 1, 1), 2, 2.0),
    ],
    "both networks": [
        ("unet", ATTENTION, (16, 32), 4, 4.0),
        ("text_encoder", f"{TEXT}.q_proj", (32, 32), 4, 2.0),
        ("text_encoder", f"{TEXT}.v_proj", (32, 32), 2, None),
        ("text_encoder", "encoder.layers.1.mlp.fc1", (37, 32), 2, 1.0),
    ],
}
STYLES = {
    "kohya": ({"unet": "lora_unet_", "text_encoder": "lora_te_text_model_"}, KOHYA),
    "peft": ({"unet": "unet.", "text_encoder": "text_encoder.text_model."}, PEFT),
    "diffusers": ({"unet": "unet.", "text_encoder": "text_encoder."}, DIFFUSERS),
}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("case", LAYERS)
def test_every_layer_acts_by_its_rank_and_alpha(
    own_engine: Any, make_job: Any, render_one: Any, tmp_path: Path, capfd: Any, case: Any, style: Any
) -> None:
    """The same clip as with `weight * alpha / rank * up @ down` added to each layer's weight."""
    prefixes, names = STYLES[style]
    tensors: dict[str, torch.Tensor] = {}
    deltas = []
    for seed, (component, layer, shape, rank, alpha) in enumerate(LAYERS[case]):
        name = layer.replace(".", "_") if style == "kohya" else layer
        made = pair(prefixes[component] + name, shape, rank, names=names, alpha=alpha, seed=seed, scale=0.3)
        tensors |= made
        down, up = list(made.values())[:2]
        product = (up.reshape(shape[0], rank) @ down.reshape(rank, -1)).reshape(shape)
        network = getattr(own_engine.checkpoint, component)
        network = getattr(network, "text_model", network) if component == "text_encoder" else network
        weight = network.get_submodule(layer).weight
        deltas.append((weight, weight.clone(), 0.5 * (1.0 if alpha is None else alpha / rank) * product))
    path = save(tmp_path / "x.safetensors", tensors)
    job = make_job(num_inference_steps=2)
    plain = render_one(own_engine, job)
    capfd.readouterr()
    with_lora = render_one(own_engine, replace(job, loras=(LoraFile("x", path, file_sha256(path), 0.5),)))
    assert capfd.readouterr() == ("", "")
    assert np.abs(with_lora - plain).max() > 1e-3
    own_engine._loras.apply(())
    with torch.no_grad():
        for weight, _, delta in deltas:
            weight.add_(delta)
        own_engine._prompts._cache.clear()
        merged = render_one(own_engine, job)
        for weight, before, _ in deltas:
            weight.copy_(before)
    own_engine._prompts._cache.clear()
    assert np.abs(merged - with_lora).max() < 1e-3 * max(1, np.abs(merged).max())
    assert render_one(own_engine, job).tobytes() == plain.tobytes(), "taken off without a trace"


def test_what_fits_acts_and_the_rest_is_left_out(
    own_engine: Any, make_job: Any, render_one: Any, lora: Any, tmp_path: Path, capfd: Any
) -> None:
    """A layer that the model does not have changes nothing, and no library says a word about it."""
    from safetensors.torch import load_file

    more = load_file(lora.path) | pair("unet.down_blocks.5.attentions.0.proj_in", (16, 16, 1, 1), 2)
    path = save(tmp_path / "x.safetensors", more)
    job = make_job(num_inference_steps=2)
    part = render_one(own_engine, replace(job, loras=(LoraFile("x", path, file_sha256(path), 0.8),)))
    assert capfd.readouterr() == ("", "")
    assert part.tobytes() == render_one(own_engine, replace(job, loras=(lora,))).tobytes()


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        (pair(f"unet.{ATTENTION}", (32, 64), 4), "x was made for a model of other sizes"),
        ({"emb_params": torch.zeros(2, 768)}, "x is a textual inversion"),
        (
            {name: tensor / 0 for name, tensor in pair(f"unet.{ATTENTION}", (16, 32), 4).items()},
            "x has infinity",
        ),
    ],
)
def test_a_lora_is_refused_in_one_line_of_ours(
    own_engine: Any, make_job: Any, tmp_path: Path, capfd: Any, tensors: Any, words: Any
) -> None:
    path = save(tmp_path / "x.safetensors", tensors)
    bad = LoraFile("x", path, file_sha256(path), 1.0)
    results = dict(own_engine.render({"bad": make_job(num_inference_steps=2, loras=(bad,))}))
    assert words in results["bad"].message
    assert "\n" not in results["bad"].message
    assert capfd.readouterr() == ("", "")


@pytest.fixture(scope="module")
def text_lora(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> LoraFile:
    """A random LoRA on one projection of the text encoder."""
    from safetensors.torch import save_file

    generator = torch.Generator().manual_seed(1)
    prefix = "text_encoder.text_model.encoder.layers.0.self_attn.q_proj"
    tensors = {
        f"{prefix}.lora_A.weight": 3 * torch.randn(4, 32, generator=generator),
        f"{prefix}.lora_B.weight": 3 * torch.randn(32, 4, generator=generator),
    }
    path = tmp_path_factory.mktemp("lora") / "words.safetensors"
    save_file(tensors, path)
    return LoraFile("words", path, file_sha256(path), 1.0)


def test_after_a_lora_that_fails_clips_without_one_are_as_ever(
    own_engine: Any, make_job: Any, text_lora: Any, render_one: Any, tmp_path: Path
) -> None:
    job = make_job(num_inference_steps=2, prompt_a="a prompt of this test alone")
    bad = LoraFile("gone", tmp_path / "gone.safetensors", "", 1.0)
    jobs = {
        "with": replace(job, loras=(text_lora,)),
        "bad": replace(job, loras=(bad,)),
        "plain": job,
    }
    results = dict(own_engine.render(jobs))
    assert "gone" in results["bad"].message
    own_engine._prompts._cache.clear()
    plain = render_one(own_engine, job)
    assert np.abs(results["with"] - plain).max() > 1e-3, "this LoRA is heard"
    assert results["plain"].tobytes() == plain.tobytes()


def test_where_a_lora_cannot_be_taken_off_nothing_is_rendered_until_it_can(
    own_engine: Any, make_job: Any, text_lora: Any, render_one: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(num_inference_steps=2)
    plain = render_one(own_engine, job)
    render_one(own_engine, replace(job, loras=(text_lora,)))
    pipeline = own_engine._loras._pipeline

    def stuck() -> None:
        raise RuntimeError("stuck")

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "unload_lora_weights", stuck)
        for _ in range(2):
            ((_, result),) = own_engine.render({"clip": job})
            assert "stuck" in result.message
    assert render_one(own_engine, job).tobytes() == plain.tobytes()


def test_the_alpha_that_diffusers_notes_acts_as_a_tensor_does(
    own_engine: Any, make_job: Any, render_one: Any, tmp_path: Path
) -> None:
    job = make_job(num_inference_steps=2)
    note = {"lora_adapter_metadata": json.dumps({"unet.r": 4, "unet.lora_alpha": 1})}
    plain, by_tensor = (
        pair(f"unet.{ATTENTION}", (16, 32), 4),
        pair(f"unet.{ATTENTION}", (16, 32), 4, alpha=1.0),
    )

    def rendered(name: str, tensors: dict[str, Any], metadata: dict[str, str] | None = None) -> Any:
        path = save(tmp_path / f"{name}.safetensors", tensors, metadata)
        return render_one(own_engine, replace(job, loras=(LoraFile(name, path, file_sha256(path), 1.0),)))

    noted = rendered("noted", plain, note)
    assert np.array_equal(noted, rendered("tensor", by_tensor))
    assert not np.array_equal(noted, rendered("plain", plain))
