"""A tiny data set and a tiny text encoder, so that every stage runs in seconds."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests side by side do not fight over cores

WORDS = [
    "jazz",
    "piano",
    "lo",
    "fi",
    "beat",
    "bells",
    "organ",
    "drums",
    "solo",
    "church",
    "warm",
    "slow",
    "fast",
    "synth",
    "bass",
]


@pytest.fixture(scope="session")
def tiny_clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one shard of 16 clips: stripes that differ by caption."""
    folder = tmp_path_factory.mktemp("clips")
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:512, :512]
    levels, entries = [], []
    for index in range(16):
        pitch = index % 4
        stripes = 0.5 + 0.4 * np.cos(2 * np.pi * rows / (32 + 16 * pitch)) * np.cos(2 * np.pi * columns / 64)
        noisy = np.clip(stripes * (rows < 300) + 0.02 * rng.standard_normal(rows.shape), 0, 1)
        levels.append(np.round(noisy * 255).astype(np.uint8))
        entries.append(
            {
                "caption": f"{WORDS[pitch]} {WORDS[4 + pitch]}",
                "captions": [f"{WORDS[pitch]} {WORDS[4 + pitch]}", WORDS[pitch]],
                "style": WORDS[pitch],
                "piece": f"1-{index}",
                "tempo": 93.75,
                "key": "C",
                "scale": "major",
                "beats_per_bar": 4,
                "on_grid": index % 3 != 0,
            }
        )
    np.savez(folder / "shard_0000.npz", levels=np.stack(levels))
    (folder / "shard_0000.json").write_text(json.dumps(entries))
    return folder


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An inputs folder with a text encoder of one layer, in the shape of the package's."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    source = tmp_path_factory.mktemp("bert")
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    (source / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    tokenizer = BertTokenizerFast(vocab={word: index for index, word in enumerate(vocabulary)})
    tokenizer.save_pretrained(str(source))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=384,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=32,
    )
    BertModel(config).save_pretrained(str(source), safe_serialization=True)
    return source
