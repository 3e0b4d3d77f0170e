"""The engine on a CUDA device, in half precision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from riffcomposer.checkpoints.locate import locate_model
from riffcomposer.diffusion.engine import Engine

# Half precision has 11 bits; a clip alone and in a batch agree to this (levels are 0..1).
HALF_BATCH_BOUND = 0.02


@pytest.mark.gpu
@pytest.mark.parametrize("scheduler", ["ddim", "dpmpp_2m", "euler", "euler_a", "pndm", "lms", "unipc", "lcm"])
def test_half_precision_on_cuda(
    tiny_checkpoint: Path, engine: Any, make_job: Any, seed_clip: Any, half_mask: Any, scheduler: Any
) -> None:
    on_cuda = Engine(locate_model(str(tiny_checkpoint)), device="cuda")
    assert on_cuda.backend == "cuda-float16"
    common = {"init": seed_clip, "mask": half_mask, "scheduler": scheduler, "guidance_scale": 2.0}
    jobs = {str(n): make_job(seed_a=n, alpha=n / 4, backend="cuda-float16", **common) for n in range(4)}
    together = dict(on_cuda.render(jobs))
    for key, job in jobs.items():
        ((_, alone),) = on_cuda.render({key: job})
        assert np.abs(np.asarray(together[key]) - np.asarray(alone)).max() < HALF_BATCH_BOUND
        ((_, on_cpu),) = engine.render({key: make_job(seed_a=int(key), alpha=job.place.alpha, **common)})
        assert np.abs(alone - on_cpu).mean() < HALF_BATCH_BOUND
