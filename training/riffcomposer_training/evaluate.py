"""Measures a model: `python -m riffcomposer_training.evaluate --model DIR --clips DIR --out DIR`.

Every figure is measured on clips that were decoded to sound and turned back into a mel. Beside it is the same
figure of held-out renders that were decoded too (the *ceiling*) and, for prompts, of clips with the captions
of other clips (the *floor*).

    text       clips from held-out captions: adherence, rank, level, key, variety, nearest training clip,
               Frechet distance in the scorer's features
    img2img    renders from loops with prompts of other styles at 0.3, 0.5 and 0.7: tempo, downbeat,
               onsets, key, adherence, how far the timbre moved toward the prompt's class

It writes `figures.json`, `contact_sheet.png` and `sounds/*.flac`.
"""

from __future__ import annotations

import argparse
import json
import logging
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from riffcomposer import files
from riffcomposer_training import measures
from riffcomposer_training.command_line import exit_code, log_with_times
from riffcomposer_training.evaluation_chain import Chain, clip_seconds
from riffcomposer_training.evaluation_clips import EvaluationClips, coarse, read_evaluation_clips, style_of
from riffcomposer_training.latent_set import captions_of, two_bars
from riffcomposer_training.scorer import Scorer, reduced, sentence_embeddings, train_scorer

log = logging.getLogger("riffcomposer_training")
STRENGTHS = (0.3, 0.5, 0.7)


class Listener:
    """A scorer with the text encoder that embeds captions for it."""

    def __init__(self, scorer: Scorer, encoder: Any, tokenizer: Any) -> None:
        self._scorer, self._encoder, self._tokenizer = scorer, encoder, tokenizer

    @torch.no_grad()
    def table(self, levels: np.ndarray[Any, Any], captions: Sequence[str]) -> np.ndarray[Any, Any]:
        """Cosine of every clip with every caption."""
        embedded = sentence_embeddings(self._encoder, self._tokenizer, list(captions))
        return self._scorer.similarity(reduced(levels), embedded).numpy()

    @torch.no_grad()
    def features(self, levels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """The scorer's last layer, [clips, 128]."""
        return self._scorer.features(reduced(levels)).numpy()


def adherence(listener: Listener, levels: np.ndarray[Any, Any], captions: Sequence[str]) -> dict[str, float]:
    """Mean cosine of clips with their own and with other captions, and the share of worse captions."""
    table = listener.table(levels, captions)
    own = np.diag(table)
    others = table[~np.eye(len(table), dtype=bool)]
    fits_worse = [(np.delete(row, index) < row[index]).mean() for index, row in enumerate(table)]
    return {"own": float(own.mean()), "shuffled": float(others.mean()), "rank": float(np.mean(fits_worse))}


def between(value: float, floor: float, ceiling: float) -> float:
    """Position of a value between floor (0) and ceiling (1)."""
    return (value - floor) / (ceiling - floor) if abs(ceiling - floor) > 1e-9 else float("nan")


def text_figures(
    chain: Chain, listener: Listener, reference: EvaluationClips, sheet: list[Any], sounds: Path
) -> dict[str, float]:
    """Figures of clips rendered from captions alone, and of the held-out clips with those captions."""
    captions = [
        next((text for text in captions_of(entry) if names_key(entry, text)), captions_of(entry)[0])
        for entry in reference.entries
    ]
    made = chain.render(captions, range(len(captions)))
    made, audio = chain.heard(made)
    truth, true_audio = chain.heard(reference.held)
    save_sounds(sounds, "text", captions, audio)
    save_sounds(sounds, "truth", captions, true_audio)
    sheet += [(f"truth: {caption}", level) for caption, level in zip(captions[:6], truth[:6], strict=True)]
    sheet += [(f"text: {caption}", level) for caption, level in zip(captions[:12], made[:12], strict=True)]

    got, best = adherence(listener, made, captions), adherence(listener, truth, captions)
    floor = best["shuffled"]
    again = chain.render([captions[0]] * 4 + [captions[-1]] * 4, range(100, 108))
    features, true_features = listener.features(made), listener.features(truth)
    spread = [np.std(listener.features(part), 0).mean() for part in (again[:4], again[4:])]
    tonal = [index for index, entry in enumerate(reference.entries) if names_key(entry, captions[index])]
    return {
        "text_adherence": got["own"],
        "text_adherence_floor": floor,
        "text_adherence_ceiling": best["own"],
        "text_adherence_share": between(got["own"], floor, best["own"]),
        "text_rank": got["rank"],
        "text_rank_ceiling": best["rank"],
        "text_level_db": float(np.mean([measures.level_db(level) for level in made])),
        "truth_level_db": float(np.mean([measures.level_db(level) for level in truth])),
        "text_key_right": _key_share(made, reference.entries, tonal),
        "truth_key_right": _key_share(truth, reference.entries, tonal),
        "text_variety": float(np.mean(spread)),
        "truth_variety": float(true_features.std(0).mean()),
        "text_nearest_training": float(measures.nearest_distances(coarse(made), reference.training).mean()),
        "truth_nearest_training": float(measures.nearest_distances(coarse(truth), reference.training).mean()),
        "text_frechet": measures.frechet_distance(features, true_features),
        "truth_frechet_halves": measures.frechet_distance(true_features[::2], true_features[1::2]),
    }


def _key_share(levels: np.ndarray[Any, Any], entries: list[dict[str, Any]], rows: list[int]) -> float:
    right = []
    for index in rows:
        tonic = measures.tonic_number(str(entries[index]["key"]))
        if tonic is not None:
            said = f"{entries[index].get('scale', '')} {entries[index]['key']}"
            mode = "minor" if "minor" in said or "dorian" in said else "major"
            right.append(measures.same_scale(measures.estimated_key(levels[index]), (tonic, mode)))
    return float(np.mean(right)) if right else float("nan")


def seed_levels(reference: EvaluationClips, count: int) -> list[tuple[str, np.ndarray[Any, Any]]]:
    """Style and level of loops spread over the catalogue, or of held-out clips if there is no catalogue."""
    from riffcomposer.loops.catalogue import catalogue
    from riffcomposer.spectrogram.image import read_image

    try:
        clips = list(catalogue().clips.values())
    except OSError:
        rows = [i for i, entry in enumerate(reference.entries) if two_bars(entry)][:count]
        return [(style_of(reference.entries[i]), reference.held[i]) for i in rows]
    chosen = [clips[int(i)] for i in np.linspace(0, len(clips) - 1, min(count, len(clips)))]
    return [(clip.style, read_image(clip.path)[0][0, :, :512].numpy()) for clip in chosen]


def on_beat(level: np.ndarray[Any, Any]) -> bool:
    """Whether the measured beat of a clip is within 1 % of the grid's."""
    period = measures.beat_period(level)
    return period is not None and abs(period / measures.BEAT_FRAMES - 1) <= 0.01


def names_key(entry: dict[str, Any], caption: str) -> bool:
    """Whether a caption says which key its clip is in."""
    key = str(entry.get("key") or "")
    return bool(key) and re.search(rf"(?:^|\W){re.escape(key)}(?:\W|$)", caption) is not None


def img2img_figures(
    chain: Chain,
    listener: Listener,
    reference: EvaluationClips,
    seeds: list[tuple[str, np.ndarray[Any, Any]]],
    sheet: list[Any],
    sounds: Path,
) -> dict[str, float]:
    """Figures of clips rendered from loops with prompts of other styles."""
    styles = sorted(style for style in reference.classes if not style.startswith("solo "))
    styles = styles or sorted(reference.classes)
    init = np.stack([level for _, level in seeds])
    # Every seed goes to a style far down the list from its own, every style is used.
    prompts = []
    for index, (own, _) in enumerate(seeds):
        others = [style for style in styles if style != own] or styles
        prompts.append(others[(index * 5 + 3) % len(others)])
    heard_seeds, _ = chain.heard(init)
    figures: dict[str, float] = {}
    unmoved = adherence(listener, heard_seeds, prompts)
    figures["seed_adherence"] = unmoved["own"]
    for strength in STRENGTHS:
        made, audio = chain.heard(chain.render(prompts, range(len(prompts)), init=init, strength=strength))
        name = f"img2img_{strength:g}"
        save_sounds(sounds, name, prompts, audio)
        got = adherence(listener, made, prompts)
        pairs = list(zip(made, heard_seeds, strict=True))
        # The grid's tempo is known; a seed on which even the seed itself measures otherwise says nothing.
        clear = [on_beat(seed) for _, seed in pairs]
        kept = [on_beat(level) for (level, _), use in zip(pairs, clear, strict=True) if use]
        lags = [abs(measures.onset_lag(seed, level)) for level, seed in pairs]
        moves = [
            measures.timbre_move(level, seed, reference.classes[prompt])
            for (level, seed), prompt in zip(pairs, prompts, strict=True)
        ]
        figures |= {
            f"{name}_onset_correlation": float(
                np.mean([measures.onset_correlation(*pair) for pair in pairs])
            ),
            f"{name}_tempo_kept": float(np.mean(kept)) if kept else float("nan"),
            f"{name}_tempo_clips": float(len(kept)),
            f"{name}_downbeat_kept": float(np.mean([lag <= 3 for lag in lags])),
            f"{name}_key_kept": float(
                np.mean(
                    [
                        measures.same_scale(measures.estimated_key(a), measures.estimated_key(b))
                        for a, b in pairs
                    ]
                )
            ),
            f"{name}_timbre_move": float(np.mean(moves)),
            f"{name}_adherence": got["own"],
            f"{name}_adherence_floor": got["shuffled"],
            f"{name}_rank": got["rank"],
            f"{name}_level_db": float(np.mean([measures.level_db(level) for level in made])),
        }
        for index in range(min(4, len(made))):
            sheet.append((f"{seeds[index][0]} -> {prompts[index]} {strength:g}", made[index]))
    figures["seed_level_db"] = float(np.mean([measures.level_db(level) for level in heard_seeds]))
    return figures


def save_sounds(
    folder: Path, group: str, names: Sequence[str], audio: Sequence[np.ndarray[Any, Any]]
) -> None:
    """Writes clips as FLAC, all scaled by one factor so that none is above full scale."""
    import soundfile

    folder.mkdir(parents=True, exist_ok=True)
    peak = max(1e-9, *(float(np.abs(sound).max()) for sound in audio))
    for index, (name, sound) in enumerate(zip(names, audio, strict=True)):
        slug = "".join(letter if letter.isalnum() else "-" for letter in name)[:60].strip("-")
        with files.replacing(folder / f"{group}-{index:02d}-{slug}.flac", durable=False) as temporary:
            soundfile.write(temporary, 0.9 * sound / peak, 44100, format="FLAC")


def contact_sheet(cells: Sequence[tuple[str, np.ndarray[Any, Any]]], path: Path, columns: int = 6) -> None:
    """Writes clips as small pictures with their captions, loud dark, low frequencies at the bottom."""
    from PIL import Image, ImageDraw

    size, text = 256, 14
    rows = -(-len(cells) // columns)
    sheet = Image.new("L", (columns * (size + 4), rows * (size + text + 4)), 255)
    draw = ImageDraw.Draw(sheet)
    for index, (caption, level) in enumerate(cells):
        x, y = index % columns * (size + 4), index // columns * (size + text + 4)
        picture = Image.fromarray(np.uint8(255 - 255 * np.clip(level[::-1, :512], 0, 1)))
        sheet.paste(picture.resize((size, size), Image.Resampling.BOX), (x, y + text))
        draw.text((x + 2, y + 1), caption[:44], fill=0)
    with files.replacing(path, durable=False) as temporary:
        sheet.save(temporary, format="PNG")


def evaluate_model(
    model: Path,
    clips: Path,
    out: Path,
    *,
    count: int = 24,
    scorer_clips: Path | None = None,
    scorer_seconds: float = 60.0,
    encoder: Path | None = None,
) -> dict[str, float]:
    """Runs the whole evaluation and writes its files.

    Args:
        model: The exported folder.
        clips: The collection that it was trained on; its held-out pieces are the reference.
        out: Folder for the results.
        count: Number of captions, and of loops.
        scorer_clips: A collection of another seed to train the scorer on; `clips` if None.
        scorer_seconds: Time to train the scorer.
        encoder: The text encoder's folder; the model's own if None.
    """
    from riffcomposer_training.text_states import load_encoder

    out.mkdir(parents=True, exist_ok=True)
    text = load_encoder(encoder or model / "text_encoder")
    scorer = train_scorer(scorer_clips or clips, *text, out / "scorer.pt", scorer_seconds)
    listener = Listener(scorer, *text)
    reference = read_evaluation_clips(clips, count)
    chain = Chain(model)
    seeds = seed_levels(reference, count)
    sheet: list[tuple[str, np.ndarray[Any, Any]]] = []
    figures = text_figures(chain, listener, reference, sheet, out / "sounds")
    figures |= img2img_figures(chain, listener, reference, seeds, sheet, out / "sounds")
    figures |= clip_seconds(chain, seeds[0][1])
    figures["clips"] = float(len(reference.entries))
    contact_sheet(sheet, out / "contact_sheet.png")
    figures = {name: round(value, 4) for name, value in figures.items()}
    files.write_text(out / "figures.json", json.dumps(figures, indent=2) + "\n")
    for name, value in figures.items():
        log.info("%-32s %.4g", name, value)
    return figures


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m riffcomposer_training.evaluate", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--model", type=Path, required=True, help="the exported folder")
    parser.add_argument("--clips", type=Path, required=True, help="the collection it was trained on")
    parser.add_argument("--out", type=Path, required=True, help="where the figures go")
    parser.add_argument("--count", type=int, default=24, help="captions and loops")
    parser.add_argument("--scorer-clips", type=Path, help="a collection of another seed, for the scorer")
    parser.add_argument("--scorer-seconds", type=float, default=60.0, help="time to train the scorer")
    chosen = parser.parse_args(arguments)
    log_with_times()
    return exit_code(
        lambda: evaluate_model(
            chosen.model,
            chosen.clips,
            chosen.out,
            count=chosen.count,
            scorer_clips=chosen.scorer_clips,
            scorer_seconds=chosen.scorer_seconds,
        )
    )


if __name__ == "__main__":
    sys.exit(main())
