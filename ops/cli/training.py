"""`tenor train` and `tenor evaluate` at work: options to a plan, a run, and what is printed of it."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from ml.device import torch_device
from ml.errors import TenorError
from ml.experiments import baselines
from ml.experiments.context import Context
from ml.experiments.dataset import classes_of
from ml.experiments.plan import (
    PAPER_SPEECH,
    PAPER_TEXT,
    SHIPPED_SPEECH,
    SHIPPED_TEXT,
    VARIANTS,
    Plan,
    PlanUnsuitable,
    has_trained,
)
from ml.experiments.recipes import train_makiuchi, train_text
from ml.reports.digest import write_digest
from ml.reports.markdown import interval, share
from ml.reports.writing import write_report
from ml.training.features import CachePlace
from ml.training.trainer import Schedule
from ops.cli.reproducing import versions
from ops.cli.session import Session
from ops.cli.watching import watching
from workers.settings import load_settings

#: The default schedule of texts, which are many and small.
TEXT_SCHEDULE = Schedule(steps=4000, batch=32, rate=1e-3)
#: The paper's steps and batch for texts (source A, section 4.2).
PAPER_TEXT_STEPS, PAPER_TEXT_BATCH = 412_800, 4
ALL_BASELINES = ("mel", *dict.fromkeys((*baselines.SPEECH, *baselines.TEXT)))


class CorpusPlaceUnknown(TenorError):
    """A corpus was named without a folder."""

    code = "corpus_place_unknown"
    hint = "Say --corpus NAME=PATH, or name the folder that holds it with --data or TENOR_DATA_DIR."


@dataclass(frozen=True, slots=True)
class Options:
    """What was typed; None where nothing was."""

    recipe: str
    corpus: list[str]
    data: Path | None
    encoder: str | None
    text_encoder: str | None
    encoders: str | None
    text_corpus: list[str] | None
    variant: str
    compare: str | None
    faithful: bool
    classes: str
    folds: str | None
    only_folds: int | None
    steps: int | None
    batch: int | None
    rate: float | None
    judge_every: int | None
    patience: int | None
    channels: int | None
    class_weights: bool
    baselines: bool
    probe: bool
    bundle: bool
    out: Path | None
    resume: bool
    workers: int
    cache: Path | None
    cache_gb: float
    device: str | None
    seed: int
    digest: Path | None

    def plan(self) -> Plan:
        """The plan that the options make; raises `PlanUnsuitable` and others."""
        data = self.data or load_settings().data_dir
        places = tuple(_place(said, data) for said in self.corpus)
        return Plan(
            recipe=self.recipe,
            corpora=places,
            text_corpora=tuple(_place(said, data) for said in self.text_corpus or ()),
            classes=classes_of(self.classes),
            encoder=self.encoder or (PAPER_SPEECH if self.faithful else SHIPPED_SPEECH),
            text_encoders=self._text_encoders(),
            variants=self._variants(),
            folds=self.folds,
            only_folds=self.only_folds,
            faithful=self.faithful,
            channels=self.channels,
            weighted=self.class_weights,
            schedule=self._schedule(Schedule.paper() if self.faithful else Schedule()),
            text_schedule=self._schedule(
                Schedule.paper(PAPER_TEXT_STEPS, PAPER_TEXT_BATCH) if self.faithful else TEXT_SCHEDULE
            ),
            baselines=ALL_BASELINES if self.baselines else (),
            probe=self.probe,
            bundle=self.bundle,
            seed=self.seed,
            device=_device(self.device),
        )

    def _schedule(self, schedule: Schedule) -> Schedule:
        given: dict[str, Any] = {
            "steps": self.steps,
            "batch": self.batch,
            "rate": self.rate,
            "judge_every": self.judge_every,
            "patience": None if self.faithful else self.patience,
        }
        return replace(schedule, **{name: value for name, value in given.items() if value is not None})

    def _variants(self) -> tuple[str, ...]:
        names = tuple(dict.fromkeys((self.compare or self.variant).replace(" ", "").split(",")))
        if unknown := [name for name in names if name not in VARIANTS]:
            raise PlanUnsuitable(f"there is no variant {unknown[0]}", hint=f"Compare some of {', '.join(VARIANTS)}.")
        return names

    def _text_encoders(self) -> tuple[str, ...]:
        if self.encoders:
            return tuple(name.strip() for name in self.encoders.split(","))
        if self.text_encoder:
            return (self.text_encoder,)
        if self.faithful:
            return (PAPER_TEXT,)
        return (SHIPPED_TEXT,) if self.recipe == "text" or self.text_corpus else ()


def _device(said: str | None) -> str:
    """The device that was typed, else that of the settings."""
    chosen = said or load_settings().device
    return torch_device(chosen)


def _place(said: str, data: Path | None) -> tuple[str, str]:
    """A corpus's name and its absolute folder."""
    name, _, folder = said.partition("=")
    if folder:
        return name, str(Path(folder).expanduser().resolve())
    if data is None:
        raise CorpusPlaceUnknown(f"where the corpus {name} lies was not said")
    found = next((path for path in (data / name, data / "text" / name) if path.exists()), None)
    if found is None:
        raise CorpusPlaceUnknown(f"{data} holds no {name}")
    return name, str(found.resolve())


def train(session: Session, options: Options, command: str) -> None:
    """Run a recipe, write its report with the command that makes it again, and show it."""
    plan = options.plan()
    # A faithful run has the name by which the profile of that recipe finds its models.
    name = plan.recipe if plan.faithful else "-".join([plan.recipe, *(corpus for corpus, _ in plan.corpora)])
    out = options.out or load_settings().models / name
    plan.begin(out, resume=options.resume)
    folder = options.cache or load_settings().home / "features"
    with watching(session.err) as watch:
        context = Context(plan, out, CachePlace(folder, int(options.cache_gb * 1e9)), options.workers, watch)
        try:
            report = (train_text if plan.recipe == "text" else train_makiuchi)(context)
        except KeyboardInterrupt:
            if has_trained(out):
                session.say(f"What was trained is kept in {out}: the same command with --resume goes on.")
            raise
    report |= {"command": command, "versions": versions()}
    path = write_report(report, out)
    if options.digest is not None:
        write_digest(report, options.digest)
    if session.json_output:
        session.document(report)
        return
    _show(session, report, path)


def _show(session: Session, report: dict[str, Any], path: Path) -> None:
    rows = [*report["rows"], *report.get("text", {}).get("rows", ()), *report.get("fusion", {}).get("rows", ())]
    session.out.print(figures_table(rows))
    for line in report["notes"]:
        session.print(f"Note: {line}.")
    for absent in report.get("missing", ()):
        session.print(f"Note: {absent['name']} is missing: {'; '.join(absent['notes'])}")
    if "fusion" in report:
        session.print(f"Note: {report['fusion']['note']}.")
    session.print(f"Report: {path}")
    if profile := report.get("bundles", {}).get("profile"):
        session.print(f"Use it: tenor analyze RECORDINGS --profile {profile}")
    elif text := report.get("bundles", {}).get("text"):
        session.print(f'Use it: [text] bundle = "{text}" in a profile')


def figures_table(rows: list[dict[str, Any]]) -> Table:
    """The main figures of a report or an evaluation."""
    table = Table(box=SIMPLE_HEAD)
    table.add_column("model", overflow="fold")
    for name in ("n", "accuracy", "balanced accuracy", "macro-F1", "weighted F1", "ECE"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        error = row["ece_before"] if row["ece_after"] is None else row["ece_after"]
        table.add_row(
            row["name"],
            str(row["n"]),
            interval(row["accuracy"]),
            interval(row["balanced_accuracy"]),
            share(row["macro_f1"]),
            share(row["weighted_f1"]),
            share(error),
        )
    return table


def evaluate(
    session: Session,
    profile: str,
    corpus: str,
    place: Path,
    classes: str | None,
    split: str | None,
    device: str | None,
    digest: Path | None,
    command: str,
) -> None:
    """Measure a profile and show the figures."""
    from ml.experiments.evaluation import evaluate as measure

    with watching(session.err) as watch:
        found = measure(
            profile,
            corpus,
            place,
            classes=None if classes is None else classes_of(classes),
            split=split,
            device=_device(device),
            counted=watch.counted,
            trained=load_settings().models,
        )
    found |= {"command": command, "versions": versions()}
    if digest is not None:
        write_digest(found, digest)
    if session.json_output:
        session.document(found)
        return
    table = Table(box=SIMPLE_HEAD)
    for name in ("side", "n", "accuracy", "balanced accuracy", "macro-F1", "weighted F1", "ECE"):
        table.add_column(name, justify="left" if name == "side" else "right", no_wrap=True)
    for side, row in found["modalities"].items():
        if row is not None:
            values = (row[name] for name in ("accuracy", "balanced_accuracy", "macro_f1", "weighted_f1", "ece"))
            table.add_row(side, str(row["n"]), *map(share, values))
    session.out.print(table)
    for line in found["notes"]:
        session.print(f"Note: {line}.")
