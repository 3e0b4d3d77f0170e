"""LoRA (low-rank adaptation): small additions to a checkpoint's weights, applied to the clips that name them.

They are kept beside the weights (by peft) and not merged into them. Undoing a merge leaves rounding errors,
and later clips would then depend on which clips were rendered before.
"""

from __future__ import annotations

import hashlib
import warnings
from typing import Any

from riffcomposer.checkpoints.lora_fit import Component, Layers, LoraFit, fit_lora, layers_of
from riffcomposer.checkpoints.lora_values import check_values
from riffcomposer.diffusion.loading import LOADING, Checkpoint
from riffcomposer.diffusion.quiet import quiet
from riffcomposer.errors import ModelError
from riffcomposer.plan.types import LoraFile


class LoraStack:
    """Applies LoRA files to a checkpoint and removes them again."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._pipeline: Any = None
        self._layers: Layers | None = None
        self._active: tuple[LoraFile, ...] | None = ()

    def apply(self, loras: tuple[LoraFile, ...]) -> None:
        """Applies exactly these files, in this order; if that fails, none are applied.

        Raises:
            ModelError: A file is missing, damaged, has changed, or does not fit the checkpoint.
        """
        if loras == self._active:
            return
        before = self._active
        # The state of the weights is unknown until all is applied or removed, whatever is raised meanwhile.
        self._active = None
        if before != ():
            self._take_off()
        if loras:
            try:
                with LOADING, quiet(), warnings.catch_warnings():
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
                raise ModelError(
                    f"LoRA {lora.name}: {lora.path} has changed since the song was planned; "
                    "plan and render again"
                )
            if self._layers is None:
                self._layers = layers_of(self._checkpoint.folder)
            try:
                fit = fit_lora(lora.path, self._layers)
                check_values(lora.path, fit)
            except ModelError as error:
                raise ModelError(f"LoRA {lora.name} {error}") from error
            try:
                self._add(name, fit, load(content))
            except Exception as error:  # diffusers and peft raise anything on what they do not expect
                first = (str(error).strip() or repr(error)).splitlines()[0][:300]
                raise ModelError(f"LoRA {lora.name} cannot be applied to the model ({first})") from error
        self._pipeline.set_adapters(names, [lora.weight for lora in loras])

    def _add(self, name: str, fit: LoraFit, tensors: dict[str, Any]) -> None:
        """Adds the layers that fit as one adapter, under the networks' own layer names."""
        text_encoder = self._pipeline.text_encoder
        inner: dict[Component, str] = {
            "unet": "",
            "text_encoder": "text_model." if hasattr(text_encoder, "text_model") else "",
        }
        weights: dict[Component, dict[str, Any]] = {}
        alphas: dict[str, float] = {}
        for layer in fit.layers:
            target = f"{layer.component}.{inner[layer.component]}{layer.layer}"
            down, up = tensors[layer.down], tensors[layer.up]
            sides = (1,) * (len(layer.shape) - 2)
            part = weights.setdefault(layer.component, {})
            part[f"{target}.lora_A.weight"] = down.reshape(layer.rank, *layer.shape[1:])
            part[f"{target}.lora_B.weight"] = up.reshape(layer.shape[0], layer.rank, *sides)
            alphas[f"{target}.alpha"] = float(tensors[layer.alpha]) if layer.alpha else layer.noted_alpha
        shared = {"adapter_name": name, "network_alphas": alphas, "_pipeline": self._pipeline}
        if "unet" in weights:
            self._pipeline.load_lora_into_unet(weights["unet"], unet=self._pipeline.unet, **shared)
        if "text_encoder" in weights:
            self._pipeline.load_lora_into_text_encoder(
                weights["text_encoder"], text_encoder=text_encoder, **shared
            )
