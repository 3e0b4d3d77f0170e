"""`riffcompose clip`: converts audio to spectrogram images and back, and describes such files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from riffcomposer.cli.console import plain, print_json, print_warning, stdout
from riffcomposer.errors import UsageError
from riffcomposer.media.kinds import AUDIO_FORMATS, AUDIO_SUFFIXES, IMAGE_SUFFIXES, kind_of
from riffcomposer.spectrogram_parameters import SpectrogramParameters
from riffcomposer.units import Length, round_half_up

if TYPE_CHECKING:
    import torch

    from riffcomposer.media.sound import SoundPart

"""Suffixes of the files that `clip to-audio` writes."""


def register(app: typer.Typer) -> None:
    """Adds `clip to-image`, `clip to-audio` and `clip info` to the app."""
    clip = typer.Typer(help="Converts audio to spectrogram images and back.", no_args_is_help=True)
    clip.command("to-image")(to_image)
    clip.command("to-audio")(to_audio)
    clip.command("info")(info)
    app.add_typer(clip, name="clip")


def _inputs(paths: Iterable[Path], suffixes: tuple[str, ...]) -> list[Path]:
    """Returns the given files, and those with a suitable suffix in the given folders, in order.

    Raises:
        UsageError: A folder has no such file, or two results would have one name.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(entry for entry in path.iterdir() if entry.suffix.lower() in suffixes)
            if not inside:
                raise UsageError(
                    f"{path}: no files here that end in {', '.join(suffixes)}; "
                    f"to write into this folder, say --out {path}"
                )
            found += inside
        else:
            found.append(path)
    stems: dict[str, Path] = {}
    for path in found:
        first = stems.setdefault(path.stem.casefold(), path)
        if first is not path:
            raise UsageError(f"{first} and {path} would be written under one name; convert them one by one")
    return found


def _output_file(
    paths: list[Path], out: Path | None, outputs: tuple[str, ...], inputs: tuple[str, ...]
) -> tuple[list[Path], Path | None]:
    """Returns the inputs, and the file to write if the command names one: `IN OUT`, or `IN --out OUT`.

    Args:
        paths: The command's arguments.
        out: The command's `--out`: a folder, or the file if it has a suffix of `outputs`.
        outputs: Suffixes of the files that the command writes.
        inputs: Suffixes of the files that the command reads.

    Raises:
        UsageError: The command is ambiguous: an output with several inputs, two outputs, or a last
            argument that is neither input nor output.
    """
    *rest, last = paths
    named = bool(rest) and last.suffix.lower() in outputs and not last.is_dir()
    if not named and rest and not last.exists() and last.suffix.lower() not in inputs:
        raise UsageError(
            f"{last}: there is no such file to read; a file to write ends in {' or '.join(outputs)}, "
            f"and a folder to write to is named by --out {last}"
        )
    by_option = out if out is not None and out.suffix.lower() in outputs and not out.is_dir() else None
    if named and out is not None:
        raise UsageError(f"{last} and --out {out} are two places to write to; name one of them")
    target, sources = (last, rest) if named else (by_option, paths)
    if target is not None and (len(sources) > 1 or sources[0].is_dir()):
        raise UsageError(f"{target} is one file, and there may be several inputs; name a folder by --out")
    return sources, target


def _seconds(text: str | None, option: str) -> Any:
    """Reads exact seconds from `5.12s`, `250ms`, `1min` or a bare number; None for None."""
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
    audio: list[Path] = typer.Argument(
        metavar="SOUND... [OUT.png]",
        help="Sound files, or folders of them; for one sound, also the image to write.",
    ),
    out: Path | None = typer.Option(
        None, "--out", help="Folder for the images, or the image itself (.png). Default: the current folder."
    ),
    start: str = typer.Option("0s", "--start", help="Where in each file to start."),
    duration: str | None = typer.Option(
        None,
        "--duration",
        help="Length of the clips to cut, 5.12s for 512 frames. Default: the whole file.",
    ),
    stereo: bool = typer.Option(
        False, "--stereo", help="Store left and right in the image's colour channels."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print the files written as JSON."),
) -> None:
    """Convert sounds to spectrogram images in Riffusion's format (PNG, parameters in EXIF)."""
    sources, single = _output_file(audio, out, (".png",), AUDIO_SUFFIXES)
    if single is not None and duration is not None:
        raise UsageError(f"--duration cuts into several images, and {single} is one; name a folder by --out")
    import torch

    from riffcomposer.media.sound import read_part
    from riffcomposer.spectrogram.audio_files import usable_audio
    from riffcomposer.spectrogram.image import write_image
    from riffcomposer.spectrogram.mel import levels_from_mel, mel_from_audio

    params = SpectrogramParameters(stereo=stereo)
    begin, length = _seconds(start, "--start"), _seconds(duration, "--duration")
    window = None if length is None else round_half_up(length * params.sample_rate)
    if window is not None and window < params.hop_length:
        raise UsageError(f"--duration {duration} is shorter than a frame ({params.step_size_ms} ms)")
    written = []
    for path in _inputs(sources, AUDIO_SUFFIXES):
        read = read_part(path, start_seconds=float(begin))
        sound = usable_audio(path, read, sample_rate=params.sample_rate, mono=not stereo)
        _warn_of_sound(path, read, mono=not stereo)
        if stereo:
            sound = sound[:2] if len(sound) > 1 else sound.repeat(2, axis=0)
        # A remainder shorter than a clip is left out, as a clip of another length fits no model.
        count = 1 if window is None else max(1, sound.shape[1] // window)
        for number in range(count):
            part = sound if window is None else sound[:, number * window : (number + 1) * window]
            level = levels_from_mel(mel_from_audio(torch.from_numpy(part.copy()), params), params)
            # Whole frames only: 5.12 s are 512 columns, not the 513 that touch it.
            level = level[:, :, : max(1, part.shape[1] // params.hop_length)]
            name = f"{path.stem}{f'-{number:03d}' if window is not None else ''}.png"
            target = single or (out or Path(".")) / name
            write_image(target, level, params)
            written.append({"image": str(target), "source": str(path), "frames": level.shape[2]})
            if not as_json:
                stdout().print(f"{plain(target)}  {level.shape[2]} frames")
    if as_json:
        print_json(written)


def to_audio(
    image: list[Path] = typer.Argument(
        metavar="IMAGE... [OUT.wav]",
        help="Images, or folders of them; for one image, also the sound file to write.",
    ),
    out: Path | None = typer.Option(
        None, "--out", help="Folder for the sounds, or the sound file itself. Default: the current folder."
    ),
    preset: str = typer.Option("default", "--preset", help="Decoder preset: fast, default or best."),
    audio_format: str | None = typer.Option(
        None, "--format", help="wav, flac, ogg or mp3. Default: the suffix of OUT, else wav."
    ),
    seed: int = typer.Option(0, "--seed", help="Seed of the phases that decoding starts from."),
    as_json: bool = typer.Option(False, "--json", help="Print the files written as JSON."),
) -> None:
    """Convert spectrogram images to sound."""
    endings = tuple(f".{name}" for name in AUDIO_FORMATS)
    sources, single = _output_file(image, out, endings, IMAGE_SUFFIXES)
    named = single.suffix.lower().removeprefix(".") if single is not None else None
    if audio_format is not None and audio_format not in AUDIO_FORMATS:
        raise UsageError(f"there is no format {audio_format!r}; choose one of {', '.join(AUDIO_FORMATS)}")
    if audio_format is not None and named not in (None, audio_format):
        raise UsageError(f"--format {audio_format} and {single} contradict each other; name one of them")
    ending = named or audio_format or "wav"
    from riffcomposer.spectrogram.decoder import Decoder
    from riffcomposer.spectrogram.image import read_image
    from riffcomposer.spectrogram.mel import mel_from_levels

    decoders: dict[SpectrogramParameters, Decoder] = {}
    written = []
    for path in _inputs(sources, IMAGE_SUFFIXES):
        level, params, _ = read_image(path)
        if params not in decoders:
            decoders[params] = Decoder(params, preset, seed=seed)
        target = single or (out or Path(".")) / f"{path.stem}.{ending}"
        seconds, peak = _write_audio(target, decoders[params].decode(mel_from_levels(level, params)), params)
        written.append({"audio": str(target), "source": str(path), "seconds": seconds})
        if peak > 1.0:
            print_warning(f"{target}: the sound was turned down so that it does not clip")
        if not as_json:
            stdout().print(f"{plain(target)}  {seconds:.2f} s")
    if as_json:
        print_json(written)


def _write_audio(target: Path, audio: torch.Tensor, params: SpectrogramParameters) -> tuple[float, float]:
    """Writes a clip, turned down if it would clip; returns its length in seconds and its original peak."""
    import soundfile

    from riffcomposer import files
    from riffcomposer.errors import AudioError
    from riffcomposer.mix.encoding import raise_if_full

    peak = float(audio.abs().max())
    samples = (audio if peak <= 1.0 else audio * (0.999 / peak)).T.numpy()
    with files.replacing(target) as temporary:
        try:
            soundfile.write(temporary, samples, params.sample_rate)
        except soundfile.SoundFileError as error:
            raise_if_full(temporary, samples.size * 2, shown=target)
            raise AudioError(f"{target}: cannot be encoded at {params.sample_rate} Hz ({error})") from error
    return audio.shape[1] / params.sample_rate, peak


def _warn_of_sound(path: Path, part: SoundPart, *, mono: bool) -> None:
    from riffcomposer.media.sound_faults import faults_of, measure

    for fault in faults_of(measure(part.samples, part.sample_rate), mono=mono):
        print_warning(f"{path} {fault.message}; {fault.hint}")


def info(
    file: Path = typer.Argument(help="A spectrogram image or a sound file."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Show size and parameters of a spectrogram image, or the content of a sound file."""
    facts = _audio_facts(file) if _is_audio(file) else _image_facts(file)
    if as_json:
        print_json(facts)
        return
    for name, value in facts.items():
        lines = value.items() if isinstance(value, dict) else [(name, value)]
        for label, entry in lines:
            stdout().print(f"{plain(label)}: {plain(entry)}")


def _is_audio(path: Path) -> bool:
    """Whether to read a file as a sound, judged by its bytes, else by its name."""
    try:
        kind = kind_of(path)
    except OSError:
        kind = None
    if kind is None or kind.medium not in ("audio", "image"):
        return path.suffix.lower() in AUDIO_SUFFIXES
    return kind.medium == "audio"


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
    from riffcomposer.media.sound import read_part
    from riffcomposer.media.sound_faults import faults_of, measure

    part = read_part(path)
    facts = measure(part.samples, part.sample_rate)
    channels, samples = part.samples.shape
    return {
        "file": str(path),
        "kind": "audio",
        "coding": part.coding,
        "channels": channels,
        "sample_rate": part.sample_rate,
        "seconds": round(samples / part.sample_rate, 6),
        "peak": round(facts.peak, 6),
        "faults": [fault.message for fault in faults_of(facts, mono=True)],
    }
