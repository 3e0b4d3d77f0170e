"""LoRA: small additions to a checkpoint's weights, put on for the clips that ask for them.

They stay beside the weights (peft) and are not merged into them: a merge cannot be undone without
rounding, and clips rendered later would then depend on what was rendered before.
"""

from __future__ import annotations

import hashlib
import warnings
from typing import Any

from riffcomposer.diffusion.loading import LOADING, Checkpoint
from riffcomposer.errors import ModelError
from riffcomposer.models.verify import read_header
from riffcomposer.plan.model import LoraFile


class LoraStack:
    """The LoRA files that are on a checkpoint now."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._pipeline: Any = None
        self._active: tuple[LoraFile, ...] | None = ()

    def apply(self, loras: tuple[LoraFile, ...]) -> None:
        """Puts exactly these on, in this order; if that fails, none are on.

        Raises:
            ModelError: A file is missing, damaged, has changed, or does not fit the checkpoint.
        """
        if loras == self._active:
            return
        before = self._active
        # Nothing is known of the weights until they are in order again, whatever is raised meanwhile.
        self._active = None
        if before != ():
            self._take_off()
        if loras:
            try:
                with LOADING, warnings.catch_warnings():
                    warnings.simplefilter("ignore", UserWarning)  # peft's advice on a second adapter
                    self._put_on(loras)
            except BaseException:
                self._take_off()
                self._active = ()
                raise
        self._active = loras

    def _take_off(self) -> None:
        if self._pipeline is not None:
            self._pipeline.unload_lora_weights()

    def _put_on(self, loras: tuple[LoraFile, ...]) -> None:
        from diffusers import DDIMScheduler, StableDiffusionPipeline
        from safetensors.torch import load

        if self._pipeline is None:
            self._pipeline = StableDiffusionPipeline(
                vae=self._checkpoint.vae,
                text_encoder=self._checkpoint.text_encoder,
                tokenizer=self._checkpoint.tokenizer,
                unet=self._checkpoint.unet,
                scheduler=DDIMScheduler(steps_offset=1, clip_sample=False),
                safety_checker=None,
                feature_extractor=None,
                requires_safety_checker=False,
            )
        names = [f"lora_{index}" for index in range(len(loras))]
        for name, lora in zip(names, loras, strict=True):
            try:
                content = lora.path.read_bytes()
            except OSError as error:
                raise ModelError(
                    f"LoRA {lora.name}: {lora.path} cannot be read ({error.strerror})"
                ) from error
            if lora.sha256 and hashlib.sha256(content).hexdigest() != lora.sha256:
                raise ModelError(f"LoRA {lora.name}: {lora.path} has changed since the song was planned")
            read_header(lora.path)
            try:
                self._pipeline.load_lora_weights(load(content), adapter_name=name)
            except Exception as error:  # diffusers and peft raise anything on keys they do not know
                first = (str(error).strip() or repr(error)).splitlines()[0][:300]
                raise ModelError(f"LoRA {lora.name}: {lora.path} does not fit the model ({first})") from error
            if not any(name in adapters for adapters in self._pipeline.get_list_adapters().values()):
                raise ModelError(f"LoRA {lora.name}: {lora.path} holds nothing that fits the model")
        self._pipeline.set_adapters(names, [lora.weight for lora in loras])
