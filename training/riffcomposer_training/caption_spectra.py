"""Learns the average spectrum of clips by caption: `python -m riffcomposer_training.caption_spectra`.

A ridge regression from the captions' sentence embeddings to the spectra of their clips, in closed form. The
export writes it beside the networks; this command adds it to a folder that was exported before.
"""

from __future__ import annotations

import argparse
import logging
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from riffcomposer.checkpoints.profile import SPECTRUM_FILE, read_profile, write_profile
from riffcomposer.diffusion.caption_spectrum import CaptionSpectrum, average_spectrum
from riffcomposer.files import file_sha256
from riffcomposer.spectrogram_parameters import SpectrogramParameters
from riffcomposer_training.clip_shards import first_shards, held_out, read_shard
from riffcomposer_training.command_line import exit_code, log_with_times
from riffcomposer_training.latent_set import captions_of
from riffcomposer_training.scorer import sentence_embeddings

log = logging.getLogger("riffcomposer_training")
RIDGE = 10.0
BANDS_OF_PLAYERS = ("score", "band")
LONE_WEIGHT = 0.3
"""Weight of clips of one instrument or sound, in whose captions a style means less than in a band's."""

TOLERATED = 0.4
"""The tolerance as a share of the mean difference of clips from their captions' spectra."""

Array = npt.NDArray[np.floating[Any]]


def fitted(embeddings: Array, spectra: Array, weights: Array) -> CaptionSpectrum:
    """The ridge regression from embeddings [captions, width] to spectra [captions, bands], both weighted.

    The tolerance of each band is in proportion to the mean difference that is left, without its sign.
    """
    middle, mean = (np.average(each, axis=0, weights=weights) for each in (embeddings, spectra))
    centred = embeddings - middle
    weighted = centred * weights[:, None]
    covariance = weighted.T @ centred + RIDGE * np.eye(centred.shape[1])
    weight = np.linalg.solve(covariance, weighted.T @ (spectra - mean)).T
    left = np.abs(spectra - mean - centred @ weight.T)
    tolerance = TOLERATED * np.average(left, axis=0, weights=weights)
    found = (weight, mean - weight @ middle, tolerance)
    return CaptionSpectrum(*(each.astype(np.float32) for each in found))


def caption_spectrum(clips: Path, encoder: Any, tokenizer: Any) -> CaptionSpectrum:
    """The map for the clips of a collection, those that are held out from training left out.

    Raises:
        ModelError: There are no clips.
    """
    params = SpectrogramParameters()
    captions: list[str] = []
    spectra: list[Array] = []
    weights: list[float] = []
    for path in first_shards(clips):
        shard = read_shard(path)
        for clip, level in zip(shard.clips, shard.levels(), strict=True):
            if not held_out(clip):
                texts = captions_of(clip)
                captions += texts
                spectra += [average_spectrum(level[None] / np.float32(255), params)] * len(texts)
                weights += [1.0 if clip.get("kind") in BANDS_OF_PLAYERS else LONE_WEIGHT] * len(texts)
    log.info("spectra of %d captions", len(captions))
    embedded = sentence_embeddings(encoder, tokenizer, captions).double().numpy()
    return fitted(embedded, np.stack(spectra), np.array(weights))


def write_caption_spectrum(spectrum: CaptionSpectrum, folder: Path) -> None:
    """Writes the map into a checkpoint's folder."""
    from safetensors.numpy import save_file

    # safetensors writes the memory of an array as it is, whatever the order of its axes.
    tensors = {name: np.ascontiguousarray(each) for name, each in vars(spectrum).items()}
    save_file(tensors, folder / SPECTRUM_FILE)
    (folder / SPECTRUM_FILE).chmod(0o644)


def add_caption_spectrum(clips: Path, folder: Path) -> None:
    """Learns the map and adds it to an exported folder and its profile."""
    from riffcomposer_training.text_states import load_encoder

    profile = read_profile(folder)
    write_caption_spectrum(caption_spectrum(clips, *load_encoder(folder / "text_encoder")), folder)
    hashes = {**profile.files, SPECTRUM_FILE: file_sha256(folder / SPECTRUM_FILE)}
    write_profile(folder, replace(profile, caption_spectrum=True, files=hashes))


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m riffcomposer_training.caption_spectra", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--clips", type=Path, required=True, help="the collection it was trained on")
    parser.add_argument("--model", type=Path, required=True, help="the exported folder, which is changed")
    chosen = parser.parse_args(arguments)
    log_with_times()
    return exit_code(lambda: add_caption_spectrum(chosen.clips, chosen.model))


if __name__ == "__main__":
    sys.exit(main())
