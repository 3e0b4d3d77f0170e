"""A small network for the evaluation that measures how well a clip fits a caption.

A convolutional network maps a clip (levels, averaged 4 x 4) and a linear layer maps a caption's MiniLM
embedding to one space, where their cosine is the score. It is trained contrastively (Radford et al. 2021),
best on a collection of another seed than the model's. Its last layer gives features.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from riffcomposer_training.clip_shards import first_shards, held_out, read_shard
from riffcomposer_training.latent_set import captions_of
from riffcomposer_training.schedule import Clock, learning_rate_share, load_checkpoint, save_checkpoint

log = logging.getLogger(__name__)
FEATURES = 128
MOST_CLIPS = 4096
CAPTIONS = 3
"""Most clips that the scorer is trained on, and captions per clip; embedding more captions takes too long."""


def reduced(levels: Any) -> torch.Tensor:
    """Levels as the scorer hears them: [clips, 1, 128, frames / 4] in 0..1."""
    tensor = torch.as_tensor(np.ascontiguousarray(levels))
    tensor = tensor.float() / 255 if tensor.dtype == torch.uint8 else tensor.float()
    return functional.avg_pool2d(tensor[:, None], 4)


def sentence_embeddings(encoder: Any, tokenizer: Any, captions: list[str]) -> torch.Tensor:
    """MiniLM's own sentence embeddings, unit length, [captions, 384]."""
    parts = []
    with torch.no_grad():
        for start in range(0, len(captions), 64):
            tokens = tokenizer(
                captions[start : start + 64],
                padding=True,
                truncation=True,
                max_length=32,
                return_tensors="pt",
            )
            states = encoder(tokens.input_ids, attention_mask=tokens.attention_mask).last_hidden_state.float()
            mask = tokens.attention_mask[..., None].float()
            parts.append((states * mask).sum(1) / mask.sum(1))
    return functional.normalize(torch.cat(parts), dim=1)


class Scorer(nn.Module):
    """Maps clips and embedded captions to one space and compares them there."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width = 2  # the level, and where in frequency each band is
        for out in (24, 48, 96, 128):
            layers += [nn.Conv2d(width, out, 3, stride=2, padding=1), nn.BatchNorm2d(out), nn.ReLU()]
            width = out
        self.body = nn.Sequential(*layers)
        self.head = nn.Sequential(nn.Linear(256, FEATURES), nn.ReLU())
        self.clip = nn.Linear(FEATURES, 96)
        self.caption = nn.Linear(384, 96)
        self.scale = nn.Parameter(torch.tensor(2.5))

    def features(self, clips: torch.Tensor) -> torch.Tensor:
        """[clips, 1, 128, columns] to [clips, 128]."""
        place = torch.linspace(-1, 1, clips.shape[2], device=clips.device)[None, None, :, None]
        heard = self.body(torch.cat([2 * clips - 1, place.expand_as(clips)], 1))
        features: torch.Tensor = self.head(torch.cat([heard.mean((2, 3)), heard.amax((2, 3))], 1))
        return features

    def similarity(self, clips: torch.Tensor, captions: torch.Tensor) -> torch.Tensor:
        """Cosine of every clip with every caption, [clips, captions]."""
        left = functional.normalize(self.clip(self.features(clips)), dim=1)
        right = functional.normalize(self.caption(captions), dim=1)
        return left @ right.T


def train_scorer(
    clips: Path,
    encoder: Any,
    tokenizer: Any,
    out: Path,
    seconds: float,
    *,
    most_steps: int = 2000,
    seed: int = 5,
) -> Scorer:
    """Trains a scorer on a folder of clips, or reads the one in `out`.

    Args:
        clips: Folder of a collection, best of another seed than the model's; held-out pieces are not used.
        encoder, tokenizer: The text encoder.
        out: File of the trained scorer.
        seconds, most_steps: Training ends at the first of these two limits.
        seed: Seed of weights and batches.
    """
    scorer = Scorer()
    if (state := load_checkpoint(out)) is not None:
        scorer.load_state_dict(state["network"])
        return scorer.eval().requires_grad_(False)
    torch.manual_seed(seed)
    scorer = Scorer()
    heard, captions = [], []
    paths = first_shards(clips)
    most = -(-MOST_CLIPS // len(paths))
    for path in paths:
        shard = read_shard(path)
        chosen = [index for index, clip in enumerate(shard.clips) if not held_out(clip)][:most]
        heard.append((reduced(shard.levels()[chosen]) * 255).round().byte())
        captions += [captions_of(shard.clips[index])[:CAPTIONS] for index in chosen]
    sounds = torch.cat(heard)
    unique = list(dict.fromkeys(text for texts in captions for text in texts))
    row = {text: index for index, text in enumerate(unique)}
    embedded = sentence_embeddings(encoder, tokenizer, unique)
    log.info("scorer: %d clips, %d captions", len(sounds), len(unique))
    optimizer = torch.optim.AdamW(scorer.parameters(), lr=2e-3, weight_decay=0.02)
    generator = torch.Generator().manual_seed(seed)
    clock, step = Clock(seconds), 0
    batch_size = min(64, len(sounds))
    while (used := max(clock.tick(), step / most_steps)) < 1:
        picked = torch.randint(len(sounds), (batch_size,), generator=generator)
        texts = [captions[i][step % len(captions[i])] for i in picked.tolist()]
        batch = sounds[picked].float() / 255
        batch = batch.roll(int(torch.randint(batch.shape[3], (), generator=generator)), 3)
        batch = batch * (0.9 + 0.2 * torch.rand(len(batch), 1, 1, 1, generator=generator))
        rows = torch.tensor([row[text] for text in texts])
        scores = scorer.similarity(batch, embedded[rows]) * scorer.scale.exp()
        # Equal captions in a batch are not each other's opposites.
        same = rows[:, None] == rows[None]
        target = same.float() / same.sum(1, keepdim=True)
        loss = (
            -(target * functional.log_softmax(scores, 1)).sum(1).mean()
            - (target * functional.log_softmax(scores.T, 1)).sum(1).mean()
        ) / 2
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * learning_rate_share(step, used, 20)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step += 1
        if step % 50 == 0:
            log.info("scorer: step %d loss %.3f", step, float(loss.detach()))
    save_checkpoint(out, {"network": scorer.state_dict(), "steps": step})
    return scorer.eval().requires_grad_(False)
