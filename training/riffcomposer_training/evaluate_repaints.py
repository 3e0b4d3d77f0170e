"""Hears what is wrong: `python -m riffcomposer_training.evaluate_repaints --model DIR --out DIR`.

The pieces are of every style and nothing was trained on them; renders start from them as a song's do. Each
figure is a mean over clips; the *ceiling* is what the pieces themselves give through autoencoder and decoder,
the *floor* what they give when each is compared with another piece.

    same_S     repaints with the piece's own caption at strength S, compared with the piece
    other_S    repaints with the name of another style: way of the timbre to that style's average, chords
    text       the caption alone, compared with the piece that it describes; variety of four seeds

    *_spectrum_error_db    mean difference of third octaves, 60 Hz to 9 kHz, without its sign
    *_bands_within_2_db    share of clips times third octaves that differ by at most 2 dB
    *_styles_within_2_db   share of styles whose mean difference is at most 2 dB in every third octave
    *_style_bands_within_2_db   share of styles times third octaves whose mean difference is at most 2 dB
    *_treble_db            4 to 10 kHz against 60 to 1,000 Hz, minus the piece's
    *_haze_db              how loud it is between the notes from 1 to 9.5 kHz, minus the piece's
    *_stripes              how much of the finest lines lasts for the whole clip, minus the piece's, -1 to 1
    *_clarity_db           partials of the known notes over what is between them, minus the piece's
    *_onsets_db            sharpness of the known onsets, minus the piece's
    *_onset_correlation    of the rises of level with the piece's
    *_chroma_similarity    cosine with the piece's chroma, chord by chord
    *_chords_right         share of chords whose triad fits best of 24
    *_chords_kept          the same, of those that are right in the piece

It writes `figures.json`, `chords_by_style.json` (share of chords that are right, in the pieces through the
decoder and in repaints with their own caption), `spectrum.json` (mean difference of each third octave) and
`worst_ten.png`: piece, repaint and text alone of the clips whose spectra differ most.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from riffcomposer import files
from riffcomposer.diffusion.caption_spectrum import THIRD_OCTAVES_HZ
from riffcomposer_training import hearing, measures
from riffcomposer_training.command_line import exit_code, log_with_times
from riffcomposer_training.evaluate import contact_sheet
from riffcomposer_training.evaluation_chain import Chain
from riffcomposer_training.evaluation_pieces import EvaluationPiece, evaluation_pieces

log = logging.getLogger("riffcomposer_training")
STRENGTHS = (0.3, 0.5, 0.7)
_WORST = 10
_NEAR_DB = 2.0

_COMPARISONS = (
    "treble_db",
    "haze_db",
    "stripes",
    "clarity_db",
    "onsets_db",
    "onset_correlation",
    "chroma_similarity",
    "chords_right",
    "chords_kept",
)

Levels = npt.NDArray[np.floating[Any]]


def compared(name: str, made: Levels, pieces: Sequence[EvaluationPiece]) -> tuple[dict[str, float], Levels]:
    """Figures of clips against their pieces, and the difference of each third octave, [clips, 22]."""
    spectrum = np.stack(
        [
            hearing.third_octaves(level) - hearing.third_octaves(piece.level)
            for level, piece in zip(made, pieces, strict=True)
        ]
    )
    found: dict[str, list[float]] = {key: [] for key in _COMPARISONS}
    for level, piece in zip(made, pieces, strict=True):
        found["treble_db"].append(hearing.treble(level) - hearing.treble(piece.level))
        found["haze_db"].append(hearing.haze(level) - hearing.haze(piece.level))
        found["stripes"].append(hearing.stripes(level) - hearing.stripes(piece.level))
        found["onset_correlation"].append(measures.onset_correlation(level, piece.level))
        found["chroma_similarity"] += hearing.chroma_similarity(level, piece.level, piece.music)
        for key, measure in (("clarity_db", hearing.tonal_clarity), ("onsets_db", hearing.onset_sharpness)):
            ours, theirs = measure(level, piece.music), measure(piece.level, piece.music)
            if ours is not None and theirs is not None:
                found[key].append(ours - theirs)
        ours_right = hearing.chords_right(level, piece.music)
        found["chords_right"] += ours_right
        found["chords_kept"] += [
            ours for ours, theirs in zip(ours_right, piece.chords_right, strict=True) if theirs
        ]
    styles = np.array([piece.style for piece in pieces])
    by_style = np.stack([spectrum[styles == style].mean(0) for style in np.unique(styles)])
    near = np.abs(by_style) <= _NEAR_DB
    figures = {
        "spectrum_error_db": float(np.abs(spectrum).mean()),
        "bands_within_2_db": float((np.abs(spectrum) <= _NEAR_DB).mean()),
        "styles_within_2_db": float(near.all(1).mean()),
        "style_bands_within_2_db": float(near.mean()),
        **{key: float(np.mean(values)) for key, values in found.items() if values},
    }
    return {f"{name}_{key}": value for key, value in figures.items()}, spectrum


def other_styles(pieces: Sequence[EvaluationPiece]) -> list[str]:
    """For each piece the name of another style, far down the list from its own; every style is used."""
    styles = sorted({piece.style for piece in pieces})
    step = max(1, len(styles) // 3)
    return [styles[(styles.index(piece.style) + step) % len(styles)] for piece in pieces]


class Evaluation:
    """An evaluation of one model.

    Args:
        model: The exported folder.
        pieces: The pieces.
        decoded: Whether clips are decoded to sound and measured as that sounds; else as the model makes them,
            which takes half the time.
    """

    def __init__(self, model: Path, pieces: Sequence[EvaluationPiece], *, decoded: bool = True) -> None:
        self._chain = Chain(model)
        self._pieces, self._decoded = pieces, decoded
        self._captions = [piece.caption for piece in pieces]
        self._inits = np.stack([piece.level for piece in pieces])
        self.spectra: dict[str, Levels] = {}
        self.clips: dict[str, Levels] = {}

    def _heard(self, levels: Levels) -> Levels:
        return self._chain.heard(levels)[0].astype(np.float32) if self._decoded else levels

    def _compare(self, name: str, made: Levels, pieces: Sequence[EvaluationPiece]) -> dict[str, float]:
        figures, self.spectra[name] = compared(name, made, pieces)
        return figures

    def limits(self) -> dict[str, float]:
        """The ceiling: pieces through autoencoder and decoder; the floor: pieces against others."""
        through = self.clips["ceiling"] = self._heard(self._chain.coded(self._inits))
        turned = [*self._pieces[1:], self._pieces[0]]
        floor = self._compare("floor", through, turned)
        # The other piece is mostly of the same style, so there is no floor for styles.
        of_clips = {name: value for name, value in floor.items() if "style" not in name}
        return self._compare("ceiling", through, self._pieces) | of_clips

    def same_style(self) -> dict[str, float]:
        """Repaints with the pieces' own captions."""
        figures: dict[str, float] = {}
        for strength in STRENGTHS:
            name = f"same_{strength:g}"
            seeds = range(len(self._pieces))
            made = self._chain.render(self._captions, seeds, init=self._inits, strength=strength)
            self.clips[name] = self._heard(made)
            figures |= self._compare(name, self.clips[name], self._pieces)
        return figures

    def other_style(self, strength: float = 0.5) -> dict[str, float]:
        """Repaints with the names of other styles."""
        wanted = other_styles(self._pieces)
        averages = {
            style: np.mean([measures.timbre(each.level) for each in self._pieces if each.style == style], 0)
            for style in set(wanted)
        }
        made = self._heard(
            self._chain.render(wanted, range(len(wanted)), init=self._inits, strength=strength)
        )
        moves = [
            measures.timbre_move(level, piece.level, averages[style])
            for level, piece, style in zip(made, self._pieces, wanted, strict=True)
        ]
        figures = self._compare(f"other_{strength:g}", made, self._pieces)
        return {f"other_{strength:g}_timbre_move": float(np.mean(moves)), **figures}

    def text(self) -> dict[str, float]:
        """Clips from captions alone."""
        width = self._inits.shape[2]
        self.clips["text"] = self._heard(
            self._chain.render(self._captions, range(len(self._pieces)), width_frames=width)
        )
        figures = self._compare("text", self.clips["text"], self._pieces)
        chosen = self._pieces[:: max(1, len(self._pieces) // 6)]
        spread = []
        for piece in chosen:
            four = self._chain.render([piece.caption] * 4, range(100, 104), width_frames=width)
            spread.append(hearing.variety(four))
        of_sound = ("spectrum", "within", "treble", "haze", "stripes")  # it has other notes than the piece
        return {
            **{key: value for key, value in figures.items() if any(word in key for word in of_sound)},
            "text_variety": float(np.mean(spread)),
            "pieces_variety": hearing.variety(np.stack([piece.level for piece in chosen])),
        }

    def chords_by_style(self) -> dict[str, dict[str, float]]:
        """Share of chords whose triad fits best of 24, by style: in the pieces as heard, and in repaints."""
        shares: dict[str, dict[str, float]] = {}
        names = ("ceiling", *(f"same_{strength:g}" for strength in STRENGTHS))
        for style in sorted({piece.style for piece in self._pieces}):
            rows = [row for row, piece in enumerate(self._pieces) if piece.style == style]
            for name in names:
                right = [
                    each
                    for row in rows
                    for each in hearing.chords_right(self.clips[name][row], self._pieces[row].music)
                ]
                if right:
                    shares.setdefault(style, {})[name] = round(float(np.mean(right)), 3)
        return shares

    def worst(self) -> list[tuple[str, Levels]]:
        """Piece, repaint at 0.5 and text alone of the ten clips whose spectra differ most."""
        error = np.abs(self.spectra["same_0.5"]).mean(1) + np.abs(self.spectra["text"]).mean(1)
        cells: list[tuple[str, Levels]] = []
        for row in np.argsort(-error)[:_WORST]:
            cells += [
                (f"{self._pieces[row].style}: piece", self._inits[row]),
                (f"0.5: {self._captions[row]}", self.clips["same_0.5"][row]),
                (f"text: {error[row]:.1f} dB", self.clips["text"][row]),
            ]
        return cells


def evaluate_repaints(model: Path, out: Path, *, each: int, decoded: bool = True) -> dict[str, float]:
    """Runs the evaluation and writes its files.

    Args:
        model: The exported folder.
        out: Folder for the results.
        each: Clips of each style.
        decoded: See `Evaluation`.
    """
    out.mkdir(parents=True, exist_ok=True)
    evaluation = Evaluation(model, evaluation_pieces(each), decoded=decoded)
    figures = evaluation.limits() | evaluation.same_style() | evaluation.other_style() | evaluation.text()
    figures = {name: round(value, 4) for name, value in figures.items()}
    spectrum: dict[str, Any] = {"hz": [round(hz) for hz in THIRD_OCTAVES_HZ]}
    spectrum |= {
        name: [round(float(value), 2) for value in rows.mean(0)] for name, rows in evaluation.spectra.items()
    }
    files.write_text(out / "figures.json", json.dumps(figures, indent=2) + "\n")
    by_style = json.dumps(evaluation.chords_by_style(), indent=2)
    files.write_text(out / "chords_by_style.json", by_style + "\n")
    files.write_text(out / "spectrum.json", json.dumps(spectrum) + "\n")
    contact_sheet(evaluation.worst(), out / "worst_ten.png")
    for name, value in figures.items():
        log.info("%-32s %.4g", name, value)
    return figures


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m riffcomposer_training.evaluate_repaints",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", type=Path, required=True, help="the exported folder")
    parser.add_argument("--out", type=Path, required=True, help="where the figures go")
    parser.add_argument("--each", type=int, default=12, help="clips of each style")
    parser.add_argument(
        "--quick", action="store_true", help="two clips of each style, measured before they are decoded"
    )
    chosen = parser.parse_args(arguments)
    log_with_times()
    return exit_code(
        lambda: evaluate_repaints(
            chosen.model, chosen.out, each=2 if chosen.quick else chosen.each, decoded=not chosen.quick
        )
    )


if __name__ == "__main__":
    sys.exit(main())
