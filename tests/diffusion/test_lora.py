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


@pytest.fixture(scope="module")
def text_lora(tiny_checkpoint, tmp_path_factory) -> LoraFile:
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
    own_engine, make_job, text_lora, render_one, tmp_path
):
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
    own_engine, make_job, text_lora, render_one, monkeypatch
):
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
