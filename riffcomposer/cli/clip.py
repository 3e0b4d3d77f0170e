"""`clip`: audio to spectrogram images and back, and what an image or an audio file holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from riffcomposer.cli.console import plain, print_json, print_warning, stdout
from riffcomposer.errors import RiffcomposerError, UsageError
from riffcomposer.models.spectrogram_parameters import SpectrogramParameters
from riffcomposer.units import Length, round_half_up

if TYPE_CHECKING:
    import torch

AUDIO_SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff", ".opus"})
IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp"})


def register(app: typer.Typer) -> None:
    """Adds `clip to-image`, `clip to-audio` and `clip info` to the app."""
    clip = typer.Typer(help="Audio to spectrogram images and back.", no_args_is_help=True)
    clip.command("to-image")(to_image)
    clip.command("to-audio")(to_audio)
    clip.command("info")(info)
    app.add_typer(clip, name="clip")


def _inputs(paths: Iterable[Path], suffixes: frozenset[str]) -> list[Path]:
    """The files named, and those with a fitting suffix in the folders named, in order."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(entry for entry in path.iterdir() if entry.suffix.lower() in suffixes)
            if not inside:
                raise UsageError(f"{path}: no files here that end in {', '.join(sorted(suffixes))}")
            found += inside
        else:
            found.append(path)
    return found


def _seconds(text: str | None, option: str) -> Any:
    """An exact number of seconds from `5.12s`, `250ms`, `1min` or a bare number; None for None."""
    if text is None:
        return None
    try:
        length = Length.parse(text if not text.replace(".", "", 1).isdigit() else f"{text}s")
    except ValueError:
        length = None
    if length is None or length.unit != "seconds":
        raise UsageError(f"{option} {text!r} is not a time; write for instance 5.12s, 250ms or 1min")
    return length.value


def to_image(
    audio: list[Path] = typer.Argument(help="Audio files, or folders of them."),
    out: Path = typer.Option(Path("."), "--out", help="Folder for the images."),
    start: str = typer.Option("0s", "--start", help="Where in each file to begin."),
    duration: str | None = typer.Option(
        None,
        "--duration",
        help="Cut into clips of this length, 5.12s for 512 frames; whole by default.",
    ),
    stereo: bool = typer.Option(False, "--stereo", help="Left and right in the image's colours."),
    as_json: bool = typer.Option(False, "--json", help="Print the files written as JSON."),
) -> None:
    """Turns audio into spectrogram images in Riffusion's format (PNG, parameters in EXIF)."""
    import torch

    from riffcomposer.spectrogram.audio_files import read_audio
    from riffcomposer.spectrogram.image import write_image
    from riffcomposer.spectrogram.mel import levels_from_mel, mel_from_audio

    params = SpectrogramParameters(stereo=stereo)
    begin, length = _seconds(start, "--start"), _seconds(duration, "--duration")
    window = None if length is None else round_half_up(length * params.sample_rate)
    if window is not None and window < params.hop_length:
        raise UsageError(f"--duration {duration} is shorter than a frame ({params.step_size_ms} ms)")
    written = []
    for path in _inputs(audio, AUDIO_SUFFIXES):
        sound = read_audio(path, start_seconds=float(begin), sample_rate=params.sample_rate, mono=not stereo)
        if stereo:
            sound = sound[:2] if len(sound) > 1 else sound.repeat(2, axis=0)
        # A remainder shorter than a clip is left out, as a clip of another length fits no model.
        count = 1 if window is None else max(1, sound.shape[1] // window)
        for number in range(count):
            part = sound if window is None else sound[:, number * window : (number + 1) * window]
            level = levels_from_mel(mel_from_audio(torch.from_numpy(part.copy()), params), params)
            # Whole frames only: 5.12 s are 512 columns, not the 513 that touch it.
            level = level[:, :, : max(1, part.shape[1] // params.hop_length)]
            target = out / f"{path.stem}{f'-{number:03d}' if window is not None else ''}.png"
            write_image(target, level, params)
            written.append({"image": str(target), "source": str(path), "frames": level.shape[2]})
            if not as_json:
                stdout().print(f"{plain(target)}  {level.shape[2]} frames")
    if as_json:
        print_json(written)


def to_audio(
    image: list[Path] = typer.Argument(help="Spectrogram images, or folders of them."),
    out: Path = typer.Option(Path("."), "--out", help="Folder for the audio files."),
    preset: str = typer.Option("default", "--preset", help="Decoder preset: fast, default or best."),
    audio_format: str = typer.Option("wav", "--format", help="wav, flac, ogg or mp3."),
    seed: int = typer.Option(0, "--seed", help="Decides the phases the sound starts from."),
    as_json: bool = typer.Option(False, "--json", help="Print the files written as JSON."),
) -> None:
    """Turns spectrogram images into audio."""
    from riffcomposer.spectrogram.decoder import Decoder
    from riffcomposer.spectrogram.image import read_image
    from riffcomposer.spectrogram.mel import mel_from_levels

    if audio_format not in ("wav", "flac", "ogg", "mp3"):
        raise UsageError(f"there is no format {audio_format!r}; choose one of wav, flac, ogg, mp3")
    decoders: dict[SpectrogramParameters, Decoder] = {}
    written = []
    for path in _inputs(image, IMAGE_SUFFIXES):
        level, params, _ = read_image(path)
        if params not in decoders:
            decoders[params] = Decoder(params, preset, seed=seed)
        target = out / f"{path.stem}.{audio_format}"
        seconds, peak = _write_audio(target, decoders[params].decode(mel_from_levels(level, params)), params)
        written.append({"audio": str(target), "source": str(path), "seconds": seconds})
        if peak > 1.0:
            print_warning(f"{target}: was turned down, as it would have clipped")
        if not as_json:
            stdout().print(f"{plain(target)}  {seconds:.2f} s")
    if as_json:
        print_json(written)


def _write_audio(target: Path, audio: torch.Tensor, params: SpectrogramParameters) -> tuple[float, float]:
    """Writes a clip, turned down if it would clip; returns its length in seconds and its peak before."""
    import soundfile

    from riffcomposer import files
    from riffcomposer.errors import AudioError

    peak = float(audio.abs().max())
    samples = (audio if peak <= 1.0 else audio * (0.999 / peak)).T.numpy()
    with files.replacing(target) as temporary:
        try:
            soundfile.write(temporary, samples, params.sample_rate)
        except soundfile.SoundFileError as error:
            raise AudioError(f"{target}: cannot be encoded at {params.sample_rate} Hz ({error})") from error
    return audio.shape[1] / params.sample_rate, peak


def info(
    file: Path = typer.Argument(help="A spectrogram image or an audio file."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Says what a spectrogram image (its size, parameters and EXIF) or an audio file holds."""
    facts = _audio_facts(file) if file.suffix.lower() in AUDIO_SUFFIXES else _image_facts(file)
    if as_json:
        print_json(facts)
        return
    for name, value in facts.items():
        lines = value.items() if isinstance(value, dict) else [(name, value)]
        for label, entry in lines:
            stdout().print(f"{plain(label)}: {plain(entry)}")


def _image_facts(path: Path) -> dict[str, Any]:
    from riffcomposer.spectrogram.image import read_image

    level, params, tagged = read_image(path)
    return {
        "file": str(path),
        "kind": "image",
        "frames": level.shape[2],
        "channels": level.shape[0],
        "seconds": round(level.shape[2] * params.hop_length / params.sample_rate, 6),
        "exif": tagged,
        "loudest_level": round(float(level.max()), 4),
        "parameters": asdict(params),
    }


def _audio_facts(path: Path) -> dict[str, Any]:
    import soundfile

    from riffcomposer.spectrogram.audio_files import read_audio

    # Reading it through is what shows that it can be read.
    sound = read_audio(path, sample_rate=SpectrogramParameters().sample_rate)
    try:
        header = soundfile.info(str(path))
    except soundfile.SoundFileError as error:  # it changed between the two
        raise RiffcomposerError(f"{path}: {error}") from error
    return {
        "file": str(path),
        "kind": "audio",
        "format": header.format,
        "subtype": header.subtype,
        "channels": header.channels,
        "sample_rate": header.samplerate,
        "seconds": round(header.frames / header.samplerate, 6),
        "peak": round(float(abs(sound).max()), 6),
    }
