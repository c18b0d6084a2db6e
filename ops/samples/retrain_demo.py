"""`make retrain-demo`: from labels to a better model by itself, a poisoned set refused, and the way back.

Everything is done by the commands that a person types, in a home of its own that is removed at the end.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from ml.corpora.registry import corpus
from ml.training.metrics import balanced_accuracy
from ops.samples.acted import CLASSES, Clip, copied, write_corpus, write_labels

#: Quick turns: the schedule is looked at every two seconds.
SETTINGS = {"TENOR_RETRAIN_TICK_S": "2", "TENOR_SWEEP_S": "2", "TENOR_LEASE_S": "15", "COLUMNS": "160"}
#: Of the target's speakers: first labelled, later labelled wrongly, and never labelled.
FIRST, POISONED = 12, 4
FLIPPED = 0.3
PATIENCE_S = 3600.0


@dataclass(frozen=True, slots=True)
class Scene:
    """What the demonstration works with."""

    #: What the champion is trained on, as `--corpus` takes it, and what training takes beside.
    corpus: str
    training: Sequence[str]
    #: The archive to analyse, and what is true of it.
    archive: Path
    clips: list[Clip]
    settings: Sequence[str]


@dataclass
class Stage:
    """A home with everything running, and the command line to talk to it."""

    home: Path
    console: Console
    rows: list[tuple[str, str, str]] = field(default_factory=list)

    def tenor(self, *arguments: str) -> Any:
        """Run a command, show it, and return what it answers in JSON."""
        self.console.print(
            f"$ tenor {' '.join(arguments)}", style="bold", markup=False, highlight=False, soft_wrap=True
        )
        plain = {name: value for name, value in os.environ.items() if not name.startswith("TENOR_")}
        done = subprocess.run(
            [sys.executable, "-m", "ops.cli", *arguments, "--json"],
            env={**plain, **SETTINGS, "TENOR_HOME": str(self.home)},
            stdout=subprocess.PIPE,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"tenor {arguments[0]} ended with {done.returncode}")
        return json.loads(done.stdout)

    def quietly(self, *arguments: str) -> Any:
        """The same without showing it, for looking again and again."""
        console, self.console = self.console, Console(quiet=True)
        try:
            return self.tenor(*arguments)
        finally:
            self.console = console

    def note(self, what: str, figure: str, outcome: str) -> None:
        """A row of the table, said at once too."""
        self.rows.append((what, figure, outcome))
        self.console.print(f"  {what}: {figure} {outcome}".rstrip(), markup=False, highlight=False)

    def run_after(self, earlier: int) -> dict[str, Any]:
        """Wait for the run that the schedule makes, to its end."""
        deadline, said = time.monotonic() + PATIENCE_S, ""
        while time.monotonic() < deadline:
            newer = [run for run in self.quietly("models", "runs") if run["run"] > earlier]
            if newer:
                run: dict[str, Any] = newer[-1]
                line = f"  run {run['run']} ({run['trigger']}): {run['stage']} {run['state']}"
                if line != said:
                    self.console.print(line, highlight=False)
                    said = line
                if run["state"] in {"done", "refused", "failed", "cancelled"}:
                    return run
            time.sleep(1.0)
        raise SystemExit("no run came to an end")

    def job_done(self, job: int) -> None:
        """Wait for a job."""
        while self.quietly("status", str(job))["state"] not in {"done", "failed", "cancelled"}:
            time.sleep(1.0)

    def accuracy(self, job: int, clips: Sequence[Clip], archive: Path) -> float:
        """Balanced accuracy of a job on recordings whose labels nobody has imported."""
        rows = self.quietly(
            "sql",
            "select distinct on (recording) recording, label from job_emotions"
            f" where job_id = {job} and label is not null order by recording, end_s - start_s desc",
        )
        said = {row["recording"]: row["label"] for row in rows}
        known = [(clip.label, said[name]) for clip in clips if (name := str(clip.path.relative_to(archive))) in said]
        true, found = (np.asarray([CLASSES.index(pair[side]) if pair[side] in CLASSES else -1 for pair in known])
                       for side in (0, 1))  # fmt: skip
        return balanced_accuracy(true.astype(np.int64), found.astype(np.int64))


def generated(folder: Path) -> Scene:
    """The small corpus that Tenor generates: a studio, and calls in which labels sound otherwise."""
    studio = write_corpus(folder / "studio", [f"actor-{n:02}" for n in range(8)], 6, "studio")
    write_labels(studio, folder / "studio.csv")
    calls = write_corpus(folder / "calls", [f"caller-{n:02}" for n in range(20)], 4, "telephone", seed=1)
    training = ["--channels", "16", "--steps", "175", "--judge-every", "25", "--patience", "4", "--folds", "2"]
    settings = ["--set", "head_steps=180", "--set", "head_rate=0.002"]
    return Scene(f"csv={folder / 'studio.csv'}", training, folder / "calls", calls, settings)


def acted(corpora: Path, folder: Path) -> Scene:
    """Real voices: nEMO (Polish) to learn from, RAVDESS (English) to analyse."""
    clips = copied(corpus("ravdess", corpora / "ravdess"), folder / "ravdess")
    training = ["--channels", "32", "--steps", "1500", "--folds", "3"]
    settings = ["--set", "head_steps=800", "--set", "head_rate=0.001"]
    return Scene(f"nemo={corpora / 'nemo'}", training, folder / "ravdess", clips, settings)


def story(stage: Stage, scene: Scene) -> bool:
    """The whole story; True when everything came out as it should."""
    people = sorted({clip.speaker for clip in scene.clips})
    of = {name: [clip for clip in scene.clips if clip.speaker in chosen] for name, chosen in (
        ("first", people[:FIRST]),
        ("poisoned", people[FIRST : FIRST + POISONED]),
        ("others", people[FIRST + POISONED :]),
    )}  # fmt: skip
    write_labels(of["first"], stage.home / "first.csv")
    write_labels(of["poisoned"], stage.home / "poisoned.csv", flipped=FLIPPED)
    out = stage.home / "models" / "start"
    stage.tenor(
        *("train", "makiuchi2021", "--corpus", scene.corpus, "--variant", "mel", *scene.training),
        *("--only-folds", "1", "--no-baselines", "--no-probe", "--device", "cpu", "--out", str(out)),
    )
    profile = str(out / "profile.toml")
    job = stage.tenor("analyze", str(scene.archive), "--profile", profile)["job_id"]
    before = stage.accuracy(job, of["others"], scene.archive)
    stage.note("the first champion on people nobody labels", f"{before:.3f}", "")

    stage.tenor(
        *("retrain", "--profile", profile, "--corpus", scene.corpus, "--min-labels", "50", "--every", "30s"),
        *scene.settings,
    )
    stage.tenor("corpus", "import", "csv", str(stage.home / "first.csv"))
    good = stage.run_after(0)
    stage.note(f"labels of {FIRST} people: the schedule fires, new people", _figures(good), str(good["decision"]))
    if good["decision"] != "promoted":
        stage.console.print(f"  because {good['reason']}", markup=False, highlight=False)
        return False
    again = stage.tenor("rescore", str(job))["job_id"]
    stage.job_done(again)
    after = stage.accuracy(again, of["others"], scene.archive)
    stage.note("the champion now, on people nobody labels", f"{before:.3f} → {after:.3f}", "")

    stage.tenor("corpus", "import", "csv", str(stage.home / "poisoned.csv"))
    bad = stage.run_after(good["run"])
    stage.note(f"labels of {POISONED} people, {FLIPPED:.0%} flipped", _figures(bad), str(bad["decision"]))
    stage.console.print(f"  because {bad['reason']}", markup=False, highlight=False)
    back = stage.tenor("models", "rollback", good["profile"])
    stage.note("rollback", f"version {back['from']} → {back['to']}", "")
    champions = [row["version"] for row in stage.tenor("models", "list") if row["champion"]]
    return bool(
        good["decision"] == "promoted" and bad["decision"] == "refused" and after > before and champions == [back["to"]]
    )


def _figures(run: dict[str, Any]) -> str:
    if run["champion_balanced_accuracy"] is None:
        return "–"
    return (
        f"{run['champion_balanced_accuracy']:.3f} → {run['challenger_balanced_accuracy']:.3f}"
        f" [{run['difference_low']:+.3f}, {run['difference_high']:+.3f}]"
    )


def main() -> int:
    """Tell the story, print its table, remove the home."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpora", type=Path, help="a folder that holds nemo/ and ravdess/")
    chosen, console, began = parser.parse_args(), Console(), time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="tenor-retrain-"))
    stage = Stage(folder / "home", console)
    stage.home.mkdir()
    try:
        scene = acted(chosen.corpora.expanduser().absolute(), folder) if chosen.corpora else generated(folder)
        right = story(stage, scene)
    finally:
        stage.quietly("down")
        # For root the data lies outside of the home, where Postgres' user can reach it.
        shutil.rmtree((stage.home / "postgres").resolve(), ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
    table = Table("", "balanced accuracy [95 % of the difference]", "decision", box=SIMPLE_HEAD, pad_edge=False)
    for row in stage.rows:
        table.add_row(*row)
    console.print(table)
    console.print(f"{time.monotonic() - began:.0f} s", highlight=False)
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
