"""Tensors that a checkpoint's configurations ask for, with their shapes, known without building a network.

Not all of them: those of every block whose names and shapes diffusers and transformers have kept from version
to version. What only loading can tell is told then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Shapes = dict[str, tuple[int, ...]]
_Tensors = Iterator[tuple[str, tuple[int, ...]]]

_PLAIN_DOWN = frozenset({"DownBlock2D", "CrossAttnDownBlock2D", "DownEncoderBlock2D"})
_PLAIN_UP = frozenset({"UpBlock2D", "CrossAttnUpBlock2D", "UpDecoderBlock2D"})


def expected_tensors(class_name: str, config: Mapping[str, Any]) -> Shapes:
    """Tensors of a network, by name; empty for a class that is not known here.

    Args:
        class_name: Its class in `model_index.json`.
        config: Its `config.json`.

    Raises:
        TypeError: A value of the configuration is of the wrong kind.
    """
    makers = {
        "UNet2DConditionModel": _unet,
        "AutoencoderKL": _autoencoder,
        "CLIPTextModel": _clip,
        "BertModel": _bert,
    }
    maker = makers.get(class_name)
    return dict(maker(config)) if maker is not None else {}


def first_difference(found: Mapping[str, Any], wanted: Shapes) -> str:
    """Says which tensor is missing or has another shape; "" if none.

    Args:
        found: Header of the weights: a tensor's name to its entry, with `shape`. Names may have a prefix,
            as text encoders' do that were saved as part of a larger model.
        wanted: See `expected_tensors`.
    """
    by_ending = {name.partition(".")[2]: name for name in found}
    for name, shape in wanted.items():
        entry = found.get(name) or found.get(by_ending.get(name, ""))
        if entry is None:
            return f"{name} is missing from the weights"
        if tuple(entry["shape"]) != shape:
            there, asked = (" x ".join(map(str, each)) for each in (entry["shape"], shape))
            return f"{name.removesuffix('.weight')} is {there} in the weights and {asked} in config.json"
    return ""


def _counts(per_block: int | Sequence[int], blocks: int) -> list[int]:
    return [per_block] * blocks if isinstance(per_block, int) else list(per_block)


def _resnets(side: str, block: int, widths: Sequence[int], count: int) -> _Tensors:
    """The second convolution of each residual block: square, and as wide as the block."""
    for index in range(count):
        name = f"{side}.{block}.resnets.{index}.conv2.weight"
        yield name, (widths[block], widths[block], 3, 3)


def _unet(config: Mapping[str, Any]) -> _Tensors:
    widths = list(config.get("block_out_channels", (320, 640, 1280, 1280)))
    counts = _counts(config.get("layers_per_block", 2), len(widths))
    inner, outer = config.get("conv_in_kernel", 3), config.get("conv_out_kernel", 3)
    yield "conv_in.weight", (widths[0], config.get("in_channels", 4), inner, inner)
    if config.get("time_embedding_type", "positional") == "positional" and not config.get(
        "time_embedding_dim"
    ):
        yield "time_embedding.linear_1.weight", (4 * widths[0], widths[0])
    for block, kind in enumerate(config.get("down_block_types", ())):
        if kind in _PLAIN_DOWN:
            yield from _resnets("down_blocks", block, widths, counts[block])
    for block, kind in enumerate(config.get("up_block_types", ())):
        if kind in _PLAIN_UP:
            yield from _resnets("up_blocks", block, widths[::-1], counts[::-1][block] + 1)
    yield "conv_out.weight", (config.get("out_channels", 4), widths[0], outer, outer)


def _autoencoder(config: Mapping[str, Any]) -> _Tensors:
    widths = list(config.get("block_out_channels", (64,)))
    count = config.get("layers_per_block", 1)
    yield "encoder.conv_in.weight", (widths[0], config.get("in_channels", 3), 3, 3)
    for block, kind in enumerate(config.get("down_block_types", ())):
        if kind in _PLAIN_DOWN:
            yield from _resnets("encoder.down_blocks", block, widths, count)
    yield "decoder.conv_in.weight", (widths[-1], config.get("latent_channels", 4), 3, 3)
    for block, kind in enumerate(config.get("up_block_types", ())):
        if kind in _PLAIN_UP:
            yield from _resnets("decoder.up_blocks", block, widths[::-1], count + 1)
    yield "decoder.conv_out.weight", (config.get("out_channels", 3), widths[0], 3, 3)


def _clip(config: Mapping[str, Any]) -> _Tensors:
    width, inner = config.get("hidden_size", 512), config.get("intermediate_size", 2048)
    yield "embeddings.token_embedding.weight", (config.get("vocab_size", 49408), width)
    for layer in range(config.get("num_hidden_layers", 12)):
        yield f"encoder.layers.{layer}.self_attn.q_proj.weight", (width, width)
        yield f"encoder.layers.{layer}.mlp.fc1.weight", (inner, width)
    yield "final_layer_norm.weight", (width,)


def _bert(config: Mapping[str, Any]) -> _Tensors:
    width, inner = config.get("hidden_size", 768), config.get("intermediate_size", 3072)
    yield "embeddings.word_embeddings.weight", (config.get("vocab_size", 30522), width)
    for layer in range(config.get("num_hidden_layers", 12)):
        yield f"encoder.layer.{layer}.attention.self.query.weight", (width, width)
        yield f"encoder.layer.{layer}.intermediate.dense.weight", (inner, width)
