"""Encodes prompts as embeddings: emphasis, long prompts in chunks, CLIP and BERT encoders.

`riffcomposer.song.emphasis` describes how a song writes the weights of words. A token's weight moves its
embedding along the line from the empty prompt's embedding at the same position: 0 is the empty prompt, 1 is
the plain embedding, and 1.3 is beyond it. (The usual way, to scale embeddings and restore their mean, divides
by about zero for encoders whose mean is about zero.)
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from riffcomposer.song.emphasis import parse_emphasis

_CACHED_CHUNKS = 512


@dataclass(frozen=True)
class WeightedTokens:
    """A tokenised prompt without start, end and padding.

    Attributes:
        ids: The tokens' numbers in the vocabulary.
        weights: Weight of each token; 1 is no emphasis.
    """

    ids: tuple[int, ...]
    weights: tuple[float, ...]


class PromptEncoder:
    """Turns prompts into the embeddings that a UNet attends to, and caches them.

    Args:
        tokenizer, text_encoder: The loaded parts of a checkpoint. The encoder's
            `config.use_attention_mask` says whether padding is masked (it is for MiniLM, and is not for
            Stable Diffusion's CLIP).
        text_length: Tokens per chunk, its start and end tokens included: 77 or 32.
    """

    def __init__(self, tokenizer: Any, text_encoder: Any, text_length: int) -> None:
        self._tokenizer = tokenizer
        self._encoder = text_encoder
        self._length = text_length
        self._masked = bool(getattr(text_encoder.config, "use_attention_mask", False))
        first = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.cls_token_id
        last = tokenizer.eos_token_id if tokenizer.eos_token_id is not None else tokenizer.sep_token_id
        padding = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else last
        self._first, self._last, self._padding = int(first), int(last), int(padding)
        self._cache: OrderedDict[tuple[Hashable, WeightedTokens], torch.Tensor] = OrderedDict()

    def tokenize(self, prompt: str) -> WeightedTokens:
        """The prompt's tokens with their weights."""
        ids: list[int] = []
        weights: list[float] = []
        for text, weight in parse_emphasis(prompt):
            piece = self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
            ids += piece
            weights += [weight] * len(piece)
        return WeightedTokens(tuple(ids), tuple(weights))

    def chunks_needed(self, prompts: Sequence[str]) -> int:
        """How many chunks the longest of the prompts takes; at least 1."""
        room = self._length - 2
        return max(1, *(-(-len(self.tokenize(prompt).ids) // room) for prompt in prompts))

    def encode(self, prompt: str, chunks: int, weights: Hashable = ()) -> torch.Tensor:
        """The embeddings of a prompt, padded with empty chunks.

        Args:
            prompt: The prompt, with emphasis.
            chunks: Number of chunks, at least `chunks_needed`; the same for all prompts that are mixed or
                batched together.
            weights: Identifies the encoder's current weights (the LoRA files applied); embeddings are
                cached for these weights.

        Returns:
            float32 [chunks * text_length, width] on the encoder's device.
        """
        tokens = self.tokenize(prompt)
        room = self._length - 2
        parts = [
            WeightedTokens(tokens.ids[at : at + room], tokens.weights[at : at + room])
            for at in range(0, chunks * room, room)
        ]
        return torch.cat([self._chunk(part, weights) for part in parts])

    def embedding(self, prompt: str, weights: Hashable = ()) -> torch.Tensor | None:
        """One vector for a prompt: the mean of its tokens' states, of unit length (Sentence-BERT, 2019).

        Returns:
            float32 [width]; None for an empty prompt.
        """
        tokens = self.tokenize(prompt)
        if not tokens.ids:
            return None
        room = self._length - 2
        states = []
        for at in range(0, len(tokens.ids), room):
            part = WeightedTokens(tokens.ids[at : at + room], tokens.weights[at : at + room])
            states.append(self._chunk(part, weights)[: len(part.ids) + 2])
        return torch.nn.functional.normalize(torch.cat(states).mean(dim=0), dim=0)

    def _chunk(self, part: WeightedTokens, weights: Hashable) -> torch.Tensor:
        key = (weights, part)
        if key in self._cache:
            self._cache.move_to_end(key)
            return self._cache[key]
        states = self._run(part.ids)
        if any(weight != 1 for weight in part.weights):
            empty = self._chunk(WeightedTokens((), ()), weights)
            emphasis = torch.ones(self._length, 1, device=states.device)
            emphasis[1 : 1 + len(part.weights), 0] = torch.tensor(part.weights, device=states.device)
            states = torch.lerp(empty, states, emphasis)
        self._cache[key] = states
        if len(self._cache) > _CACHED_CHUNKS:
            self._cache.popitem(last=False)
        return states

    @torch.inference_mode()
    def _run(self, ids: tuple[int, ...]) -> torch.Tensor:
        filled = [self._first, *ids, self._last]
        padded = filled + [self._padding] * (self._length - len(filled))
        device = self._encoder.device
        inputs = torch.tensor([padded], device=device)
        mask = torch.tensor([[1] * len(filled) + [0] * (self._length - len(filled))], device=device)
        output = self._encoder(inputs, attention_mask=mask if self._masked else None)
        return output[0][0].float()
