"""Tells what a safetensors file holds by the names of its tensors: a LoRA, a whole checkpoint, ...

The names are those that the training programs write: kohya's, diffusers', peft's, and those of the
original repositories of Stable Diffusion and its successors.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

SINGLE_FILE = "a single-file checkpoint"
"""The kind that `models convert` accepts: Stable Diffusion 1 or 2 with all its parts in one file."""

UNKNOWN = "weights of an unknown kind"

_OTHER = "a Flux, Stable Diffusion 3 or other transformer"
_KINDS = (
    (r"lora_controlnet$", "a Control-LoRA (a ControlNet)"),
    (r".*\.?vera_(lambda|A$|B$)", "a VeRA (peft)"),
    (r"\d+\.\d\.linear\.", "a hypernetwork"),
    (r".*\.hada_w", "a LoHa (LyCORIS)"),
    (r".*\.lokr_w", "a LoKr (LyCORIS)"),
    (r".*\.(oft_|boft_)", "an OFT (LyCORIS)"),
    (r".*\.on_input$", "an IA3 (LyCORIS)"),
    (r".*\.(a1|b1)\.weight$", "a GLoRA (LyCORIS)"),
    (r".*\.diff(_b)?$", "a full difference (LyCORIS)"),
    (r".*(lora|\.alpha$)", "a LoRA"),
    (
        r"model\.diffusion_model\.(joint_blocks|double_blocks|single_blocks|layers|blocks)\.",
        f"{_OTHER} checkpoint",
    ),
    (r"conditioner\.embedders\.", "an SDXL checkpoint"),
    (r"(double_blocks|single_blocks|joint_blocks|transformer_blocks)\.\d", f"{_OTHER} checkpoint"),
    (r"model\.diffusion_model\.|cond_stage_model\.", SINGLE_FILE),
    (r"control_model\.|input_hint_block\.|controlnet_", "a ControlNet"),
    (r"ip_adapter\.|image_proj\.", "an IP-Adapter"),
    (r".*motion_modules\.", "an AnimateDiff motion module"),
    (r"emb_params$|string_to_param|clip_[lg]$|<.*>$|t5xxl$", "a textual inversion (embedding)"),
    (r"(down_blocks|up_blocks|mid_block|conv_in|time_embedding)\.", "the UNet of a checkpoint alone"),
    (
        r"first_stage_model\.|(encoder|decoder)\.(conv_in|mid|down|up|mid_block)\.|decoder\.layers\.",
        "an autoencoder (VAE) alone",
    ),
    (r"text_model\.|transformer\.text_model\.|encoder\.layers?\.", "a text encoder alone"),
)


def kind_of_weights(shapes: Mapping[str, tuple[int, ...]]) -> str:
    """Returns what tensors of these names and shapes are, with an article: `a LoRA`.

    >>> kind_of_weights({"lora_unet_x.hada_w1_a": (4, 8)}), kind_of_weights({"emb_params": (2, 768)})
    ('a LoHa (LyCORIS)', 'a textual inversion (embedding)')
    """
    for pattern, kind in _KINDS:
        matcher = re.compile(pattern)
        if any(matcher.match(name) for name in shapes):
            return kind
    if len(shapes) <= 2 and all(len(shape) in (1, 2) for shape in shapes.values()) and shapes:
        return "a textual inversion (embedding)"
    return UNKNOWN


_MODELS = (
    (r"lora_te[12]_|text_encoder_2\.|lora_unet_(input|middle|output)_block", "SDXL"),
    (r"lora_unet_(double|single)_blocks_|lora_transformer_(single_)?transformer_blocks", "Flux"),
    (r"lora_unet_joint_blocks_|lora_te3_", "Stable Diffusion 3"),
    (r"(base_model\.model\.)?transformer\.|lora_transformer_", "a transformer"),
)


def foreign_model(names: Iterable[str], texts: Mapping[str, str]) -> str | None:
    """Returns the kind of model that a LoRA was made for, if it is not Stable Diffusion 1 or 2.

    Args:
        texts: The file's metadata, in which kohya's trainer and the ModelSpec name the base model.
    """
    base = f"{texts.get('ss_base_model_version', '')} {texts.get('modelspec.architecture', '')}".lower()
    for word, model in (("xl", "SDXL"), ("flux", "Flux"), ("sd3", "Stable Diffusion 3")):
        if word in base:
            return model
    listed = list(names)
    for pattern, model in _MODELS:
        matcher = re.compile(pattern)
        if any(matcher.match(name) for name in listed):
            return model
    return None
