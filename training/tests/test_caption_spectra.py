"""The spectra of captions are learnt by ridge regression and written beside the networks."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from riffcomposer.checkpoints.profile import SPECTRUM_BANDS
from riffcomposer.diffusion.caption_spectrum import CaptionSpectrum
from riffcomposer_training.caption_spectra import TOLERATED, fitted, write_caption_spectrum


def test_a_linear_map_is_found_again_and_weights_count() -> None:
    random = np.random.default_rng(1)
    embeddings = random.normal(size=(4000, 12))
    weight, bias = random.normal(size=(SPECTRUM_BANDS, 12)), random.normal(size=SPECTRUM_BANDS)
    spectra = embeddings @ weight.T + bias
    found = fitted(embeddings, spectra, np.ones(4000))
    np.testing.assert_allclose(found.expected(embeddings[7]), spectra[7], atol=0.05)
    # Clips of no weight may have any spectrum.
    weights = np.ones(4000)
    weights[:1000] = 0
    spectra[:1000] += 50
    found = fitted(embeddings, spectra, weights)
    np.testing.assert_allclose(found.expected(embeddings[2000]), spectra[2000], atol=0.05)


def test_the_tolerance_grows_with_how_far_clips_are_from_their_captions() -> None:
    random = np.random.default_rng(3)
    embeddings = random.normal(size=(4000, 12))
    spread = np.linspace(0.5, 6, SPECTRUM_BANDS)
    found = fitted(embeddings, random.normal(size=(4000, SPECTRUM_BANDS)) * spread, np.ones(4000))
    np.testing.assert_allclose(found.tolerance, TOLERATED * spread * np.sqrt(2 / np.pi), rtol=0.05)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    found = fitted(random.normal(size=(50, 12)), random.normal(size=(50, SPECTRUM_BANDS)), np.ones(50))
    write_caption_spectrum(found, tmp_path)
    again = CaptionSpectrum.load(tmp_path)
    for name, each in vars(found).items():
        np.testing.assert_array_equal(getattr(again, name), each, err_msg=name)
