"""The report of a retraining run: the decision first, then what it rests on."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ml.reports.markdown import share, table
from ml.reports.pictures import COLOURS, figure_of, save_confusion

TEXT = "report.md"
_READING = (
    "Balanced accuracy is the mean over classes of their recall. The difference is challenger minus champion, with its "
    "95 % interval by paired bootstrap over speakers (over utterances where there are fewer than four speakers). Both "
    "versions have temperatures and fusion weights fitted on the same development speakers. A challenger is promoted "
    "when the whole interval on new people lies above zero, and it is not worse on any earlier corpus, in any group, "
    "by voice alone or by words alone."
)


def write_report(report: Mapping[str, Any], folder: Path) -> Path:
    """Write report.md with its pictures into the run's folder; returns the text's path."""
    folder.mkdir(parents=True, exist_ok=True)
    judged = report["judgement"]
    save_differences(
        [judged["new"], *judged["earlier"], *judged["groups"], *judged.get("sides", [])], folder / "differences.png"
    )
    rows = [
        {"name": who, "n": judged["new"]["items"], "confusion": facts["confusion"]}
        for who, facts in judged["versions"].items()
        if facts["confusion"]
    ]
    if rows:
        save_confusion(rows, judged["classes"], folder / "confusion.png")
    path = folder / TEXT
    path.write_text(markdown(report), encoding="utf-8")
    return path


def markdown(report: Mapping[str, Any]) -> str:
    """The text; pictures lie beside it."""
    judged = report["judgement"]
    decision = judged["decision"]
    verdict = "passed the gate" if decision["passed"] else "refused"
    lines = [
        *(f"# Retraining run {report['run']} of {report['profile']}: {verdict}", ""),
        *(f"{decision['reason'][0].upper()}{decision['reason'][1:]}.", ""),
        *_comparisons(judged),
        *("", _READING, "", "![differences](differences.png) ![confusion](confusion.png)", ""),
        *_data(report),
        *_training(report.get("training", {})),
        *_versions(report),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _comparisons(judged: Mapping[str, Any]) -> list[str]:
    parts = [("", [judged["new"]]), ("earlier: ", judged["earlier"]), ("group: ", judged["groups"]),
             ("", judged.get("sides", []))]  # fmt: skip
    return table(
        ["measured on", "utterances", "people", "champion", "challenger", "difference", "95 %"],
        (
            [
                f"{prefix}{one['name']}", str(one["items"]), str(one["speakers"]), share(one["champion"]),
                share(one["challenger"]), f"{one['difference']:+.3f}", f"[{one['low']:+.3f}, {one['high']:+.3f}]",
            ]
            for prefix, ones in parts
            for one in ones
        ),
    )  # fmt: skip


def _data(report: Mapping[str, Any]) -> list[str]:
    learned, held = report["learned"], report["held"]
    classes = sorted({*learned["classes"], *held["classes"]})
    rows = [
        [name, str(own["utterances"]), str(own["speakers"]), *(str(own["classes"].get(c, 0)) for c in classes)]
        for name, own in (("learned from", learned), ("new people", held))
    ]
    lines = ["## Data", "", *table(["", "utterances", "people", *classes], rows), ""]
    if heard := report.get("unlabelled"):
        lines += [
            f"Heard without labels: {heard['utterances']} utterances of {heard['speakers']} people,"
            f" {heard['with_words']} of them with words or with what the text model said of them.",
            "",
        ]
    firsts = report.get("left_out_first", {})
    if said := [
        f"{count} × {why}{f' (first {firsts[why]})' if why in firsts else ''}"
        for why, count in report.get("left_out", {}).items()
        if count
    ]:
        lines += [f"Labels left out: {'; '.join(said)}.", ""]
    check = report.get("label_check") or {}
    if check.get("contradicted") is not None:
        trusted = check["trusted_contradicted"]
        beside = "" if trusted is None else f" (of {check['trusted_items']} trusted ones: {trusted:.0%})"
        lines += [
            f"Of the quarter of {check['items']} new labels that a probe can tell best on people it has not heard, "
            f"{check['contradicted']:.0%} are contradicted by it{beside}.",
            "",
        ]
    return lines


def _training(found: Mapping[str, Any]) -> list[str]:
    if not found:
        return []
    lines = ["## Training", ""]
    if found.get("methods"):
        lines += [f"Method: {' + '.join(found['methods'])}."]
    if words := found.get("text"):
        lines += [f"The text model was trained on, over {words['texts']} texts."]
    if found.get("sources"):
        lines += [f"Earlier corpora learned from as well: {', '.join(found['sources'])}."]
    related = {name: value for name, value in (found.get("relatedness") or {}).items() if isinstance(value, float)}
    if related:
        said = ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in related.items())
        lines += [f"How related the new data are to the old, before training: {said}."]
    if size := found.get("effective_sample_size"):
        lines += [f"Effective sample size of the weights: {size}."]
    return [*lines, ""]


def _versions(report: Mapping[str, Any]) -> list[str]:
    fitted, judged = report.get("refitted", {}), report["judgement"]["versions"]
    rows = [
        [
            who,
            share(facts["calibration_error"]),
            share(facts["group_gap"]),
            *(share(fitted.get(who, {}).get(name)) for name in ("temperature_speech", "w_speech", "w_text")),
        ]
        for who, facts in judged.items()
    ]
    header = ["version", "ECE", "gap between groups", "temperature", "w speech", "w text"]
    return ["## Calibration and groups", "", *table(header, rows), ""]


def save_differences(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Differences with their intervals, one line each; right of zero the challenger is better."""
    figure, (axis,) = figure_of(1, 6.4, 1.0 + 0.36 * len(rows))
    places = range(len(rows) - 1, -1, -1)
    for place, one in zip(places, rows, strict=True):
        colour = COLOURS[2] if one["low"] > 0 else COLOURS[1] if one["high"] < 0 else COLOURS[6]
        axis.plot([one["low"], one["high"]], [place, place], color=colour, lw=2)
        axis.plot([one["difference"]], [place], "o", color=colour, ms=5)
    axis.axvline(0.0, color="#444444", lw=0.8)
    axis.set_yticks(list(places), [str(one["name"]) for one in rows], fontsize=8)
    axis.set_xlabel("balanced accuracy, challenger minus champion", fontsize=8)
    figure.savefig(path)
