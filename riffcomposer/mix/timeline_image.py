"""A picture of a track for a pull request: sections, waveform, mel, joins, in one PNG.

The audio is read once, in blocks, and reduced to a fixed number of columns, whatever its length. The picture
is drawn on matplotlib's Agg canvas, which needs no window system and no global state. The file holds no date.
"""

from __future__ import annotations

import itertools
import os
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from riffcomposer.files import replacing
from riffcomposer.mix.blocks import AudioReader
from riffcomposer.text import clock

COLUMNS = 1800
BANDS = 128
LOWEST_HZ, HIGHEST_HZ = 40.0, 11000.0
WINDOW_SAMPLES = 4096
WINDOWS_PER_COLUMN = 3
COLUMNS_AT_ONCE = 50
BACKGROUND = "#14161c"
INK = "#d8dce6"
FAINT = "#6b7280"
PALETTE = (
    "#7aa2f7",
    "#e0af68",
    "#9ece6a",
    "#f7768e",
    "#bb9af7",
    "#73daca",
    "#ff9e64",
    "#b4c2f0",
)


@dataclass(frozen=True)
class TimelineLayer:
    """A layer of a section: a thin line under the section's band.

    Attributes:
        gate: Where it is heard, as points of absolute sample and gain; empty if it always is.
    """

    name: str
    gate: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class TimelineSection:
    """A band of the picture.

    Attributes:
        note: A second line under the name, for instance its loudness.
        group: Sections of one group (a section and its repeats) share a colour.
        layers: From top to bottom.
    """

    name: str
    start_sample: int
    end_sample: int
    note: str = ""
    group: str = ""
    layers: tuple[TimelineLayer, ...] = ()


@dataclass(frozen=True)
class Overview:
    """A track reduced to columns.

    Attributes:
        low, high: Least and greatest sample of each column, `[columns]`.
        rms: Root mean square of each column, `[columns]`.
        bands: Power in dB on a mel scale, `[BANDS, columns]`.
    """

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    rms: NDArray[np.float64]
    bands: NDArray[np.float64]


def overview(audio: AudioReader, sample_rate: int, columns: int = COLUMNS) -> Overview:
    """Reads a track once and reduces it."""
    columns = max(1, min(columns, audio.samples))
    edges = np.linspace(0, audio.samples, columns + 1).astype(int)
    low, high, rms = np.zeros(columns), np.zeros(columns), np.zeros(columns)
    bands = np.full((BANDS, columns), -120.0)
    window = np.hanning(WINDOW_SAMPLES)
    bank = _bank(sample_rate)
    windows = WINDOWS_PER_COLUMN if edges[1] > 2048 else 1
    for first in range(0, columns, COLUMNS_AT_ONCE):
        group = edges[first : first + COLUMNS_AT_ONCE + 1]
        frames = np.zeros((len(group) - 1, windows, WINDOW_SAMPLES))
        for row, (start, stop) in enumerate(itertools.pairwise(group)):
            # A short column also reads the sound around it for the spectrum, a long one only a few windows.
            reach = max(0, WINDOW_SAMPLES - (stop - start)) // 2 + 1
            before, behind = max(0, start - reach), min(audio.samples, stop + reach)
            sound = audio.read(before, behind)
            own = sound[:, start - before : stop - before]
            low[first + row], high[first + row] = own.min(), own.max()
            rms[first + row] = np.sqrt(np.square(own, dtype=np.float64).mean())
            mid = sound.mean(axis=0, dtype=np.float64)
            places = np.linspace(0, max(0, len(mid) - WINDOW_SAMPLES), windows).astype(int)
            for frame, place in zip(frames[row], places, strict=True):
                part = mid[place : place + WINDOW_SAMPLES]
                frame[: len(part)] = part
        spectra = np.fft.rfft(frames * window, axis=2)
        power = (spectra.real**2 + spectra.imag**2).mean(axis=1) / window.sum() ** 2
        bands[:, first : first + len(power)] = 10 * np.log10(bank @ power.T + 1e-12)
    return Overview(low, high, rms, bands)


def write_timeline(
    path: Path,
    audio: AudioReader,
    sample_rate: int,
    sections: Sequence[TimelineSection],
    joins: Sequence[int] = (),
    *,
    title: str,
    subtitle: str = "",
    loop: bool = False,
    cache_folder: Path | None = None,
) -> None:
    """Draws a track and writes the PNG in one step.

    Args:
        joins: Positions where clips meet, in samples.
        subtitle: Tempo, loudness and true peak, in one line.
        loop: Whether to mark the track as a loop.
        cache_folder: Where matplotlib keeps its list of fonts, if it is not in use yet; by default
            under the user's home.

    Raises:
        DiskFullError, StoreError: The file cannot be written.
    """
    import_matplotlib(cache_folder)
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = overview(audio, sample_rate)
    seconds = audio.samples / sample_rate
    figure = Figure(figsize=(16, 7.2), dpi=110, facecolor=BACKGROUND)
    FigureCanvasAgg(figure)
    rows = max((len(section.layers) for section in sections), default=0)
    bands, lines, wave, mel, ticks = figure.subplots(
        5,
        1,
        sharex=True,
        gridspec_kw={
            "height_ratios": [0.9, max(0.01, min(1.6, 0.24 * rows)), 3, 4.2, 0.3],
            "hspace": 0.05,
            "left": 0.055,
            "right": 0.985,
            "top": 0.885,
            "bottom": 0.075,
        },
    )
    figure.text(0.055, 0.945, _short(title, 90), color=INK, size=19, weight="bold", parse_math=False)
    details = "   ".join(filter(None, [subtitle, clock(seconds), "loop" if loop else ""]))
    figure.text(0.055, 0.908, details, color=FAINT, size=11.5, parse_math=False)
    for axes in (bands, lines, wave, mel, ticks):
        axes.set_facecolor(BACKGROUND)
        axes.tick_params(colors=FAINT, labelsize=9, length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
    colours = _colours(sections)
    _draw_sections(bands, sections, colours, sample_rate, seconds)
    _draw_layers(lines, sections, colours, sample_rate, seconds)
    _draw_wave(wave, columns, sections, colours, sample_rate, seconds)
    _draw_mel(mel, columns, sections, sample_rate, seconds)
    _draw_joins(ticks, joins, sample_rate, seconds)
    with replacing(path) as temporary, warnings.catch_warnings():
        # A name may hold letters that the font lacks: boxes are drawn for them.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.savefig(temporary, format="png", facecolor=BACKGROUND, metadata={"Software": None})


def import_matplotlib(cache_folder: Path | None = None) -> None:
    """Imports what `write_timeline` needs; done early, beside other work, it costs no time of its own.

    Args:
        cache_folder: As for `write_timeline`.
    """
    with _fonts_listed_in(cache_folder):
        import matplotlib.backends.backend_agg
        import matplotlib.figure  # noqa: F401


@contextmanager
def _fonts_listed_in(folder: Path | None) -> Iterator[None]:
    """Makes matplotlib keep its files in `folder` while it is imported, unless `MPLCONFIGDIR` is set."""
    name = "MPLCONFIGDIR"
    if folder is None or name in os.environ:
        yield
        return
    os.environ[name] = str(folder)
    try:
        yield
    finally:
        del os.environ[name]


def _draw_sections(
    axes: Any, sections: Sequence[TimelineSection], colours: Sequence[str], rate: int, seconds: float
) -> None:
    axes.set_xlim(0, seconds)
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    for section, colour in zip(sections, colours, strict=True):
        start, end = section.start_sample / rate, section.end_sample / rate
        axes.axvspan(start, end, 0.06, 0.97, color=colour, alpha=0.9, linewidth=0)
        axes.axvline(start, color=BACKGROUND, linewidth=1.5)
        # About 145 characters of size 11 span the picture; narrow sections get smaller ones.
        room = (end - start) / seconds * 145 - 1
        size = min(11.0, max(7.0, 11 * room / max(1, len(section.name))))
        letters = int(room * 11 / size)
        if letters < 2:
            continue
        line = {"ha": "center", "va": "center", "color": BACKGROUND, "clip_on": True, "parse_math": False}
        middle, both = (start + end) / 2, bool(section.note) and len(section.note) <= room * 11 / 8.5
        name = _short(section.name, letters)
        if name != section.name and not both:
            lines = textwrap.wrap(_short(section.name, 200), letters) or [name]
            name = "\n".join(_short(part, letters) for part in lines[:2])
        axes.text(middle, 0.63 if both else 0.5, name, size=size, weight="bold", **line)
        if both:
            axes.text(middle, 0.3, section.note, size=8.5, **line)


def _draw_layers(
    axes: Any, sections: Sequence[TimelineSection], colours: Sequence[str], rate: int, seconds: float
) -> None:
    """Draws a line for each layer, thin where it is not heard."""
    rows = max((len(section.layers) for section in sections), default=0)
    axes.set_ylim(max(1, rows), 0)
    axes.set_yticks([rows / 2] if rows else [], ["layers"] if rows else [])
    for section, colour in zip(sections, colours, strict=True):
        start, end = section.start_sample / rate, section.end_sample / rate
        letters = int((end - start) / seconds * 175) - 1
        for row, layer in enumerate(section.layers):
            samples, gains = zip(*(layer.gate or ((section.start_sample, 1.0),)), strict=True)
            times = np.unique(np.clip([start, *np.divide(samples, rate), end], start, end))
            half = 0.04 + 0.36 * np.interp(times, np.divide(samples, rate), gains)
            axes.fill_between(
                times, row + 0.5 - half, row + 0.5 + half, color=colour, alpha=0.55, linewidth=0
            )
            if letters >= 3:
                name = _short(layer.name, letters)
                where = {"ha": "left", "va": "center", "clip_on": True, "parse_math": False}
                axes.text(start + 0.003 * seconds, row + 0.52, name, size=7.5, color=INK, **where)


def _draw_wave(
    axes: Any,
    columns: Overview,
    sections: Sequence[TimelineSection],
    colours: Sequence[str],
    rate: int,
    seconds: float,
) -> None:
    count = len(columns.low)
    times = (np.arange(count) + 0.5) * seconds / count
    top = max(1e-3, float(np.abs(columns.high).max()), float(np.abs(columns.low).max()))
    axes.set_ylim(-1.06 * top, 1.06 * top)
    axes.set_yticks([0, top], ["", f"{20 * np.log10(top):.1f} dB"] if top > 1e-3 else ["silent", ""])
    axes.axhline(0, color=FAINT, linewidth=0.5)
    for section, colour in zip(sections, colours, strict=True):
        first = max(0, int(section.start_sample / rate / seconds * count) - 1)
        last = min(count, int(np.ceil(section.end_sample / rate / seconds * count)) + 1)
        part = slice(first, last)
        clip = {"linewidth": 0, "color": colour}
        axes.fill_between(times[part], columns.low[part], columns.high[part], alpha=0.45, **clip)
        axes.fill_between(times[part], -columns.rms[part], columns.rms[part], alpha=0.95, **clip)
        axes.axvline(section.start_sample / rate, color=BACKGROUND, linewidth=1.2)


def _draw_mel(
    axes: Any, columns: Overview, sections: Sequence[TimelineSection], rate: int, seconds: float
) -> None:
    loudest = max(-60.0, float(np.percentile(columns.bands, 99.8)))
    axes.imshow(
        columns.bands,
        origin="lower",
        aspect="auto",
        extent=(0, seconds, 0, BANDS),
        cmap="magma",
        vmin=loudest - 65,
        vmax=loudest,
        interpolation="bilinear",
    )
    for section in sections[1:]:
        axes.axvline(section.start_sample / rate, color=INK, linewidth=0.8, alpha=0.55, linestyle=(0, (4, 3)))
    marks = [100, 300, 1000, 3000, 10000]
    axes.set_yticks([_band_of(hz) for hz in marks], ["100 Hz", "300", "1 kHz", "3 kHz", "10 kHz"])


def _draw_joins(axes: Any, joins: Sequence[int], rate: int, seconds: float) -> None:
    axes.set_ylim(0, 1)
    axes.set_yticks([0.5], ["joins" if len(joins) else ""])
    places = np.asarray(joins) / rate
    axes.vlines(places, 0.15, 0.9, color=INK, linewidth=max(0.3, min(1.2, 400 / (len(joins) + 1))), alpha=0.8)
    step = next(
        (step for step in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800) if seconds / step <= 16), 3600
    )
    marks = np.arange(0, seconds + step * 0.01, step)
    axes.set_xticks(marks, [clock(mark) for mark in marks])
    axes.tick_params(axis="x", pad=4)


def _colours(sections: Sequence[TimelineSection]) -> list[str]:
    groups: dict[str, str] = {}
    return [
        groups.setdefault(section.group or section.name, PALETTE[len(groups) % len(PALETTE)])
        for section in sections
    ]


def _short(text: str, room: int) -> str:
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= room else text[: max(1, room - 1)].rstrip() + "…"


def _mel_of(hz: float) -> float:
    return 2595 * float(np.log10(1 + hz / 700))


def _band_of(hz: float) -> float:
    return BANDS * (_mel_of(hz) - _mel_of(LOWEST_HZ)) / (_mel_of(HIGHEST_HZ) - _mel_of(LOWEST_HZ))


@lru_cache(maxsize=2)
def _bank(sample_rate: int) -> NDArray[np.float64]:
    """Returns triangular filters on the mel scale, each wide enough to hold at least one bin."""
    frequencies = np.fft.rfftfreq(WINDOW_SAMPLES, 1 / sample_rate)
    places = BANDS * (2595 * np.log10(1 + frequencies / 700) - _mel_of(LOWEST_HZ))
    places /= _mel_of(HIGHEST_HZ) - _mel_of(LOWEST_HZ)
    return np.maximum(0, 1 - np.abs(places - (np.arange(BANDS)[:, None] + 0.5)) / 1.2)
