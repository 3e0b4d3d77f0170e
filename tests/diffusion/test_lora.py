"""LoRA files on a checkpoint: on for the clips that name them, off without a trace."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from riffcomposer.models.verify import file_sha256
from riffcomposer.plan.model import LoraFile


@pytest.fixture(scope="module")
def lora(tiny_checkpoint, tmp_path_factory) -> LoraFile:
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
def own_engine(tiny_checkpoint):
    from riffcomposer.diffusion.engine import Engine
    from riffcomposer.models.locate import locate_model

    return Engine(locate_model(str(tiny_checkpoint)), device="cpu")


def test_a_lora_acts_as_if_added_to_the_weights(own_engine, make_job, lora, render_one):
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


def test_weight_and_order_of_two(own_engine, make_job, lora, render_one):
    job = make_job(num_inference_steps=2)
    half = replace(lora, weight=0.4)
    twice = render_one(own_engine, replace(job, loras=(half, replace(half, name="again"))))
    once = render_one(own_engine, replace(job, loras=(lora,)))
    assert np.abs(twice - once).max() < 1e-4


@pytest.mark.parametrize("fault", ["changed", "missing", "truncated", "foreign"])
def test_a_bad_lora_fails_its_clip_only(own_engine, make_job, lora, tmp_path, fault):
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
