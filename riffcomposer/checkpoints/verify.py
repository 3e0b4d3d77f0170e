"""Checks a checkpoint's folder before anything is loaded from it: parts, shapes, hashes.

Only JSON and the headers of safetensors files are parsed; a pickle is never opened.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from riffcomposer.checkpoints.builtin import read_config
from riffcomposer.checkpoints.locate import WEIGHTS, pickled_files, shard_index, weight_files
from riffcomposer.checkpoints.profile import SPECTRUM_BANDS, SPECTRUM_FILE, LocatedModel
from riffcomposer.checkpoints.safetensors_file import read_header, shapes
from riffcomposer.checkpoints.tensor_shapes import tensor_fault
from riffcomposer.checkpoints.weight_kinds import kind_of_weights
from riffcomposer.errors import ModelError
from riffcomposer.files import file_sha256

CLASSES = {
    "unet": ("UNet2DConditionModel",),
    "vae": ("AutoencoderKL", "AsymmetricAutoencoderKL", "AutoencoderTiny"),
    "text_encoder": ("CLIPTextModel", "BertModel"),
    "tokenizer": ("CLIPTokenizer", "CLIPTokenizerFast", "BertTokenizer", "BertTokenizerFast"),
}
"""The classes that may be loaded, by component. Others are refused, so a folder cannot bring code."""

_WHOLE_NUMBERS = frozenset({"I8", "U8", "I4", "U4", "F4"})
_SAFETENSORS = "get the safetensors version"
_OTHER_FORMS = {
    ".incomplete": "which is half a download; fetch the model again",
    ".crdownload": "which is half a download; fetch the model again",
    ".part": "which is half a download; fetch the model again",
    ".msgpack": f"which is for Flax; {_SAFETENSORS}",
    ".onnx": f"which is for ONNX; {_SAFETENSORS}",
    "openvino_model.xml": f"which is for OpenVINO; {_SAFETENSORS}",
    ".gguf": f"which is GGUF; {_SAFETENSORS}",
    ".h5": f"which is for TensorFlow; {_SAFETENSORS}",
}
"""Ends of names of weights that are not read, and what they are."""

_OTHER_TASKS = {5: "inpainting", 4: "editing by instruction", 3: "upscaling", 1: "depth maps"}
"""Purpose of a UNet by its number of input channels beyond the four of the latent."""


def component_class(folder: Path, component: str, index: dict[str, Any]) -> str:
    """Returns the class that `model_index.json` names for a component.

    Raises:
        ModelError: The component is missing, or its class is not one of `CLASSES`.
    """
    entry = index.get(component)
    if not (isinstance(entry, list) and len(entry) == 2 and isinstance(entry[1], str)):
        raise ModelError(f"{folder}: model_index.json names no {component}; the checkpoint is incomplete")
    if entry[1] not in CLASSES[component]:
        raise ModelError(
            f"{folder}: {component} is a {str(entry[1])[:60]!r}, which is not loaded; "
            f"it must be one of {', '.join(CLASSES[component])}"
        )
    return entry[1]


def _check_hashes(folder: Path, expected: dict[str, str]) -> None:
    missing = [name for name in expected if not (folder / name).is_file()]
    if missing:
        raise ModelError(
            f"{folder / missing[0]}: missing, though the profile lists it; fetch the model again"
        )
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(file_sha256, [folder / name for name in expected])
        for (name, wanted), digest in zip(expected.items(), found, strict=True):
            if digest != wanted:
                raise ModelError(
                    f"{folder / name}: wrong hash (sha256 {digest[:9]}..., the profile has {wanted[:9]}...); "
                    "it was changed or damaged, fetch the model again"
                )


def _check_weights(folder: Path, component: str) -> dict[str, Any]:
    paths = weight_files(folder, component)
    if not paths:
        if any(path.parent.name == component for path in pickled_files(folder)):
            raise ModelError(
                f"{folder / component}: only pickled weights (.bin), which can run code and are not opened; "
                f"turn them into safetensors once with `riffcompose models convert {folder} <new folder>`"
            )
        raise ModelError(f"{folder / component}: no safetensors weights; {_instead(folder, component)}")
    header: dict[str, Any] = {}
    parts: dict[str, dict[str, Any]] = {}
    for path in paths:
        if not path.is_file():
            raise ModelError(f"{path}: not a regular file")
        parts[path.name] = read_header(path)
        header |= parts[path.name]
    if "-of-" in paths[0].name:
        _check_shards(folder, component, parts)
    elif (index := shard_index(folder, component)).exists():
        raise ModelError(f"{index}: names shards, though {paths[0].name} is there too; remove one of the two")
    _refuse_quantised(folder / component, header)
    return header


def _refuse_quantised(folder: Path, header: dict[str, Any]) -> None:
    """Refuses weights of few bits, which are numbers for another program's decoder."""
    advice = "get the version in float16 or float32"
    if "quantization_config" in (config := read_config(folder / "config.json")):
        noted = config["quantization_config"]
        method = noted.get("quant_method", "?") if isinstance(noted, dict) else noted
        raise ModelError(f"{folder}: its weights are quantised with {str(method)[:60]!r}; {advice}")
    for name, entry in header.items():
        if entry["dtype"] in _WHOLE_NUMBERS and len(entry["shape"]) > 1:
            raise ModelError(
                f"{folder}: holds whole numbers ({entry['dtype']} in {name[:100]}), so it is quantised; "
                f"{advice}"
            )


def _instead(folder: Path, component: str) -> str:
    """Describes what there is instead of a component's weights."""
    for path in sorted((folder / component).glob("*")):
        for mark, kind in _OTHER_FORMS.items():
            if path.name.lower().endswith(mark):
                return f"{path.name} is there, {kind}"
    for path in sorted((folder / component).glob("*.safetensors")):
        if path.is_symlink() and not path.exists():
            return f"{path.name} is a link to a file that is not there, fetch the model again"
        if path.is_file():
            return f"{path.name} is there, which must be named {WEIGHTS[component]}.safetensors"
    return "the checkpoint is incomplete"


def _check_shards(folder: Path, component: str, parts: dict[str, dict[str, Any]]) -> None:
    """Checks that the shards of a component all exist and contain the tensors of their index."""
    index = shard_index(folder, component)
    listed = read_config(index).get("weight_map")
    if not isinstance(listed, dict) or not all(isinstance(name, str) for name in listed.values()):
        raise ModelError(f"{index}: it has no weight_map; fetch it again")
    for name in sorted(set(listed.values())):
        if Path(name).name != name:
            raise ModelError(f"{index}: names {name[:100]!r}, which is not beside it")
        if name not in parts:
            raise ModelError(f"{folder / component / name}: this shard is missing; fetch the model again")
    lost = sorted(listed.keys() - {name for header in parts.values() for name in header})
    if lost:
        raise ModelError(f"{folder / component}: {lost[0][:100]} is in none of the shards; fetch it again")
    for name, shard in listed.items():
        if name not in parts[shard]:
            raise ModelError(f"{index}: {name[:100]} is not in {shard}, but in another shard; fetch it again")


def _check_first_layer(folder: Path, unet: dict[str, Any]) -> None:
    """Checks the shape of the UNet's first layer against its configuration."""
    config = read_config(folder / "unet" / "config.json")
    wanted = [config.get("block_out_channels", [320])[0], config.get("in_channels", 4)]
    found = unet.get("conv_in.weight", {}).get("shape")
    if found is None:
        raise ModelError(
            f"{folder / 'unet'}: holds {kind_of_weights(shapes(unet))}, not a UNet's weights; "
            "fetch the model again"
        )
    if found[:2] != wanted:
        raise ModelError(
            f"{folder / 'unet'}: conv_in is {found[0]} x {found[1]} in the weights and "
            f"{wanted[0]} x {wanted[1]} in config.json; they belong to different models"
        )


def _check_shapes(located: LocatedModel) -> None:
    """Checks by their configurations that the parts fit each other and the profile."""
    folder, profile = located.folder, located.profile
    unet = read_config(folder / "unet" / "config.json")
    vae = read_config(folder / "vae" / "config.json")
    text = read_config(folder / "text_encoder" / "config.json")
    read_config(folder / "scheduler" / "scheduler_config.json")
    latent_channels = vae.get("latent_channels", 4)
    vae_scale = 2 ** (len(vae.get("block_out_channels", (64,))) - 1) * profile.pixel_unshuffle
    text_width = text.get("hidden_size", 512)
    checks = (
        (
            "unet in_channels",
            unet.get("in_channels", 4),
            ("twice " if profile.init_conditioning else "") + "vae latent_channels",
            latent_channels * (2 if profile.init_conditioning else 1),
        ),
        ("unet cross_attention_dim", unet.get("cross_attention_dim", 1280), "text width", text_width),
        (
            "vae in_channels",
            vae.get("in_channels", 3),
            "image_channels * pixel_unshuffle^2",
            profile.image_channels * profile.pixel_unshuffle**2,
        ),
        ("vae scale", vae_scale, "latent_scale", profile.latent_scale),
        (
            "unet time_cond_proj_dim set",
            unet.get("time_cond_proj_dim") is not None,
            "guidance_embedding",
            profile.guidance_embedding,
        ),
    )
    if kind := _OTHER_TASKS.get(unet.get("in_channels", 4) - latent_channels if latent_channels == 4 else 0):
        raise ModelError(
            f"{folder}: the UNet takes {unet['in_channels']} channels, as models for {kind} do; "
            "only models that take the noise alone are rendered"
        )
    for left, found, right, wanted in checks:
        if found != wanted:
            raise ModelError(f"{folder}: {left} is {found}, but {right} is {wanted}; the parts do not fit")
    if profile.text_length > text.get("max_position_embeddings", 77):
        raise ModelError(
            f"{folder}: the text encoder has {text.get('max_position_embeddings')} positions, "
            f"too few for the profile's text_length of {profile.text_length}"
        )


def _check_spectrum(located: LocatedModel) -> None:
    """Checks the map from prompts to spectra, if the profile says that there is one."""
    if not located.profile.caption_spectrum:
        return
    path = located.folder / SPECTRUM_FILE
    if not path.is_file():
        raise ModelError(f"{path}: missing, though the profile says caption_spectrum; fetch the model again")
    width = read_config(located.folder / "text_encoder" / "config.json").get("hidden_size", 512)
    found = shapes(read_header(path))
    wanted = {
        "weight": (SPECTRUM_BANDS, width),
        "bias": (SPECTRUM_BANDS,),
        "tolerance": (SPECTRUM_BANDS,),
    }
    for name, shape in wanted.items():
        if found.get(name) != shape:
            raise ModelError(
                f"{path}: {name} must be {' x '.join(map(str, shape))} numbers, and is "
                f"{' x '.join(map(str, found[name])) if name in found else 'missing'}"
            )


def verify_model(located: LocatedModel, *, hashes: bool = True) -> None:
    """Checks everything about a checkpoint that can be checked without loading it.

    Args:
        hashes: Whether to read every listed file in full and compare its SHA-256.

    Raises:
        ModelError: The checkpoint is unusable; the message names the file or field, and what to do.
    """
    folder = located.folder
    try:
        index = read_config(folder / "model_index.json")
        for component in CLASSES:
            component_class(folder, component, index)
        _check_shapes(located)
        headers = {component: _check_weights(folder, component) for component in WEIGHTS}
        _check_first_layer(folder, headers["unet"])
        _check_spectrum(located)
        for component, header in headers.items():
            config = read_config(folder / component / "config.json")
            named = component_class(folder, component, index)
            if fault := tensor_fault(component, named, config, shapes(header)):
                raise ModelError(f"{folder / component}: {fault}")
        if not any(
            (folder / "tokenizer" / name).is_file() for name in ("tokenizer.json", "vocab.json", "vocab.txt")
        ):
            raise ModelError(f"{folder / 'tokenizer'}: no vocabulary; the checkpoint is incomplete")
        if hashes:
            _check_hashes(folder, located.profile.files)
    except OSError as error:
        raise ModelError(f"{folder}: cannot be read ({error})") from error
    except (TypeError, IndexError) as error:
        raise ModelError(f"{folder}: a configuration holds a value of the wrong kind ({error})") from error
