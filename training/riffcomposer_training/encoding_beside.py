"""Encodes clips in a process of its own while the UNet trains on a GPU, so that no step waits for a file."""

from __future__ import annotations

import multiprocessing
import time
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType

from riffcomposer_training.training_settings import Setting

_PAUSE_S = 1.0


def encode_new_clips(setting: Setting, out: Path, clips: Path, latents: Path, device: str) -> None:
    """Encodes the shards that appear in a folder; does not end by itself."""
    import torch

    from riffcomposer_training.autoencoder import load_autoencoder
    from riffcomposer_training.latent_set import write_latents

    torch.set_num_threads(1)
    network = load_autoencoder(setting, out)
    while True:
        write_latents(network, setting.patch, clips, latents, device)
        time.sleep(_PAUSE_S)


class EncodingBeside:
    """A context in which the shards that appear are encoded by another process.

    A file of latents is written whole or not at all, so the process can be ended at any time.

    Args:
        setting: Size of the run.
        out: Folder of the run, with its autoencoder.
        clips, latents: Folders of the shards and of their latents.
        device: A torch device.
    """

    def __init__(self, setting: Setting, out: Path, clips: Path, latents: Path, device: str) -> None:
        self._arguments = (setting, out, clips, latents, device)
        self._process: BaseProcess | None = None

    def __enter__(self) -> EncodingBeside:
        # A process that has used a GPU must not be forked.
        context = multiprocessing.get_context("spawn")
        self._process = context.Process(target=encode_new_clips, args=self._arguments, daemon=True)
        self._process.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.join()
