"""Make the shipped text model: `python -m ml.experiments.mini_text --goemotions … --meld … --out …`.

Trains (`ml.training.train_text`, resumable), then writes beside the bundle `report.json` with what it is worth, the
simple models of `baselines` on the same lines, and the model card, which says nothing that is not in the report.

`--context 2` makes nothing that ships: it trains the shipped model for one stage more, once with the two lines that
came before each in its dialogue and once without, for several seeds, and writes what that brings to `OUT`, a JSON file.
"""

import argparse
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.bundles import load_bundle
from ml.bundles.meta import CARD, BundleMeta, read_meta
from ml.corpora.types import LabelledUtterance
from ml.emotions import EMOTIONS
from ml.encoders.text import TextEncoder
from ml.experiments.baselines import POOLED, majority, over_rows, plain_linear, tfidf
from ml.experiments.outcomes import Outcome, figures
from ml.models.calibration import fit_temperature, log_softmax
from ml.models.makiuchi.text import TextEmotionCnn
from ml.reports.text_card import text_card
from ml.training.checkpoint import write_json
from ml.training.metrics import balanced_accuracy, expected_calibration_error, weighted_f1
from ml.training.splits import Fold
from ml.training.text_data import context_forms, forms, labels_of
from ml.training.text_loop import Stage, TextLoop
from ml.training.text_model import TextModel
from ml.training.train_text import FORMS, HELD_OUT, SOURCE, STAGES, Texts, Trained, as_frequent_as_in, make, parser

REPORT = "report.json"
#: The row of all seeds' mean.
TOGETHER = "mean of their probabilities"
#: One more for the shipped model, with what was said before or without it.
ONCE_MORE = Stage(steps=300, rate=1e-4, head_rate=1e-3, goemotions=0.1, balance=0.15, save_every=50)


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


def once_more(texts: Texts, context: int, seed: int, options: argparse.Namespace) -> tuple[TextModel, float]:
    """The shipped model after `ONCE_MORE`, and the temperature that fits the held-out dialogues."""
    shipped, stage = load_bundle("shipped:mini-text"), replace(ONCE_MORE, context=context)
    head = TextEmotionCnn.from_config(shipped.meta.config["head"]).config
    model = TextModel(TextEncoder.load(SOURCE), head, layers=options.layers)
    model.restore(shipped.tensors)
    checkpoint = options.out.with_suffix(".work") / f"context-{context}-{seed}.safetensors"
    TextLoop(model, stage, seed=seed, device="cpu", checkpoint=checkpoint).run(texts.training)
    model.restore(as_frequent_as_in(model.learned(), texts.training, stage.balance))
    lines = [item for item in texts.development if item.corpus == "meld"]
    logits = np.concatenate([read(model, lines, context, form) for form in range(len(FORMS))])
    return model, fit_temperature(logits, np.tile(labels_of(lines), len(FORMS)))


def read(model: TextModel, items: Sequence[LabelledUtterance], context: int, form: int) -> NDArray[np.float64]:
    """[N, 7] of items in a form, after `context` lines before each."""
    return model.log_probabilities_in_context(forms(items)[form], context_forms(items, context)[form])


def of_context(options: argparse.Namespace) -> None:
    """Write what reading the lines before brings on MELD's dev file: a row per seed without them and with them.

    And for the mean of the seeds' probabilities, as far as one model that learned from all of them could come. The file
    is written after each row, so an end that came early leaves what there was.
    """
    texts = Texts.read(options.goemotions, options.meld)
    test = [item for item in texts.test if item.corpus == "meld"]
    report: dict[str, Any] = {
        "experiment": "context",
        "stage": asdict(ONCE_MORE),
        "n": len(test),
        "seed": options.seed,
        "rows": [],
    }

    def add(context: int, name: str, probabilities: NDArray[np.float64]) -> None:
        labels, predicted = labels_of(test), probabilities.argmax(axis=1)
        row = {
            "context": context,
            "seed": name,
            "weighted_f1": weighted_f1(labels, predicted),
            "balanced_accuracy": balanced_accuracy(labels, predicted),
            "ece": expected_calibration_error(probabilities, labels),
        }
        print(row, flush=True)
        report["rows"] = [*report["rows"], row]
        write_json(options.out, report)

    said: dict[int, list[NDArray[np.float64]]] = {0: [], options.context: []}
    for seed in range(options.seed, options.seed + options.repeats):
        for context, own in said.items():
            model, temperature = once_more(texts, context, seed, options)
            own.append(np.exp(log_softmax(read(model, test, context, 0) / temperature)))
            add(context, str(seed), own[-1])
    for context, own in said.items():
        add(context, TOGETHER, np.mean(own, axis=0))


def main(arguments: Sequence[str] | None = None) -> None:
    """Bundle, report and card; or the figures of an experiment."""
    own = parser()
    own.add_argument("--context", type=int, help="measure what so many lines before each would bring, no bundle")
    own.add_argument("--repeats", type=int, default=3, help="with --context: seeds, from --seed on")
    options = own.parse_args(arguments)
    out: Path = options.out
    if options.context:
        of_context(options)
        return
    trained, texts = make(options)
    report = report_of(trained, texts, read_meta(str(out)), options)
    write_json(out / REPORT, report)
    (out / CARD).write_text(text_card(report), encoding="utf-8")


if __name__ == "__main__":
    main()
