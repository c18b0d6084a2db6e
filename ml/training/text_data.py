"""Texts to train the small text model on: the split, the draw, and what makes them look like transcripts."""

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ml.corpora.types import LabelledUtterance
from ml.emotions import EMOTIONS

#: Longer texts are cut in training; an utterance of 15 s holds about 50 words.
MAX_TOKENS = 64
#: Of the lines before, when a model is trained with them; the oldest words are cut first.
CONTEXT_TOKENS = 40
#: Batches whose texts are drawn in one go and cut by length, so that little is padded.
TOGETHER = 16


def plain(text: str) -> str:
    """A text as an unpunctuated transcript would give it: lower case, letters, digits and apostrophes."""
    return " ".join(re.sub(r"[^\w\s']", " ", text.replace("’", "'")).lower().split())


def forms(items: Sequence[LabelledUtterance]) -> tuple[list[str], list[str]]:
    """Texts as written, and as a transcript without punctuation has them (as written where only signs are)."""
    texts = [item.text or "" for item in items]
    return texts, [plain(text) or text for text in texts]


def preceding(items: Sequence[LabelledUtterance], count: int) -> list[str]:
    """What was said before each item in its dialogue: at most `count` lines, the newest first, "" where there is none.

    Each begins with who says it, of which only a change matters: "same", as the item's speaker, or "other".
    """
    dialogues: dict[str, list[LabelledUtterance]] = {}
    result = []
    for item in items:
        earlier = dialogues.setdefault(item.dialogue or item.item_id, [])
        last = reversed(earlier[-count:] if count else [])
        result.append(" ".join(f"{'same' if line.speaker == item.speaker else 'other'}: {line.text}" for line in last))
        earlier.append(item)
    return result


def context_forms(items: Sequence[LabelledUtterance], count: int) -> tuple[list[str], list[str]]:
    """`preceding`, in the forms that `forms` gives."""
    before = preceding(items, count)
    return before, [plain(text) for text in before]


def pair_ids(tokenizer: Any, texts: Sequence[str], contexts: Sequence[str]) -> list[tuple[list[int], int]]:
    """Ids of each text and, after its [SEP], of its context; and how many of them are the text's."""
    own = tokenizer(list(texts), truncation=True, max_length=MAX_TOKENS)["input_ids"]
    before = tokenizer(list(contexts), truncation=True, max_length=CONTEXT_TOKENS)["input_ids"]
    return [(ids + (other[1:] if len(other) > 2 else []), len(ids)) for ids, other in zip(own, before, strict=True)]


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


@dataclass(frozen=True, slots=True)
class TextBatch:
    """Token ids [B, T], which of them are no padding and which are of a context [B, T] (1, else 0), labels [B]."""

    ids: Tensor
    mask: Tensor
    context: Tensor
    labels: Tensor


class TextBatches:
    """Batches drawn by odds; what a step gets depends on seed and step alone, so a resumed run sees the same texts."""

    def __init__(
        self, tokenizer: Any, items: Sequence[LabelledUtterance], *, batch: int, masked: float, context: int = 0
    ) -> None:
        """`masked` is the share of tokens hidden behind [MASK], so that no single word decides.

        `context` is how many lines of the dialogue are read before each text.
        """
        self._tokenizer, self._batch, self._masked = tokenizer, batch, masked
        self._labels = labels_of(items)
        #: As written, and as a transcript without punctuation: an even choice at every draw.
        both = zip(forms(items), context_forms(items, context), strict=True)
        self._forms = [pair_ids(tokenizer, texts, contexts) for texts, contexts in both]
        self._drawn: tuple[tuple[int, int], list[list[tuple[int, int]]]] | None = None

    def draw(self, odds: NDArray[np.float64], seed: int, step: int) -> TextBatch:
        """The texts of a step (counted from 0), by their odds [N]; one run uses the same odds throughout."""
        block, part = divmod(step, TOGETHER)
        if self._drawn is None or self._drawn[0] != (seed, block):
            self._drawn = (seed, block), self._block(odds, np.random.default_rng([seed, block]))
        chosen = self._drawn[1][part]
        ids, mask, context = self._pad(
            [self._forms[form][item] for form, item in chosen], np.random.default_rng([seed, step, 1])
        )
        return TextBatch(ids, mask, context, torch.from_numpy(self._labels[[item for _, item in chosen]]))

    def _block(self, odds: NDArray[np.float64], rng: np.random.Generator) -> list[list[tuple[int, int]]]:
        """(form, item) of the texts of `TOGETHER` batches, alike in length within a batch."""
        size = TOGETHER * self._batch
        items, chosen = rng.choice(len(odds), size=size, p=odds), rng.integers(0, len(self._forms), size=size)
        drawn = [(int(form), int(item)) for form, item in zip(chosen, items, strict=True)]
        drawn.sort(key=lambda pair: len(self._forms[pair[0]][pair[1]][0]))
        return [drawn[self._batch * int(i) : self._batch * (int(i) + 1)] for i in rng.permutation(TOGETHER)]

    def _pad(self, rows: list[tuple[list[int], int]], rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        ids, mask, context = padded(rows, int(self._tokenizer.pad_token_id))
        inner = mask.astype(bool)
        inner[:, 0] = False
        inner[np.arange(len(rows)), mask.sum(axis=1) - 1] = False
        inner[np.arange(len(rows)), [own - 1 for _, own in rows]] = False
        hidden = inner & (rng.random(ids.shape) < self._masked)
        ids[hidden] = int(self._tokenizer.mask_token_id)
        return torch.from_numpy(ids), torch.from_numpy(mask), torch.from_numpy(context)


def padded(
    rows: Sequence[tuple[list[int], int]], padding: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Ids, what is no padding and what is of a context [B, T] of rows as `pair_ids` gives them."""
    ids = np.full((len(rows), max(len(row) for row, _ in rows)), padding)
    mask, context = np.zeros_like(ids), np.zeros_like(ids)
    for index, (row, own) in enumerate(rows):
        ids[index, : len(row)] = row
        mask[index, : len(row)] = 1
        context[index, own : len(row)] = 1
    return ids, mask, context
