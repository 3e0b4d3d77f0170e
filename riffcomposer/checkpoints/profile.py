"""Model profiles: the facts about a checkpoint that planning and rendering need besides its weights.

A profile is `riffcomposer.json` beside a checkpoint's `model_index.json`. It is data: reading it
loads no weights and imports no heavy library.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from dataclasses import fields as dataclass_fields
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import TypeAdapter, ValidationError

from riffcomposer import files
from riffcomposer.errors import ModelError
from riffcomposer.spectrogram_parameters import SpectrogramParameters

FILE_NAME = "riffcomposer.json"
SPECTRUM_FILE = "caption_spectrum.safetensors"
SPECTRUM_BANDS = 22
"""Third octaves of a caption's spectrum (`ModelProfile.caption_spectrum`)."""
FORMAT = 1
"""Version of the profile file; a reader refuses a newer one."""


@dataclass(frozen=True)
class ModelProfile:
    """What a checkpoint can do and what it expects.

    Attributes:
        name: Name for messages, `riffcomposer default` for instance.
        spectrogram: The image format that it was trained on.
        image_width: Width in frames that it was trained at; a clip's slot holds as many whole bars
            as fit.
        width_step: Number of frames that every width is a multiple of.
        max_width: Widest image in frames that it renders well.
        image_channels: 1 for grey, 3 for RGB.
        network_input: What the autoencoder sees, in -1..1: `image` is Riffusion's picture (dark
            where loud, low frequencies at the bottom), `level` is 2 * level - 1 with row 0 the
            lowest band.
        pixel_unshuffle: Side of the squares that are folded into channels before the autoencoder
            (`torch.nn.functional.pixel_unshuffle`) and unfolded after it; 1 for none.
        latent_scale: Image pixels for one latent pixel along each side, the folding included (8
            or 16).
        prediction: What the UNet predicts: `epsilon`, `v_prediction`, or `flow`: noise - clean at
            (1 - t) * clean + t * noise, t in 0..1, and the UNet is given 1000 * t.
        guidance_embedding: Whether the UNet takes the guidance scale w as an input
            (`time_cond_proj_dim`, an embedding of w - 1 as in diffusers' latent consistency
            pipelines), so that guidance needs no second pass.
        init_conditioning: Whether the UNet takes the latents of what a clip starts from as further input
            channels, after the noisy ones, and zeros where it starts from nothing (the conditioning of
            InstructPix2Pix, Brooks et al. 2023).
        caption_spectrum: Whether the folder has `caption_spectrum.safetensors`, by which the average spectrum
            of clips is held near what their prompts are like (`riffcomposer.diffusion.caption_spectrum`).
        detail_guidance: How much of the guidance what changes over time gets, 0 to 1, where a clip starts
            from a loop; the average spectrum gets all of it. 1 is plain guidance.
        text_length: Tokens of one chunk of prompt, start and end tokens included (77 or 32).
        schedulers: Names of the schedulers that a song may use with it.
        scheduler: Name of the default scheduler.
        num_inference_steps, guidance_scale, strength: Defaults for songs that state none.
        strength_map: Rising pairs (song strength, model strength), linear between, by which a song's
            strength means the same with a flow model as with Riffusion. Empty if they are equal.
        beat_keeping_strength: Strength above which a render may lose the loop's beat (a lint warns).
        default_init: What sections start from that do not say it: `none` (noise) or `score` (music that is
            composed from the prompt's words).
        seconds_per_evaluation: Rough duration of one UNet evaluation on two CPU cores, for estimates.
        memory_bytes: Rough amount of memory that it needs.
        files: SHA-256 of each file of the checkpoint, by relative path with `/`; empty if unknown.
    """

    name: str
    spectrogram: SpectrogramParameters = field(default_factory=SpectrogramParameters)
    image_width: int = 512
    width_step: int = 64
    max_width: int = 1024
    image_channels: int = 3
    network_input: Literal["image", "level"] = "image"
    pixel_unshuffle: int = 1
    latent_scale: int = 8
    prediction: Literal["epsilon", "v_prediction", "flow"] = "epsilon"
    guidance_embedding: bool = False
    init_conditioning: bool = False
    caption_spectrum: bool = False
    detail_guidance: float = 1.0
    text_length: int = 77
    schedulers: tuple[str, ...] = ("ddim", "dpmpp_2m", "euler", "euler_a", "pndm", "lms", "unipc")
    scheduler: str = "ddim"
    num_inference_steps: int = 50
    guidance_scale: float = 7.0
    strength: float = 0.55
    strength_map: tuple[tuple[float, float], ...] = ()
    beat_keeping_strength: float = 0.75
    supports_negative_prompt: bool = True
    default_init: Literal["none", "score"] = "none"
    seconds_per_evaluation: float = 10.0
    memory_bytes: int = 8 << 30
    licence: str = ""
    training_data: str = ""
    evaluation: dict[str, float] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    def model_strength(self, strength: float) -> float:
        """Converts a song's strength to the model's scale: 0 to 0, 1 to 1, linear between the pairs."""
        points = ((0.0, 0.0), *(pair for pair in self.strength_map if 0 < pair[0] < 1), (1.0, 1.0))
        for (left, low), (right, high) in pairwise(points):
            if strength <= right:
                return low + (high - low) * (strength - left) / (right - left)
        return 1.0


@dataclass(frozen=True)
class LocatedModel:
    """A model reference of a song, found on this disk.

    Attributes:
        reference: The song's value of `model`: `default`, `org/name@<40 hex>`, `./folder`.
        folder: The diffusers folder.
        profile: The checkpoint's own profile, a built-in one, or one derived from its configuration.
        digest: Identity of the checkpoint for keys.
        derived: Whether the profile is guessed from the configuration, which the user should know.
    """

    reference: str
    folder: Path
    profile: ModelProfile
    digest: str
    derived: bool = False


@cache
def _adapter() -> TypeAdapter[ModelProfile]:
    return TypeAdapter(ModelProfile)


def profile_faults(profile: ModelProfile) -> list[str]:
    """Returns the impossible values of a profile whose fields have the right types."""
    rising = [song for song, _ in profile.strength_map]
    checks = {
        "image_width must be a multiple of width_step, from it to max_width": profile.width_step >= 1
        and profile.image_width % profile.width_step == 0
        and profile.width_step <= profile.image_width <= profile.max_width <= 65536,
        "width_step must be a multiple of latent_scale": profile.latent_scale >= 1
        and profile.width_step % profile.latent_scale == 0,
        "latent_scale must be a multiple of pixel_unshuffle": profile.pixel_unshuffle >= 1
        and profile.latent_scale % profile.pixel_unshuffle == 0,
        "image_channels must be 1, 2 or 3": profile.image_channels in (1, 2, 3),
        "a stereo spectrogram needs 2 or 3 image_channels": not profile.spectrogram.stereo
        or profile.image_channels > 1,
        "the spectrogram's sizes must be positive": min(
            profile.spectrogram.num_frequencies,
            profile.spectrogram.sample_rate,
            profile.spectrogram.hop_length,
            profile.spectrogram.win_length,
            profile.spectrogram.n_fft,
        )
        >= 1,
        "num_frequencies must be a multiple of latent_scale": profile.spectrogram.num_frequencies
        % max(profile.latent_scale, 1)
        == 0,
        "scheduler must be one of schedulers": profile.scheduler in profile.schedulers,
        "num_inference_steps must be 1 to 1000": 1 <= profile.num_inference_steps <= 1000,
        "detail_guidance must be 0 to 1": 0 <= profile.detail_guidance <= 1,
        "strength must be 0 to 1": 0 <= profile.strength <= 1,
        "strength_map must rise, both values within 0 to 1": rising == sorted(set(rising))
        and all(0 <= value <= 1 for pair in profile.strength_map for value in pair)
        and list(profile.strength_map) == sorted(profile.strength_map, key=lambda pair: pair[1]),
        "text_length must be 3 to 4096": 3 <= profile.text_length <= 4096,
        "files must be relative paths inside the folder": all(
            not Path(name).is_absolute() and ".." not in Path(name).parts for name in profile.files
        ),
    }
    return [fault for fault, holds in checks.items() if not holds]


def parse_profile(text: str, source: str) -> ModelProfile:
    """Reads a profile from JSON text.

    Raises:
        ModelError: The text is not JSON, has a newer format, an unknown or wrong field, or impossible values.
    """
    try:
        content = json.loads(text)
        if not isinstance(content, dict):
            raise ValueError("it must hold one JSON object")
        version = content.pop("format", FORMAT)
        if version != FORMAT:
            raise ModelError(f"{source}: profile format {version!r} is not known here; upgrade riffcomposer")
        profile = _adapter().validate_python(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ModelError(f"{source}: {where}: {first['msg']}") from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{source}: not a model profile ({error})") from error
    if faults := profile_faults(profile):
        raise ModelError(f"{source}: {faults[0]}")
    return profile


def read_profile(path: Path) -> ModelProfile:
    """Reads `riffcomposer.json`, given the file or its folder.

    Raises:
        ModelError: The file cannot be read, or `parse_profile` refuses it.
    """
    file = path / FILE_NAME if path.is_dir() else path
    try:
        if file.stat().st_size > 1 << 20:
            raise ModelError(f"{file}: larger than 1 MiB, so not a model profile")
        return parse_profile(file.read_text(encoding="utf-8"), str(file))
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{file}: cannot be read ({error})") from error


def profile_json(profile: ModelProfile) -> str:
    """Returns the profile as the text of a `riffcomposer.json`."""
    return json.dumps({"format": FORMAT, **asdict(profile)}, indent=2, ensure_ascii=False) + "\n"


def write_profile(path: Path, profile: ModelProfile) -> None:
    """Writes `riffcomposer.json`, given the file or its folder.

    Raises:
        StoreError: The file cannot be written.
    """
    files.write_text(path / FILE_NAME if path.is_dir() else path, profile_json(profile))


_DECIDES_SAMPLES = (
    "spectrogram",
    "image_channels",
    "network_input",
    "pixel_unshuffle",
    "latent_scale",
    "prediction",
    "guidance_embedding",
    "text_length",
    "strength_map",
)
_DECIDE_IF_STATED = ("detail_guidance", "init_conditioning", "caption_spectrum")
"""Fields that came later: they count where they are not the default, so that older digests stay."""


def digest_of(profile: ModelProfile, file_digests: dict[str, str]) -> str:
    """Returns a digest of a checkpoint's files and of those fields of its profile that decide samples.

    Defaults, limits, licence and evaluation figures are left out, so that clips survive their changes.
    """
    fields = asdict(profile)
    usual = {each.name: each.default for each in dataclass_fields(profile)}
    deciding = [*_DECIDES_SAMPLES, *(name for name in _DECIDE_IF_STATED if fields[name] != usual[name])]
    content = {"files": file_digests, "profile": {name: fields[name] for name in deciding}}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
