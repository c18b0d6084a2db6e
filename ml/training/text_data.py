"""Texts to train the small text model on: the split, the draw, and what makes them look like transcripts."""

import re
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ml.corpora.types import LabelledUtterance
from ml.emotions import EMOTIONS

#: Longer texts are cut in training; an utterance of 15 s holds about 50 words.
MAX_TOKENS = 64
#: Texts whose token lists are drawn in one go and cut by length, so that little is padded.
DRAW = 512


def plain(text: str) -> str:
    """A text as an unpunctuated transcript would give it: lower case, letters, digits and apostrophes."""
    return " ".join(re.sub(r"[^\w\s']", " ", text.replace("’", "'")).lower().split())


def labels_of(items: Sequence[LabelledUtterance]) -> NDArray[np.int64]:
    """Class numbers [N]."""
    return np.array([item.class_no for item in items], dtype=np.int64)


def hold_out(
    items: Sequence[LabelledUtterance], *, one_in: int
) -> tuple[list[LabelledUtterance], list[LabelledUtterance]]:
    """(training, development) texts; of MELD whole dialogues, since neighbouring lines resemble each other.

    By a hash of the item's name: the same texts whatever the order, the seed or what else is read.
    """
    training: list[LabelledUtterance] = []
    development: list[LabelledUtterance] = []
    for item in items:
        unit = item.item_id.rpartition("-")[0] if item.corpus == "meld" else item.item_id
        held_out = zlib.crc32(f"{item.corpus} {unit}".encode()) % one_in == 0
        (development if held_out else training).append(item)
    return training, development


def odds_of(items: Sequence[LabelledUtterance], *, shares: dict[str, float], balance: float) -> NDArray[np.float64]:
    """Chance [N] of each item in a draw: corpora by share, classes between natural (balance 0) and equal (1)."""
    labels = labels_of(items)
    corpora = np.array([item.corpus for item in items])
    odds = np.zeros(len(items))
    for corpus, share in shares.items():
        rows = corpora == corpus
        counts = np.bincount(labels[rows], minlength=len(EMOTIONS))
        weights = (1 / counts[labels[rows]]) ** balance
        odds[rows] = share * weights / weights.sum()
    total: NDArray[np.float64] = odds / odds.sum()
    return total


class TextBatches:
    """Endless batches of ids, attention mask and labels, drawn by odds."""

    def __init__(
        self,
        tokenizer: Any,
        items: Sequence[LabelledUtterance],
        odds: NDArray[np.float64],
        *,
        batch: int,
        masked: float,
        seed: int,
    ) -> None:
        """`masked` is the share of tokens hidden behind [MASK], so that no single word decides."""
        self._tokenizer, self._odds, self._batch, self._masked = tokenizer, odds, batch, masked
        self._rng = np.random.default_rng(seed)
        self._labels = labels_of(items)
        texts = [item.text or "" for item in items]
        #: As written, and as a transcript without punctuation: an even choice at every draw.
        self._forms = [self._ids(texts), self._ids([plain(text) or text for text in texts])]

    def _ids(self, texts: list[str]) -> list[list[int]]:
        ids: list[list[int]] = self._tokenizer(texts, truncation=True, max_length=MAX_TOKENS)["input_ids"]
        return ids

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield (ids [B, T], mask [B, T], labels [B])."""
        while True:
            drawn = self._rng.choice(len(self._odds), size=DRAW, p=self._odds)
            forms = self._rng.integers(0, len(self._forms), size=DRAW)
            order = sorted(range(DRAW), key=lambda i: len(self._forms[forms[i]][drawn[i]]))
            parts = [order[start : start + self._batch] for start in range(0, DRAW, self._batch)]
            for part in self._rng.permutation(len(parts)):
                rows = parts[part]
                ids, mask = self._pad([self._forms[forms[i]][drawn[i]] for i in rows])
                yield ids, mask, torch.from_numpy(self._labels[drawn[rows]])

    def _pad(self, rows: list[list[int]]) -> tuple[Tensor, Tensor]:
        longest = max(len(row) for row in rows)
        ids = np.full((len(rows), longest), int(self._tokenizer.pad_token_id))
        mask = np.zeros_like(ids)
        for index, row in enumerate(rows):
            ids[index, : len(row)] = row
            mask[index, : len(row)] = 1
        inner = mask.astype(bool)
        inner[:, 0] = False
        inner[np.arange(len(rows)), mask.sum(axis=1) - 1] = False
        hidden = inner & (self._rng.random(ids.shape) < self._masked)
        ids[hidden] = int(self._tokenizer.mask_token_id)
        return torch.from_numpy(ids), torch.from_numpy(mask)
