"""Measures the diffusion engine: memory, and time per clip, on this machine's CPU or GPU.

    python benchmarks/diffusion.py --model-shape sd15       an 860 M UNet and CLIP ViT-L/14, random weights
    python benchmarks/diffusion.py --model-shape default    the default model's shape
    python benchmarks/diffusion.py --model FOLDER           a checkpoint on disk

On a CPU it loads the checkpoint, renders one clip of a few steps, and compares thread counts and batch sizes.
On CUDA it renders batches of 1, 8 and 16 clips at 25 steps, strength 0.6 and guidance 7, eager and compiled,
and compares them with diffusers' img2img pipeline and with the rate of a large bf16 matrix product, both
measured in the same run. It prints one JSON object per line. Weights are random, as timing does not depend on
them.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch

from riffcomposer.checkpoints.builtin import RIFFUSION_V1
from riffcomposer.checkpoints.locate import locate_model
from riffcomposer.checkpoints.profile import ModelProfile, write_profile
from riffcomposer.diffusion.engine import Engine
from riffcomposer.plan.inits import InitClip
from riffcomposer.plan.types import ClipJob, Place, Point

SD15_UNET = {
    "sample_size": 64,
    "block_out_channels": (320, 640, 1280, 1280),
    "layers_per_block": 2,
    "attention_head_dim": 8,
    "cross_attention_dim": 768,
}
SD15_VAE = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
    "latent_channels": 4,
    "sample_size": 512,
}
CLIP_L = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12}
DEFAULT_PROFILE = replace(
    RIFFUSION_V1,
    name="default shape",
    image_channels=1,
    pixel_unshuffle=4,
    latent_scale=16,
    prediction="flow",
    text_length=32,
    schedulers=("euler",),
    scheduler="euler",
)
DEFAULT_UNET = {
    "sample_size": 32,
    "in_channels": 16,
    "out_channels": 16,
    "block_out_channels": (128, 192, 320),
    "layers_per_block": 1,
    "attention_head_dim": 4,
    "norm_num_groups": 16,
    "cross_attention_dim": 384,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
}
DEFAULT_VAE = {
    "in_channels": 16,
    "out_channels": 16,
    "block_out_channels": (64, 128, 128),
    "down_block_types": ("DownEncoderBlock2D",) * 3,
    "up_block_types": ("UpDecoderBlock2D",) * 3,
    "layers_per_block": 1,
    "latent_channels": 16,
    "scaling_factor": 1.0,
    "mid_block_add_attention": False,
}
MINI_LM = {"hidden_size": 384, "intermediate_size": 1536, "num_hidden_layers": 6, "num_attention_heads": 12}


def report(**fields: Any) -> None:
    print(json.dumps(fields), flush=True)


def build_checkpoint(folder: Path, shape: str) -> None:
    """Saves random weights of a shape as a diffusers folder with a profile, in half precision."""
    import diffusers
    import transformers

    default = shape == "default"
    words = [chr(code) for code in range(33, 127)]
    diffusers.UNet2DConditionModel(**(DEFAULT_UNET if default else SD15_UNET)).half().save_pretrained(
        folder / "unet"
    )
    diffusers.AutoencoderKL(**(DEFAULT_VAE if default else SD15_VAE)).half().save_pretrained(folder / "vae")
    if default:
        vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words, *(f"##{word}" for word in words)]
        table = {word: index for index, word in enumerate(vocabulary)}
        config = transformers.BertConfig(vocab_size=30522, **MINI_LM)
        config.use_attention_mask = True
        transformers.BertModel(config, add_pooling_layer=False).half().save_pretrained(
            folder / "text_encoder"
        )
        transformers.BertTokenizerFast(vocab=table).save_pretrained(folder / "tokenizer")
    else:
        vocabulary = [*words, *(f"{word}</w>" for word in words), "<|startoftext|>", "<|endoftext|>"]
        table = {word: index for index, word in enumerate(vocabulary)}
        config = transformers.CLIPTextConfig(vocab_size=49408, eos_token_id=len(table) - 1, **CLIP_L)
        transformers.CLIPTextModel(config).half().save_pretrained(folder / "text_encoder")
        transformers.CLIPTokenizer(vocab=table, merges=[]).save_pretrained(folder / "tokenizer")
    scheduler = diffusers.DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )
    scheduler.save_pretrained(folder / "scheduler")
    index = {
        "_class_name": "StableDiffusionPipeline",
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        "text_encoder": ["transformers", "BertModel" if default else "CLIPTextModel"],
        "tokenizer": ["transformers", "BertTokenizerFast" if default else "CLIPTokenizer"],
        "scheduler": ["diffusers", "DDIMScheduler"],
        "safety_checker": [None, None],
        "feature_extractor": [None, None],
    }
    (folder / "model_index.json").write_text(json.dumps(index))
    profile: ModelProfile = DEFAULT_PROFILE if default else RIFFUSION_V1
    write_profile(folder, profile)


def seed_clip(folder: Path, profile: ModelProfile) -> InitClip:
    """A random image of two bars at 93.75 BPM."""
    from riffcomposer.files import file_sha256
    from riffcomposer.spectrogram.image import write_image

    level = torch.rand(
        1, profile.spectrogram.num_frequencies, 512, generator=torch.Generator().manual_seed(0)
    )
    write_image(folder / "seed.png", level, profile.spectrogram)
    path = folder / "seed.png"
    return InitClip("image", "seed", path, file_sha256(path), Fraction(375, 4), Fraction(8))


def job_for(
    engine: Engine, init: InitClip, *, seed: int = 0, strength: float = 0.6, num_inference_steps: int = 25
) -> ClipJob:
    profile = engine.located.profile
    guidance_scale = 1.0 if profile.guidance_embedding else 7.0
    return ClipJob(
        model_digest=engine.located.digest,
        backend=engine.backend,
        width_frames=512,
        frames_per_quarter=Fraction(64),
        clip_quarters=Fraction(8),
        place=Place(
            Point("church bells", seed, strength, guidance_scale),
            Point("jazz", 1, strength, guidance_scale),
            0.25,
        ),
        negative_prompt="",
        num_inference_steps=num_inference_steps,
        scheduler=profile.scheduler,
        init=init,
    )


def seconds(run: Callable[[], Any], repeats: int = 1) -> float:
    """The best of `repeats` runs."""
    best = float("inf")
    for _ in range(repeats):
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        began = time.perf_counter()
        run()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - began)
    return best


def render(engine: Engine, jobs: list[ClipJob]) -> None:
    for _, result in engine.render({str(index): job for index, job in enumerate(jobs)}):
        if not hasattr(result, "shape"):
            raise SystemExit(f"a clip failed: {result}")


def unet_operations(engine: Engine) -> float:
    """Floating-point operations of one UNet evaluation of one clip, counted by torch."""
    from torch.utils.flop_counter import FlopCounterMode

    profile, checkpoint = engine.located.profile, engine.checkpoint
    height, width = profile.spectrogram.num_frequencies // profile.latent_scale, 512 // profile.latent_scale
    latents = torch.zeros(1, checkpoint.latent_channels, height, width).to(
        checkpoint.device, checkpoint.dtype
    )
    text = torch.zeros(1, profile.text_length, checkpoint.unet.config.cross_attention_dim).to(latents)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        checkpoint.unet(latents, 1, encoder_hidden_states=text)
    return float(counter.get_total_flops())


def matrix_rate(device: torch.device, dtype: torch.dtype, size: int) -> float:
    """Operations per second of a large matrix product on this device."""
    left, right = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    for _ in range(3):
        left @ right
    return 2 * size**3 * 10 / seconds(lambda: [left @ right for _ in range(10)], 3)


def on_cpu(engine: Engine, init: InitClip, steps: int) -> None:
    """Measures one clip, then the effect of thread counts and batch sizes."""
    job = job_for(engine, init, num_inference_steps=steps, strength=1 - 1e-9)
    whole = seconds(lambda: render(engine, [job]))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    evaluations = int(steps * (1 - 1e-9))
    report(
        what="one clip",
        unet_evaluations=evaluations,
        seconds=round(whole, 2),
        peak_memory_gb=round(peak / 1e9, 2),
    )
    rate = matrix_rate(engine.checkpoint.device, torch.float32, 1024)
    operations = unet_operations(engine)
    report(
        what="unet",
        gflop_an_evaluation=round(operations / 1e9, 1),
        float32_matrix_gflops=round(rate / 1e9, 1),
    )


def cpu_layouts(engine: Engine) -> None:
    """Seconds per clip of one guided UNet evaluation and of one decode, by layout, threads and batch."""
    profile, checkpoint = engine.located.profile, engine.checkpoint
    height, width = profile.spectrogram.num_frequencies // profile.latent_scale, 512 // profile.latent_scale
    threads = torch.get_num_threads()
    for layout in (torch.channels_last, torch.contiguous_format):
        checkpoint.unet.to(memory_format=layout)
        checkpoint.vae.to(memory_format=layout)
        for count in sorted({1, threads}):
            torch.set_num_threads(count)
            for batch in (1, 2, 4, 8):
                latents = torch.randn(2 * batch, checkpoint.latent_channels, height, width)
                latents = latents.contiguous(memory_format=layout)
                text = torch.randn(2 * batch, profile.text_length, checkpoint.unet.config.cross_attention_dim)
                with torch.inference_mode():
                    unet = seconds(
                        lambda x=latents, y=text: checkpoint.unet(x, 500, encoder_hidden_states=y), 4
                    )
                    half = latents[:batch].contiguous(memory_format=layout)
                    vae = seconds(lambda x=half: checkpoint.vae.decode(x), 3)
                report(
                    what="layout",
                    layout=str(layout).removeprefix("torch."),
                    threads=count,
                    batch=batch,
                    guided_evaluation_s_a_clip=round(unet / batch, 3),
                    decode_s_a_clip=round(vae / batch, 3),
                )


def on_cuda(engine: Engine, init: InitClip, folder: Path) -> None:
    """Seconds per clip here and by diffusers' img2img pipeline, and the share of the GPU's matrix rate."""
    from diffusers import StableDiffusionImg2ImgPipeline

    rate = matrix_rate(engine.checkpoint.device, torch.bfloat16, 8192)
    operations = unet_operations(engine)
    report(what="matrix rate", bf16_tflops=round(rate / 1e12, 1), device=torch.cuda.get_device_name())
    stock = None
    if engine.located.profile.prediction == "epsilon":
        stock = StableDiffusionImg2ImgPipeline.from_pretrained(
            folder, torch_dtype=torch.float16, safety_checker=None
        )
        stock.to(engine.checkpoint.device).set_progress_bar_config(disable=True)
    engines = {"eager": engine, "compiled": Engine(engine.located, device="cuda", compile=True, hashes=False)}
    for batch in (1, 8, 16):
        theirs = None
        if stock is not None:
            image = torch.zeros(batch, 3, 512, 512)

            def run_stock(batch: int = batch, image: torch.Tensor = image) -> None:
                stock(
                    ["church bells"] * batch,
                    image=image,
                    strength=0.6,
                    guidance_scale=7.0,
                    num_inference_steps=25,
                    output_type="pt",
                )

            run_stock()
            theirs = seconds(run_stock, 3) / batch
            report(what="stock img2img pipeline", batch=batch, seconds_a_clip=round(theirs, 4))
        for name, one in engines.items():
            jobs = [job_for(one, init, seed=n) for n in range(batch)]
            render(one, jobs)
            torch.cuda.reset_peak_memory_stats()
            ours = seconds(lambda one=one, jobs=jobs: render(one, jobs), 3) / batch
            work = operations * 15 * 2
            report(
                what=f"riffcomposer, {name}",
                batch=batch,
                seconds_a_clip=round(ours, 4),
                times_stock=round(theirs / ours, 2) if theirs else None,
                share_of_matrix_rate=round(work / ours / rate, 3),
                peak_memory_gb=round(torch.cuda.max_memory_allocated() / 1e9, 2),
            )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model-shape", choices=("sd15", "default"), default="default")
    parser.add_argument("--model", type=Path, help="a checkpoint's folder instead of random weights")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--steps", type=int, default=3, help="steps of the one clip on a CPU")
    parser.add_argument(
        "--layouts", action="store_true", help="on a CPU, also compare threads, batches and layouts"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.model or Path(scratch) / "checkpoint"
        if arguments.model is None:
            built = seconds(lambda: build_checkpoint(folder, arguments.model_shape))
            report(what="built random weights", shape=arguments.model_shape, seconds=round(built, 1))
        began = time.perf_counter()
        engine = Engine(locate_model(str(folder.resolve())), device=arguments.device)
        report(
            what="loaded",
            backend=engine.backend,
            seconds=round(time.perf_counter() - began, 1),
            unet_parameters_m=round(sum(w.numel() for w in engine.checkpoint.unet.parameters()) / 1e6, 1),
            parameters_m=round(engine.checkpoint.parameters / 1e6, 1),
            weights_gb=round(engine.checkpoint.memory_bytes / 1e9, 2),
            threads=torch.get_num_threads(),
        )
        init = seed_clip(Path(scratch), engine.located.profile)
        if engine.checkpoint.device.type == "cuda":
            on_cuda(engine, init, folder)
        else:
            on_cpu(engine, init, arguments.steps)
            if arguments.layouts:
                cpu_layouts(engine)


if __name__ == "__main__":
    main()
