"""Rates an evaluation's sounds with a public music tagger: `python -m riffcomposer_training.tagger DIR`.

The tagger is musicnn (Pons and Serra, *musicnn: pre-trained convolutional neural networks for music audio
tagging*, 2019; ISC licence), trained on MagnaTagATune and not on clips of this project. For each clip in
`DIR/sounds` it gives 50 tags and 200 features in windows of three seconds; from them:

    agreement   cosine of a clip's tags (less their average over the held-out renders) with those of the
                held-out render that has the same caption: 1 is the render itself, the floor is another's
    Frechet     distance of the features to those of the held-out renders, beside the same of their halves

It needs TensorFlow. Neither is a dependency; `training/README.md` says how to install them.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from riffcomposer import files
from riffcomposer.errors import ModelError, UsageError
from riffcomposer_training import measures
from riffcomposer_training.command_line import exit_code

log = logging.getLogger("riffcomposer_training")
SAMPLE_RATE = 16000
WINDOW_FRAMES = 187
STEP_FRAMES = 31
"""Half a second between windows."""


@dataclass(frozen=True)
class Heard:
    """The tagger's output for one clip.

    Attributes:
        tags: Likelihoods 0..1, averaged over windows, [50].
        features: The layer before the tags, [windows, 200].
    """

    tags: np.ndarray[Any, Any]
    features: np.ndarray[Any, Any]


def patches(audio: np.ndarray[Any, Any], sample_rate: int) -> np.ndarray[Any, Any]:
    """The tagger's input: log mels at 16 kHz, [windows, 187, 96]; short sounds are repeated to fill one.

    Args:
        audio: Mono, [samples].
    """
    import torchaudio

    wave = torchaudio.functional.resample(torch.from_numpy(audio).float(), sample_rate, SAMPLE_RATE)
    mel = torchaudio.transforms.MelSpectrogram(
        SAMPLE_RATE,
        n_fft=512,
        hop_length=256,
        n_mels=96,
        f_min=0,
        f_max=SAMPLE_RATE / 2,
        norm="slaney",
        mel_scale="slaney",
        pad_mode="constant",
    )(wave)
    picture = torch.log10(10000 * mel + 1).T.numpy()
    if len(picture) < WINDOW_FRAMES:
        picture = np.tile(picture, (-(-WINDOW_FRAMES // len(picture)), 1))
    starts = range(0, len(picture) - WINDOW_FRAMES + 1, STEP_FRAMES)
    return np.stack([picture[start : start + WINDOW_FRAMES] for start in starts])


class Musicnn:
    """The tagger, run from the weights in the `musicnn` wheel.

    Raises:
        ModelError: TensorFlow or the wheel is missing.
    """

    def __init__(self) -> None:
        found = importlib.util.find_spec("musicnn")
        if found is None or found.origin is None or importlib.util.find_spec("tensorflow") is None:
            raise ModelError(
                "the tagger needs tensorflow and musicnn on PYTHONPATH; training/README.md says how to "
                "install them"
            )
        import tensorflow

        compat = tensorflow.compat.v1
        folder = Path(found.origin).parent / "MTT_musicnn"
        meta = compat.MetaGraphDef()
        meta.ParseFromString((folder / ".meta").read_bytes())
        # Only what leads to the tags: the graph's training half no longer loads.
        outputs = ["model/Sigmoid", "model/dense/BiasAdd"]
        graph_def = compat.graph_util.extract_sub_graph(meta.graph_def, [*outputs, "save/restore_all"])
        for node in graph_def.node:
            node.attr.pop("_output_shapes", None)
        self._graph = tensorflow.Graph()
        with self._graph.as_default():
            compat.import_graph_def(graph_def, name="")
        self._session = compat.Session(graph=self._graph)
        self._session.run("save/restore_all", {"save/Const:0": f"{folder}/"})
        self._inputs = {
            operation.outputs[0].dtype.name: operation.name + ":0"
            for operation in self._graph.get_operations()
            if operation.type == "Placeholder"
        }
        self._outputs = [f"{name}:0" for name in outputs]

    def hear(self, audio: np.ndarray[Any, Any], sample_rate: int) -> Heard:
        """Tags and features of a mono sound, [samples]."""
        feed = {self._inputs["float32"]: patches(audio, sample_rate), self._inputs["bool"]: False}
        tags, features = self._session.run(self._outputs, feed)
        return Heard(np.asarray(tags).mean(0), np.asarray(features))


def compare(made: Sequence[Heard], truth: Sequence[Heard]) -> dict[str, float]:
    """Compares clips with the held-out renders of the same captions, given in the same order."""
    average = np.mean([heard.tags for heard in truth], 0)

    def directions(clips: Sequence[Heard]) -> np.ndarray[Any, Any]:
        apart = np.stack([heard.tags - average for heard in clips])
        return np.asarray(apart / np.maximum(np.linalg.norm(apart, axis=1, keepdims=True), 1e-9))

    table = directions(made) @ directions(truth).T
    own, others = np.diag(table), table[~np.eye(len(table), dtype=bool)]
    made_features = np.concatenate([heard.features for heard in made])
    true_features = np.concatenate([heard.features for heard in truth])
    halves = [np.concatenate([heard.features for heard in truth[part::2]]) for part in (0, 1)]
    return {
        "clips": float(len(made)),
        "tag_agreement": float(own.mean()),
        "tag_agreement_floor": float(others.mean()),
        "tag_rank": float(np.mean([(np.delete(row, i) < row[i]).mean() for i, row in enumerate(table)])),
        "frechet": measures.frechet_distance(made_features, true_features),
        "frechet_halves": measures.frechet_distance(*halves),
    }


def tag_evaluation(folder: Path) -> dict[str, float]:
    """Hears `FOLDER/sounds/text-*.flac` and `truth-*.flac`; writes `FOLDER/tagger.json`.

    Raises:
        UsageError: The folder is not one that `riffcomposer_training.evaluate` wrote.
        ModelError: The tagger is not installed.
    """
    import soundfile

    paths = {name: sorted((folder / "sounds").glob(f"{name}-*.flac")) for name in ("text", "truth")}
    if not paths["text"] or len(paths["text"]) != len(paths["truth"]):
        raise UsageError(
            f"{folder}/sounds has {len(paths['text'])} text-*.flac and {len(paths['truth'])} truth-*.flac; "
            "give the folder that riffcomposer_training.evaluate wrote"
        )
    tagger = Musicnn()
    heard: dict[str, list[Heard]] = {}
    for name, found in paths.items():
        sounds = [soundfile.read(path, dtype="float32", always_2d=True) for path in found]
        heard[name] = [tagger.hear(audio.mean(1), rate) for audio, rate in sounds]
    figures = {name: round(value, 4) for name, value in compare(heard["text"], heard["truth"]).items()}
    files.write_text(folder / "tagger.json", json.dumps(figures, indent=2) + "\n")
    return figures


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if len(given) != 1:
        log.error("usage: python -m riffcomposer_training.tagger EVALUATION")
        return UsageError.exit_code

    def work() -> None:
        for name, value in tag_evaluation(Path(given[0])).items():
            log.info("%-24s %.4g", name, value)

    return exit_code(work)


if __name__ == "__main__":
    sys.exit(main())
