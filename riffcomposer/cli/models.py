"""`riffcompose models`: lists, fetches, checks and converts checkpoints."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from riffcomposer.cli.console import plain, print_json, print_warning, stderr, stdout
from riffcomposer.errors import ModelError
from riffcomposer.text import size

if TYPE_CHECKING:
    from riffcomposer.checkpoints.profile import LocatedModel

_DERIVED = "it has no riffcomposer.json; its profile is a guess from its configuration"
_REFERENCE = "default, a folder, or org/name@<40 hex digits of a commit>."


def _say(line: str) -> None:
    stderr().print(plain(line))


def _locally_known() -> Iterator[str]:
    """Returns the references of the models on this machine."""
    from riffcomposer.checkpoints.locate import hub_cache, models_folder

    yield "default"
    seen = set()
    for folder in sorted(models_folder().glob("*--*/*")):
        seen.add(f"{folder.parent.name.replace('--', '/', 1)}@{folder.name}")
    for folder in sorted(hub_cache().glob("models--*--*/snapshots/*")):
        repository = folder.parent.parent.name.removeprefix("models--").replace("--", "/", 1)
        if (folder / "model_index.json").exists():
            seen.add(f"{repository}@{folder.name}")
    yield from sorted(seen)


def _summary(located: LocatedModel) -> dict[str, Any]:
    profile = located.profile
    return {
        "reference": located.reference,
        "name": profile.name,
        "folder": str(located.folder),
        "digest": located.digest,
        "derived": located.derived,
        "licence": profile.licence,
    }


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def list_models(json: bool = typer.Option(False, "--json", help="Print JSON.")) -> None:
    """List the models on this machine."""
    from riffcomposer.checkpoints.locate import locate_model

    found, broken = [], []
    for reference in _locally_known():
        try:
            located = locate_model(reference)
            found.append({**_summary(located), "bytes": _bytes(located.folder)})
        except ModelError as error:
            broken.append({"reference": reference, "error": str(error)})
    if json:
        print_json({"models": found, "unusable": broken})
        return
    for model in found:
        taken = size(model["bytes"])
        stdout().print(
            f"{plain(model['reference'])}  {plain(model['name'])}  {taken}  {plain(model['licence'])}"
        )
    for model in broken:
        print_warning(f"{model['reference']} cannot be used: {model['error']}")


def fetch(
    reference: str = typer.Argument(help="org/name, or org/name@<branch or commit>."),
    json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Fetch a model from the Hugging Face hub and print the pinned name for a song."""
    from riffcomposer.diffusion.fetch import fetch_model

    located = fetch_model(reference, say=_say)
    if located.derived:
        print_warning(f"{located.reference}: {_DERIVED}")
    if json:
        print_json(_summary(located))
    else:
        stdout().print(f"model: {plain(located.reference)}")


def verify(
    reference: str = typer.Argument("default", help=_REFERENCE),
    load: bool = typer.Option(
        False, "--load", help="Also load the model, and show how much memory it takes."
    ),
    json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Check a model's parts, shapes and hashes."""
    from riffcomposer.checkpoints.locate import locate_model
    from riffcomposer.checkpoints.verify import verify_model

    located = locate_model(reference)
    verify_model(located)
    result = {**_summary(located), "hashes_checked": len(located.profile.files)}
    if load:
        from riffcomposer.diffusion.loading import load_checkpoint

        checkpoint = load_checkpoint(located, device="cpu", hashes=False)
        result |= {"parameters": checkpoint.parameters, "memory_bytes": checkpoint.memory_bytes}
    if json:
        print_json(result)
        return
    hashes = (
        f"{result['hashes_checked']} files match their hashes"
        if located.profile.files
        else "no hashes listed"
    )
    stdout().print(f"{plain(reference)}: fine ({hashes})")
    if load:
        millions, memory = result["parameters"] / 1e6, size(result["memory_bytes"])
        stdout().print(f"{millions:.1f} M parameters, {memory} in memory")


def info(
    reference: str = typer.Argument("default", help=_REFERENCE),
    json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Show a model's profile: format, defaults, schedulers, licence, training data, evaluation."""
    from riffcomposer.checkpoints.locate import locate_model

    located = locate_model(reference)
    if located.derived:
        print_warning(f"{reference}: {_DERIVED}")
    profile = asdict(located.profile)
    if json:
        print_json({**_summary(located), "profile": profile})
        return
    for name, value in {**_summary(located), **profile}.items():
        shown = f"{len(value)} with hashes" if name == "files" else value
        stdout().print(f"{name.replace('_', ' ')}: {plain(shown)}")


def convert(
    source: Path = typer.Argument(help="A diffusers folder, or a single .ckpt or .safetensors file."),
    target: Path = typer.Argument(help="The folder to write."),
    base: Path = typer.Option(
        None, "--base", help="For a single file: a diffusers folder of the same shape, for its configuration."
    ),
    json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Convert a model with pickled weights to a folder that a render can use."""
    from riffcomposer.diffusion.convert import convert_folder, convert_single_file

    if source.is_dir():
        located = convert_folder(source, target, say=_say)
    elif not source.is_file():
        raise ModelError(f"{source}: there is no such folder or file")
    elif base is None:
        raise ModelError(f"{source}: a single file needs --base, a diffusers folder of the same shape")
    else:
        located = convert_single_file(source, target, base, say=_say)
    if located.derived:
        print_warning(f"{target}: {_DERIVED}; edit the riffcomposer.json that was written there")
    if json:
        print_json(_summary(located))
    else:
        stdout().print(f"model: {plain(target)}")


def register(app: typer.Typer) -> None:
    """Adds `models` and its commands."""
    models = typer.Typer(name="models", help="List, fetch, check and convert models.", no_args_is_help=True)
    models.command("list")(list_models)
    models.command("fetch")(fetch)
    models.command("verify")(verify)
    models.command("info")(info)
    models.command("convert")(convert)
    app.add_typer(models)
