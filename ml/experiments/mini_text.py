"""Make the shipped text model: `python -m ml.experiments.mini_text --goemotions … --meld … --out …`.

Trains (`ml.training.train_text`, resumable), then writes beside the bundle `report.json` with what it is worth, the
simple models of `baselines` on the same lines, and the model card, which says nothing that is not in the report.
"""

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.bundles.meta import CARD, BundleMeta, read_meta
from ml.corpora.types import LabelledUtterance
from ml.emotions import EMOTIONS
from ml.encoders.text import TextEncoder
from ml.experiments.baselines import POOLED, majority, over_rows, plain_linear, tfidf
from ml.experiments.outcomes import Outcome, figures
from ml.models.calibration import log_softmax
from ml.reports.text_card import text_card
from ml.training.checkpoint import write_json
from ml.training.splits import Fold
from ml.training.text_data import labels_of
from ml.training.train_text import FORMS, HELD_OUT, SOURCE, STAGES, Texts, Trained, make, parser

REPORT = "report.json"


def pooled(texts: Sequence[str]) -> NDArray[np.float32]:
    """[N, width]: the mean over the token vectors of the encoder as it was published."""
    encoder = TextEncoder.load(SOURCE)
    none = np.zeros(encoder.hidden_size, np.float32)
    return np.stack([own.mean(axis=0) if len(own) else none for own in encoder.encode(texts)])


def floors(items: Sequence[LabelledUtterance], tested: int) -> list[Outcome]:
    """What a user would try first, trained on all but the last `tested` items and tested on those."""
    labels, trained = labels_of(items), len(items) - tested
    fold = Fold("dev", np.arange(trained), np.arange(0), np.arange(trained, len(items)))
    rows = pooled([item.text or "" for item in items])
    return [
        majority(labels, [fold]),
        tfidf(items, labels, [fold]),
        over_rows(POOLED, rows, labels, [fold], plain_linear),
    ]


def of_model(trained: Trained, corpus: str) -> list[Outcome]:
    """The model on a corpus, as written and without punctuation, before and after calibration."""
    result = []
    for form in FORMS:
        before = np.exp(log_softmax(trained.test_logits[corpus + form]))
        after = trained.test_probabilities(corpus + form)
        name = "mini-text" + form.replace("_", " ")
        result.append(Outcome(name, np.arange(len(after)), after.argmax(axis=1), before, after))
    return result


def rows_of(outcomes: Sequence[Outcome], items: Sequence[LabelledUtterance]) -> list[dict[str, Any]]:
    """Rows of the report; intervals are over dialogues where there are any."""
    groups = [item.dialogue or item.item_id for item in items]
    return [figures(outcome, labels_of(items), groups, EMOTIONS) for outcome in outcomes]


def report_of(trained: Trained, texts: Texts, meta: BundleMeta, options: argparse.Namespace) -> dict[str, Any]:
    """Everything that the card says."""
    test = {name: [item for item in texts.test if item.corpus == name] for name in ("meld", "goemotions")}
    lines = [it for it in [*texts.training, *texts.development] if it.corpus == "meld"]
    counts = {
        part: {name: sum(item.corpus == name for item in items) for name in test}
        for part, items in (("training", texts.training), ("development", texts.development), ("test", texts.test))
    }
    baselines = floors([*lines, *test["meld"]], len(test["meld"]))
    offset = len(lines)
    baselines = [Outcome(it.name, it.items - offset, it.predicted, kind=it.kind) for it in baselines]
    return {
        "name": meta.name,
        "classes": list(EMOTIONS),
        "languages": list(meta.languages),
        "licence": meta.licence,
        "notice": meta.notice,
        "training_data": list(meta.training_data),
        "sha256": meta.sha256,
        "temperature": meta.temperature,
        "layers": options.layers,
        "seed": options.seed,
        "stages": {name: asdict(stage) for name, stage in STAGES.items()},
        "held_out": HELD_OUT,
        "counts": counts,
        "meld": rows_of([*of_model(trained, "meld"), *baselines], test["meld"]),
        "goemotions": rows_of(of_model(trained, "goemotions"), test["goemotions"]),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Bundle, report and card."""
    options = parser().parse_args(arguments)
    out: Path = options.out
    trained, texts = make(options)
    report = report_of(trained, texts, read_meta(str(out)), options)
    write_json(out / REPORT, report)
    (out / CARD).write_text(text_card(report), encoding="utf-8")


if __name__ == "__main__":
    main()
