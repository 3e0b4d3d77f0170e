"""The report as a page: one file beside the track, which a browser opens without a server.

It holds the player, the sections, the joins, the loudness, the picture and the song's text. The sound itself
is the track's file beside it. Everything that comes from a song is escaped, and the page's own policy lets no
script run but the one that is written here.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import quote

from riffcomposer.text import clock

_FOLDER = Path(__file__).parent
_PLAYED_FIRST = ("mp3", "ogg", "flac", "wav")
"""Formats by size: the smallest one is played."""


def page(title: str, body: Sequence[str]) -> str:
    """Returns a page of HTML.

    Args:
        title: Plain text.
        body: Pieces of HTML.
    """
    style, script = ((_FOLDER / f"report_page.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    return Template((_FOLDER / "report_page.html").read_text(encoding="utf-8")).substitute(
        title=escape(title),
        style=style,
        script=script,
        style_digest=_digest(style),
        script_digest=_digest(script),
        body="\n".join(body),
    )


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def report_page(report: Mapping[str, Any], sample_rate: int, text: str, picture: Path) -> str:
    """Returns the page of a finished track.

    Args:
        report: Content of its `report.json`.
        sample_rate: Of its positions, in Hz.
        text: The song's text as it was rendered; may be empty.
        picture: Its timeline, a PNG.
    """
    encoded = base64.b64encode(picture.read_bytes()).decode()
    files = sorted(
        (str(output["file"]) for output in report["outputs"]),
        key=lambda name: _PLAYED_FIRST.index(name.rpartition(".")[2]),
    )
    first = report["outputs"][0]
    body = [
        f'<p class="quiet">{clock(report["seconds"])}, {_figure(first["integrated_lufs"], "LUFS")}, '
        "true peak "
        f"{_figure(first['true_peak_dbtp'], 'dBTP')}, {report['repetition']['distinct']} different clips. "
        f"{escape(report['movement']['verdict'])}.</p>",
        player(files[0]),
        _strip(report, sample_rate),
        f'<img alt="Waveform and spectrogram of the track" src="data:image/png;base64,{encoded}">',
        *_joins(report, sample_rate),
        *_loudness(report),
    ]
    if report["misses"]:
        missed = ", ".join(
            f"{escape(miss['file'])}: {miss['figure']} {miss['got']} instead of {miss['wanted']}"
            for miss in report["misses"]
        )
        body.append(f"<p>Missed: {missed}</p>")
    if text:
        body += ["<h2>The song's text</h2>", f"<pre>{escape(text)}</pre>"]
    return page(str(report["title"]), body)


def player(file: str) -> str:
    """A player of a file beside the page."""
    return f'<audio controls preload="metadata" src="{escape(quote(file))}"></audio>'


def _figure(value: float | None, unit: str) -> str:
    return f"no {unit}" if value is None else f"{value:.2f} {unit}"


def _seek(sample: int, rate: int, words: str, before_s: float = 0.0) -> str:
    at = max(0.0, sample / rate - before_s)
    return f'<button type="button" data-at="{at:.3f}">{clock(sample / rate)} {escape(words)}</button>'


def _strip(report: Mapping[str, Any], rate: int) -> str:
    starts = [section["start_sample"] for section in report["sections"]]
    ends = [*starts[1:], report["samples"]]
    parts = [
        f'<button type="button" data-at="{start / rate:.3f}" data-grow="{end - start}">'
        f"{escape(section['name'])}</button>"
        for section, start, end in zip(report["sections"], starts, ends, strict=True)
    ]
    bar = f'<progress max="{report["seconds"]:.3f}" value="0" aria-label="Position"></progress>'
    return f'<div class="strip">{"".join(parts)}{bar}</div>'


def _joins(report: Mapping[str, Any], rate: int) -> list[str]:
    joins = [
        _seek(join["start_sample"], rate, _figure(join["level_step_db"], "dB"), 1.0)
        for join in report["joins"]["each"]
    ]
    borders = [
        _seek(each["start_sample"], rate, _figure(each["level_step_db"], "dB"), 1.0)
        for each in report["transitions"]
    ]
    parts = []
    for title, buttons in (("Joins, and the step of level in each", joins), ("Cuts and crossfades", borders)):
        if buttons:
            parts += [f"<h2>{title}</h2>", f'<div class="row">{"".join(buttons)}</div>']
    return parts


def _loudness(report: Mapping[str, Any]) -> list[str]:
    rows = [
        f"<tr><td>{escape(str(name))}</td><td>{_figure(each['integrated_lufs'], 'LUFS')}</td></tr>"
        for name, each in [
            *((section["name"], section) for section in report["sections"]),
            *((output["file"], output) for output in report["outputs"]),
        ]
    ]
    return ["<h2>Loudness of each section and file</h2>", f"<table><tbody>{''.join(rows)}</tbody></table>"]
