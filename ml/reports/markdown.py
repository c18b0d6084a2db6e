"""A report as a text for people, in Markdown."""

from collections.abc import Iterable, Sequence
from typing import Any

from ml.reports.paper import MAKIUCHI_2021, WHOSE

DEFINITIONS = (
    "Accuracy is the share of items that are right (WA); balanced accuracy is the mean over classes of their recall "
    "(UA, UAR). In brackets: 95 % confidence intervals by bootstrap over speakers. ECE is the expected calibration "
    "error over 15 bins, before and after temperature scaling on the development items."
)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table; the first column is text, all others are figures."""
    lines = ["| " + " | ".join(header) + " |", "|---|" + "---:|" * (len(header) - 1)]
    return lines + ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]


def share(value: float | None, digits: int = 3) -> str:
    """A figure, – where there is none."""
    return "–" if value is None else f"{value:.{digits}f}"


def interval(value: dict[str, float]) -> str:
    """A figure with its confidence interval."""
    return f"{value['value']:.3f} [{value['low']:.3f}, {value['high']:.3f}]"


def metrics_table(rows: Sequence[dict[str, Any]], classes: Sequence[str]) -> list[str]:
    """The main table: a row per model and baseline."""
    header = [
        *("model", "n", "accuracy", "balanced accuracy", "macro-F1", "weighted F1"),
        *(f"recall {name}" for name in classes),
        *("ECE before", "ECE after"),
    ]
    return table(
        header,
        (
            [
                row["name"] if row["kind"] != "baseline" else f"*{row['name']}*",
                str(row["n"]),
                interval(row["accuracy"]),
                interval(row["balanced_accuracy"]),
                share(row["macro_f1"]),
                share(row["weighted_f1"]),
                *(share(row["recall"][name], 2) for name in classes),
                share(row["ece_before"]),
                share(row["ece_after"]),
            ]
            for row in rows
        ),
    )


def markdown(report: dict[str, Any]) -> str:
    """The whole report; pictures lie beside it."""
    lines = [f"# {title(report)}", "", *results(report)]
    lines += ["", "![confusion](confusion.png) ![reliability](reliability.png) ![curves](curves.png)", ""]
    for part in (details, _paper, _notes, _use):
        lines += part(report)
    return "\n".join(lines).rstrip() + "\n"


def title(report: dict[str, Any]) -> str:
    """What was trained on what."""
    return f"{report['recipe']} on {', '.join(part['corpus'] for part in report['data'])}"


def results(report: dict[str, Any]) -> list[str]:
    """Data, budget and the main table."""
    lines = _setting(report)
    lines += ["## Results", "", *metrics_table(report["rows"], report["classes"]), "", DEFINITIONS]
    lines += ["Rows in italics are baselines in the same folds."]
    lines += [f"*{row['name']}*: {' '.join(row['notes'])}" for row in report.get("missing", ())]
    return lines


def details(report: dict[str, Any]) -> list[str]:
    """What went into the models, reconstruction, speakers in the codes, text, fusion."""
    lines = ["## Training", "", *trained_table(report["trained"]), ""]
    for part in (_reconstruction, _probe, _text, _fusion):
        lines += part(report)
    return lines


def _setting(report: dict[str, Any]) -> list[str]:
    plan, folds = report["plan"], report["folds"]
    schedule = plan["schedule"] if plan["recipe"] != "text" else plan["text_schedule"]
    stop = "no early stopping" if schedule["patience"] is None else "the step with the best development score is kept"
    held = {"session": "one session left out", "speaker": "one speaker left out", "split": "the corpus's own split"}
    lines = table(
        ["corpus", "items", "speakers", *report["classes"]],
        (
            [p["corpus"], str(p["items"]), str(p["speakers"]), *(str(p["labels"][c]) for c in report["classes"])]
            for p in report["data"]
        ),
    )
    how = held.get(folds["kind"], "folds of whole speakers")
    lines += ["", f"{len(folds['names'])} test folds ({how}): {', '.join(folds['names'])}."]
    encoder = "" if plan["recipe"] == "text" else f"Encoder `{plan['encoder']}`, frozen; "
    if plan["channels"] is not None and encoder:
        encoder += f"convolutions of {plan['channels']} channels; "
    if plan["only_folds"]:
        lines += [f"A smaller budget was asked for: only the first {plan['only_folds']} of the folds."]
    lines += [
        f"{encoder}{'the released configuration' if plan['faithful'] else 'the corrected configuration'}; Adam at "
        f"{schedule['rate']:g}, batches of {schedule['batch']}, at most {schedule['steps']:,} steps, {stop}; "
        f"seed {plan['seed']}. Data set `{report['fingerprint'][:16]}`.",
        "",
        f"    {report['command']}",
        "",
    ]
    return lines


def trained_table(rows: Sequence[dict[str, Any]]) -> list[str]:
    """What went into every model."""
    return table(
        ["model", "parameters", "steps by fold", "kept"],
        (
            [r["name"], f"{r['parameters']:,}", " ".join(map(str, r["steps"])), " ".join(map(str, r["kept"]))]
            for r in rows
        ),
    )


def _reconstruction(report: dict[str, Any]) -> list[str]:
    rows = report.get("reconstruction")
    if not rows:
        return []
    cells = (
        [r["variant"], share(r["model"], 5), share(r["mean_mel"], 5), _ratio(r["model"], r["mean_mel"])] for r in rows
    )
    return [
        *("## Reconstruction on unseen speakers", ""),
        *table(["variant", "squared error", "of the mean mel frame", "ratio"], cells),
        *("", "Of the log-mel spectrogram in [0, 1]; below 1 the codes say more than the mean frame of training.", ""),
    ]


def _ratio(model: float | None, mean: float | None) -> str:
    return "–" if model is None or not mean else f"{model / mean:.2f}"


def _probe(report: dict[str, Any]) -> list[str]:
    rows = report.get("probe")
    if not rows:
        return []
    cells = (
        [
            r["variant"],
            *(str(r[name]) for name in ("numbers_per_segment", "speakers", "utterances")),
            *(share(r[name]) for name in ("accuracy", "chance")),
        ]
        for r in rows
    )
    return [
        *("## Speakers in the codes", ""),
        *table(["codes", "numbers per 1.92 s", "speakers", "utterances", "speaker accuracy", "chance"], cells),
        *(
            "",
            "A probe learns the training speakers from codes alone, and is tested on a fifth of their utterances that",
        ),
        *("it has not seen (section 6.2 of the paper, whose own figures are not public). Less is better.", ""),
    ]


def _text(report: dict[str, Any]) -> list[str]:
    part = report.get("text")
    if part is None:
        return []
    return [
        "## Text",
        "",
        f"Folds: {', '.join(part['folds']['names'])}.",
        "",
        *metrics_table(part["rows"], report["classes"]),
        "",
    ]


def _fusion(report: dict[str, Any]) -> list[str]:
    part = report.get("fusion")
    if part is None:
        return []
    cells = (
        [f"{r['w_speech']:.1f} / {r['w_text']:.1f}", share(r["accuracy"]), share(r["balanced_accuracy"])]
        for r in part["sweep"]
    )
    title = "Speech and text, artificially paired" if part["artificial"] else "Speech and text"
    return [
        *(f"## {title}", "", f"{part['note'][0].upper()}{part['note'][1:]}.", ""),
        *metrics_table(part["rows"], report["classes"]),
        *(
            "",
            f"Weights: speech {part['w_speech']}, text {part['w_text']} (mean over the folds). All weights, on test:",
            "",
        ),
        *table(["w1 / w2", "accuracy", "balanced accuracy"], cells),
        "",
    ]


def _paper(report: dict[str, Any]) -> list[str]:
    if not report["recipe"].startswith("makiuchi"):
        return []
    return [
        *("## The paper's figures", "", WHOSE, ""),
        *table(["model", "per cent"], ([f"theirs: {name}", f"{value:.1f}"] for name, value in MAKIUCHI_2021)),
        "",
    ]


def _notes(report: dict[str, Any]) -> list[str]:
    licences = [f"{name}: {licence}" for name, licence in report["licences"].items()]
    said = [*report["notes"], *(f"licence of {line}" for line in licences)]
    return ["## Notes", "", *(f"- {line}" for line in said), ""] if said else []


def _use(report: dict[str, Any]) -> list[str]:
    if not report.get("bundles"):
        return []
    lines = ["## Using it", "", *(f"- {side}: `{where}`" for side, where in report["bundles"].items())]
    if profile := report["bundles"].get("profile"):
        lines += ["", f"    tenor analyze RECORDINGS --profile {profile}"]
    return lines
