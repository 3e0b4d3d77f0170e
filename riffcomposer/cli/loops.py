"""`riffcompose loops`: lists the loops and masks that ship, and writes a loop as a sound file."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from riffcomposer.cli.console import plain, print_json, stdout
from riffcomposer.errors import UsageError

if TYPE_CHECKING:
    from riffcomposer.loops.catalogue import Catalogue, Loop

PEAK = 0.98
_WRAP_FRAMES = 64

StyleOption = Annotated[
    str | None, typer.Option("--style", help="List only loops of this style; a part of its name is enough.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _entry(clip: Loop) -> dict[str, Any]:
    return {
        "name": clip.name,
        "style": clip.style,
        "description": clip.description,
        "tempo": float(clip.tempo),
        "bars": clip.bars,
        "meter": clip.meter,
        "key": clip.key,
        "tags": list(clip.tags),
        "path": str(clip.path),
        "sha256": clip.sha256,
    }


def _chosen(catalogue: Catalogue, style: str | None) -> list[Loop]:
    """Returns the loops of a style; hyphens and case are ignored.

    Raises:
        UsageError: No loop has the style; the message lists the styles.
    """
    if style is None:
        return list(catalogue.clips.values())

    def bare(text: str) -> str:
        return "".join(filter(str.isalnum, text.lower()))

    found = [clip for clip in catalogue.clips.values() if bare(style) in bare(clip.style)]
    if not bare(style) or not found:
        known = ", ".join(dict.fromkeys(clip.style for clip in catalogue.clips.values()))
        raise UsageError(f"no loop has the style {style!r}; the styles are {known}")
    return found


def list_loops(style: StyleOption = None, json: JsonOption = False) -> None:
    """List the loops and masks."""
    from riffcomposer.loops.catalogue import catalogue

    known = catalogue()
    clips = _chosen(known, style)
    masks = list(known.masks.values()) if style is None else []
    if json:
        print_json(
            {
                "clips": [_entry(clip) for clip in clips],
                "masks": [
                    {"name": m.name, "description": m.description, "path": str(m.path), "sha256": m.sha256}
                    for m in masks
                ],
            }
        )
        return
    width = max(map(len, [*(clip.name for clip in clips), *(mask.name for mask in masks)]))
    out = stdout()
    heading = ""
    for clip in clips:
        if clip.style != heading:
            heading = clip.style
            out.print(f"[bold]{plain(heading)}[/]")
        key = f" ({plain(clip.key)})" if clip.key else ""
        out.print(f"  {plain(clip.name):{width}}  {plain(clip.description)}{key}")
    if masks:
        out.print("[bold]masks[/] (white is rendered anew, black is kept)")
        for mask in masks:
            out.print(f"  {plain(mask.name):{width}}  {plain(mask.description)}")
    tempi = sorted({f"{float(clip.tempo):g}" for clip in clips})
    out.print(
        f"{len(clips)} clips at {', '.join(tempi)} BPM. In a song: [bold]init: {plain(clips[0].name)}[/]"
    )


def write_loop(
    name: Annotated[str, typer.Argument(help="Name of a loop, as `riffcompose loops` lists it.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="The file to write: .wav, .flac, .mp3 or .ogg. Default: NAME.wav."),
    ] = None,
    preset: Annotated[str, typer.Option("--preset", help="Decoder: fast, default or best.")] = "default",
    repeat: Annotated[int, typer.Option("--repeat", min=1, max=256, help="How often to play the loop.")] = 1,
) -> None:
    """Write a loop as a sound file that repeats without a gap."""
    from riffcomposer.loops.catalogue import catalogue

    clips = catalogue().clips
    if name not in clips:
        near = get_close_matches(name, clips, n=3, cutoff=0.5)
        hint = f"; did you mean {' or '.join(near)}?" if near else "; `riffcompose loops` lists them"
        raise UsageError(f"there is no loop {name!r}{hint}")
    clip = clips[name]
    path = out or Path(f"{name}.wav")

    import numpy as np
    import torch

    from riffcomposer.mix.blocks import ArrayReader
    from riffcomposer.mix.encoding import format_of
    from riffcomposer.mix.output import write_part
    from riffcomposer.mix.tags import Tags
    from riffcomposer.spectrogram.decoder import Decoder
    from riffcomposer.spectrogram.image import read_image
    from riffcomposer.spectrogram.mel import mel_from_levels

    format_of(path)
    level, params, _ = read_image(clip.path)
    frames = level.shape[2]
    # The loop is decoded with its end before it and its start after it, so that its ends join.
    around = torch.cat([level[:, :, -_WRAP_FRAMES:], level, level[:, :, :_WRAP_FRAMES]], dim=2)
    audio = Decoder(params, preset).decode(mel_from_levels(around, params)).numpy()
    hop = params.hop_length
    once = _closed(audio, _WRAP_FRAMES * hop, frames * hop)
    peak = float(np.abs(once).max())
    once = once * np.float32(min(1.0, PEAK / peak)) if peak > 0 else once
    looped = np.tile(once, (1, repeat))
    tags = Tags(title=clip.name, comment=f"{clip.description}. {float(clip.tempo):g} BPM, {clip.bars} bars")
    write_part(path, ArrayReader(looped), params.sample_rate, tags, loop=True)
    stdout().print(f"{plain(path)}: {looped.shape[1] / params.sample_rate:.2f} s, {plain(clip.description)}")


def _closed(audio: Any, start: int, length: int) -> Any:
    """Cuts the loop out of its decoded surroundings, and fades its end into the sound before its start."""
    import numpy as np

    fade = start // 8
    once = audio[:, start : start + length].copy()
    ramp = np.sin(np.linspace(0, np.pi / 2, fade, dtype=np.float32)) ** 2
    once[:, -fade:] = once[:, -fade:] * (1 - ramp) + audio[:, start - fade : start] * ramp
    return once


def register(app: typer.Typer) -> None:
    """Adds `loops`, which lists, and its commands; `seeds` is an alias."""
    loops = typer.Typer(help="List the loops and masks, or write a loop as a sound file.")

    @loops.callback(invoke_without_command=True)
    def loops_command(context: typer.Context, style: StyleOption = None, json: JsonOption = False) -> None:
        if context.invoked_subcommand is None:
            list_loops(style, json)

    loops.command("list")(list_loops)
    loops.command("write")(write_loop)
    app.add_typer(loops, name="loops")
    app.add_typer(loops, name="seeds", hidden=True)
