"""`riffcompose render`: renders songs into finished tracks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from riffcomposer.cli.console import plain, print_error, print_json, print_line, print_warning, stdout
from riffcomposer.cli.engine_options import (
    Address,
    Backend,
    CpusPerWorker,
    Engine,
    EngineOptions,
    Workers,
    engine_source,
    rendering_device,
)
from riffcomposer.cli.plan import Allow, DiskLimit, JobsLimit, MemoryLimit, MinutesLimit, limits
from riffcomposer.cli.store_option import StoreFolder, chosen_store
from riffcomposer.errors import Cancelled, RiffcomposerError, UsageError
from riffcomposer.media.kinds import AUDIO_FORMATS
from riffcomposer.text import clock

if TYPE_CHECKING:
    from riffcomposer.render.album import AlbumEntry
    from riffcomposer.render.prepare import PreparedSong
    from riffcomposer.render.session import Session
    from riffcomposer.render.settings import RenderSettings
    from riffcomposer.render.track import Track


def _formats(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    chosen = tuple(dict.fromkeys(part.strip().lower() for part in text.split(",") if part.strip()))
    wrong = [part for part in chosen if part not in AUDIO_FORMATS]
    if wrong or not chosen:
        raise UsageError(
            f"--formats {text}: give one or more of {', '.join(AUDIO_FORMATS)}, separated by commas"
        )
    return chosen


def _figure(value: float | None, unit: str) -> str:
    return f"{value:.1f} {unit}" if value is not None else f"no {unit}"


def _tempo(tempo: dict[str, Any]) -> str:
    if tempo["measured_bpm"] is None:
        return f"{tempo['declared_bpm']:g} BPM (no onsets to measure)"
    return f"{tempo['measured_bpm']:.2f} BPM measured ({tempo['deviation_percent']:+.2f} %)"


def _joins(joins: dict[str, Any]) -> str:
    if not joins["count"]:
        return "no joins"
    return f"{joins['count']} joins, the worst steps by {joins['level_step_db_worst']:+.2f} dB"


def _summary_lines(track: Track) -> list[str]:
    """Yields the lines to print at the end of a render."""
    from riffcomposer.mix.movement_report import movement_line

    result, report = track.result, track.report
    lines = [f"{path}" for path in track.files]
    if result.others:
        lines.append("with " + ", ".join(path.name for path in result.others))
    first = report["outputs"][0]
    lines.append(
        f"{clock(result.seconds)}, {_figure(first['integrated_lufs'], 'LUFS')}, "
        f"true peak {_figure(first['true_peak_dbtp'], 'dBTP')}, {_tempo(report['tempo'])}"
    )
    lines.append(_joins(report["joins"]))
    lines.append(movement_line(report["movement"]))
    work = (
        f"{len(result.rendered)} clips rendered, {len(result.cached)} from the store, "
        f"{result.decoded[0]} of {result.decoded[1]} passages decoded"
        if result.mastered
        else f"up to date: all {len(result.cached)} clips and all files exist"
    )
    total = result.stage_seconds.get("total", 0.0)
    parts = ", ".join(
        f"{stage} {seconds:.1f}"
        for stage, seconds in result.stage_seconds.items()
        if stage != "total" and seconds >= 0.05
    )
    lines.append(
        f"{work}; {total:.1f} s, {result.realtime_factor:.1f}x real time" + (f" ({parts})" if parts else "")
    )
    return lines


def _misses(report: dict[str, Any]) -> list[str]:
    """Yields a warning for each file whose loudness or true peak is not what the song asks for."""
    if all(output["integrated_lufs"] is None for output in report["outputs"]):
        return ["the track is silent"]
    said = []
    for miss in report["misses"]:
        file, wanted, got = miss["file"], miss["wanted"], miss["got"]
        if miss["figure"] == "true_peak_dbtp":
            said.append(
                f"{file}: the true peak is {got:.2f} dBTP, above {wanted:g}: the encoder lifts it; lower "
                "master.true_peak_dbtp"
            )
        elif got is None:
            said.append(f"{file}: is silent")
        else:
            said.append(
                f"{file}: the loudness is {got:.1f} LUFS, not {wanted:g}: the peaks leave no room under the "
                "ceiling; lower master.integrated_lufs or add a compressor to master.chain"
            )
    return said


def _as_json(track: Track) -> dict[str, Any]:
    result = track.result
    return {
        "title": track.title,
        "files": [str(path) for path in track.files],
        "others": [str(path) for path in result.others],
        "seconds": result.seconds,
        "clips_rendered": len(result.rendered),
        "clips_cached": len(result.cached),
        "passages_decoded": result.decoded[0],
        "passages": result.decoded[1],
        "mastered": result.mastered,
        "realtime_factor": result.realtime_factor,
        "stage_seconds": result.stage_seconds,
        "warnings": list(track.warnings),
        "report": track.report,
    }


def _check_names(paths: list[Path], settings: RenderSettings) -> None:
    """Refuses songs whose outputs have the same names, before anything is rendered.

    Only paths are compared; faults of a song are reported when it is rendered.
    """
    from riffcomposer.render.output_names import TrackFiles, check_names, output_name

    names = [(settings.out or path.parent / "renders", output_name(path, settings), path) for path in paths]
    check_names([TrackFiles(folder, name, (), False, path) for folder, name, path in names])


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command()
    def render(
        songs: Annotated[list[Path], typer.Argument(metavar="SONG...", help="Song files (YAML).")],
        out: Annotated[
            Path | None,
            typer.Option(
                "--out", "-o", metavar="DIR", help="Folder for the files. Default: renders/ beside the song."
            ),
        ] = None,
        formats: Annotated[
            str | None,
            typer.Option(metavar="LIST", help="wav, flac, mp3, ogg, separated by commas."),
        ] = None,
        only: Annotated[str | None, typer.Option(metavar="SECTION", help="Render only this section.")] = None,
        draft: Annotated[
            bool,
            typer.Option("--draft", help="Same seeds and grid, few steps, fast decoder; writes NAME.draft.*"),
        ] = False,
        stems: Annotated[
            bool,
            typer.Option("--stems", help="Also write each section, and its share of the dry mix, as files."),
        ] = False,
        locked: Annotated[
            bool, typer.Option("--locked", help="Fail if the song's lock file would change.")
        ] = False,
        offline: Annotated[
            bool, typer.Option("--offline", help="Use no network; a render never fetches models in any case.")
        ] = False,
        device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
        engine: Engine = "inproc",
        workers: Workers = "auto",
        address: Address = None,
        backend: Backend = None,
        cpus_per_worker: CpusPerWorker = None,
        store: StoreFolder = None,
        force: Annotated[
            bool, typer.Option("--force", help="Render everything again, even what the store has.")
        ] = False,
        jobs_limit: JobsLimit = None,
        minutes_limit: MinutesLimit = None,
        disk_limit: DiskLimit = None,
        memory_limit: MemoryLimit = None,
        allow: Allow = None,
        progress_style: Annotated[
            str,
            typer.Option("--progress", metavar="STYLE", help="auto, live, plain, json or none; on stderr."),
        ] = "auto",
        as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")] = False,
    ) -> None:
        """Render songs into finished tracks; what is already rendered is used again.

        Of several songs, the clips of all are rendered first, those that they share once.
        """
        from riffcomposer.cli.progress import STYLES, progress
        from riffcomposer.render.session import Session
        from riffcomposer.render.settings import RenderSettings
        from riffcomposer.render.stopping import StopFlag, stop_on_signals

        if progress_style not in STYLES:
            raise UsageError(f"--progress {progress_style}: give one of {', '.join(STYLES)}")
        settings = RenderSettings(
            out=out,
            formats=_formats(formats),
            only=only,
            draft=draft,
            stems=stems,
            locked=locked,
            force=force,
        )
        source = engine_source(EngineOptions(engine, workers, address, backend, cpus_per_worker))
        if offline:
            os.environ["HF_HUB_OFFLINE"] = "1"
        if len(songs) > 1:
            _check_names(songs, settings)
        with (
            stop_on_signals(StopFlag()) as stop,
            Session(
                store=chosen_store(store),
                device=rendering_device(device, backend),
                limits=limits(jobs_limit, minutes_limit, disk_limit, memory_limit),
                allowed_folders=tuple(allow or ()),
                stop=stop,
                engines=source,
            ) as session,
        ):
            if len(songs) == 1:
                prepared = _planned(session, songs[0], settings)
                with progress(progress_style) as session.observer:
                    track = session.render(prepared, settings)
                _show([track], as_json=as_json)
                if as_json:
                    print_json(_as_json(track))
                return
            failed = _render_album(session, songs, settings, progress_style, as_json=as_json)
        if failed:
            raise typer.Exit(max(error.exit_code for error in failed))


def _planned(session: Session, path: Path, settings: RenderSettings) -> PreparedSong:
    """Plans a song and prints its warnings."""
    prepared = session.plan(path, settings)
    for warning in prepared.warnings:
        _print_diagnostic(warning)
    return prepared


def _render_album(
    session: Session, songs: list[Path], settings: RenderSettings, progress_style: str, *, as_json: bool
) -> list[RiffcomposerError]:
    """Renders several songs and prints what became of them. Returns the errors of those that failed."""
    from riffcomposer.cli.progress import progress

    failed: list[RiffcomposerError] = []

    def refuse(error: RiffcomposerError) -> None:
        print_error(error)
        failed.append(error)

    def finished(entry: AlbumEntry) -> None:
        if entry.error is not None:
            refuse(entry.error)

    prepared: list[PreparedSong] = []
    for path in songs:
        try:
            prepared.append(_planned(session, path, settings))
        except Cancelled:
            raise
        except RiffcomposerError as error:
            refuse(error)
    with progress(progress_style) as session.observer:
        entries = session.render_album(prepared, settings, finished)
    tracks = [entry.track for entry in entries if entry.track is not None]
    _show(tracks, as_json=as_json)
    if as_json:
        print_json([_as_json(track) for track in tracks])
    else:
        rendered = sum(len(track.result.rendered) for track in tracks)
        print_line(
            f"{len(tracks)} of {len(songs)} songs finished, {rendered} clips rendered"
            + (f"; {len(failed)} failed" if failed else "")
        )
    return failed


def _show(tracks: list[Track], *, as_json: bool) -> None:
    """Prints warnings about tracks, and their summaries unless the result is printed as JSON."""
    for track in tracks:
        for sentence in (*track.warnings, *_misses(track.report)):
            print_warning(sentence)
        if not as_json:
            for line in _summary_lines(track):
                stdout().print(plain(line))


def _print_diagnostic(diagnostic: Any) -> None:
    from riffcomposer.cli.console import stderr
    from riffcomposer.diagnostics import format_text

    stderr().print(plain(format_text([diagnostic])))
