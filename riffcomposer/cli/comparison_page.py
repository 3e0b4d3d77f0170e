"""`riffcompose diff --html`: a page with both versions of a song to listen to, and what changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from riffcomposer.files import write_text

if TYPE_CHECKING:
    from riffcomposer.cli.song_comparison import Comparison
    from riffcomposer.render.track import Track
    from riffcomposer.store.store import Store


def write_comparison(found: Comparison, lines: Sequence[str], target: Path, store: Store) -> list[Path]:
    """Renders both versions, and writes a page with a player for each.

    Clips that the store has are not made again. The recordings that a song starts from are those that are on
    disk now, for both versions.

    Args:
        found: The comparison.
        lines: What changed, in words.
        target: The page; the tracks are in a folder beside it.
        store: The store.

    Returns:
        The page and the two tracks.

    Raises:
        The errors of `Session.render`.
    """
    from riffcomposer.render.output_names import check_folder
    from riffcomposer.render.report_page import page, player
    from riffcomposer.render.session import Session
    from riffcomposer.render.settings import RenderSettings
    from riffcomposer.render.stopping import StopFlag, stop_on_signals

    folder = target.with_name(f"{target.stem}-tracks")
    check_folder(folder, "write the page into another folder")
    tracks: list[Track] = []
    with stop_on_signals(StopFlag()) as stop, Session(store=store, stop=stop) as session:
        for name, version in (("old", found.old), ("new", found.new)):
            # The files of the old version have the song's name of today, so that they know their song.
            song = replace(version.song, path=found.new.song.path)
            settings = RenderSettings(out=folder / name, formats=("mp3",))
            tracks.append(session.render(song, settings, record=False))
    players = [
        f"<div><h2>{escape(version.name)}</h2>{player(track.files[0].relative_to(target.parent).as_posix())}"
        f'<p class="quiet">{track.report["outputs"][0]["integrated_lufs"]} LUFS</p></div>'
        for version, track in zip((found.old, found.new), tracks, strict=True)
    ]
    body = [f'<div class="players">{"".join(players)}</div>', "<h2>What changed</h2>"]
    body.append(f"<pre>{escape(chr(10).join(lines))}</pre>")
    title = f"{tracks[1].title}: {found.old.name} and {found.new.name}"
    write_text(target, page(title, body))
    return [target, *(track.files[0] for track in tracks)]
