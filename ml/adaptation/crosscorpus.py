"""From one corpus to another and back, by every method: which of them help, and which do harm.

    python -m ml.adaptation.crosscorpus nemo=PATH ravdess=PATH --out FOLDER

For each direction: a model of the source alone begins with nothing but convolutions that no label has shaped, then
every method goes on from it, once hearing the target without labels, once with a few. Speakers of the target that are
tested are heard by none. Features are computed once; what is done is kept, so the command goes on where it ended.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.adaptation.adapt import BUNDLE, adapt
from ml.adaptation.crosstable import markdown
from ml.adaptation.errors import AdaptationError
from ml.adaptation.gathering import Gathered, banks, material
from ml.adaptation.method import scores
from ml.adaptation.network import Champion
from ml.adaptation.plan import AdaptationPlan, MethodChoice
from ml.corpora.manifest import Manifest, freeze
from ml.corpora.registry import corpus, of_classes
from ml.corpora.types import LabelledUtterance, Skipped
from ml.emotions import EMOTIONS
from ml.profiles.sides import BundleSide
from ml.training.checkpoint import write_json

#: Share of a corpus's speakers that are tested.
TESTED = 0.4
#: Labels of the target that a run may see, per class.
LABELS_PER_CLASS = 20
WITHOUT, WITH = "no target labels", "few target labels"


@dataclass(frozen=True, slots=True)
class Corpus:
    """A corpus cut by speaker: tested ones, and the others; of the others, a few labelled utterances."""

    name: str
    rest: Manifest
    tested: Manifest
    few: Manifest


@dataclass(frozen=True, slots=True)
class Budget:
    """How long models learn."""

    source_steps: int = 400
    steps: int = 200
    batch: int = 16


@dataclass(frozen=True, slots=True)
class Entry:
    """One run of the table: its name, and what it is given."""

    name: str
    setting: str
    methods: tuple[MethodChoice, ...]
    #: Plan entries that differ.
    values: dict[str, Any]
    #: What stands in for the labelled target: "none", "few", "all", or "source" (a control).
    labelled: str
    source: bool = True
    heard: bool = True


def entries(own: AdaptationPlan, *, usual_voice: bool = True) -> Iterator[Entry]:
    """Every run of one direction, in the table's order; by whether the model compares with usual voices."""

    def of(name: str, **settings: Any) -> tuple[MethodChoice, ...]:
        return (MethodChoice(name, settings),)

    both = [
        *((name, of(name)) for name in (["restandardise"] if usual_voice else [])),
        *((name, of(name)) for name in ("density-ratio", "kliep", "coral", "deep-coral", "mmd", "dann")),
        ("speaker-adversarial", of("speaker-adversarial")),
        ("autoencoder", of("autoencoder", steps=own.head_steps // 2)),
        ("multitask", of("multitask")),
        ("pseudo-labels", of("pseudo-labels", threshold=0.3)),
        ("relations", of("relations")),
        ("cross-modal", of("cross-modal")),
    ]
    yield Entry("more steps on the source", WITHOUT, of("finetune"), {}, "source", source=False, heard=False)
    for name, methods in both:
        yield Entry(name, WITHOUT, methods, {}, "none")
    thawed = {"head_steps": own.head_steps // 2, "encoder_steps": own.head_steps // 2}
    without = {} if usual_voice else {"speaker_size": 0}
    fresh = of("fresh-head", **without)
    started = of("gender-start", steps=own.head_steps // 2, **without)
    yield Entry("fresh head, target only", WITH, fresh, {}, "few", source=False, heard=False)
    yield Entry("finetune, target only", WITH, of("finetune"), {}, "few", source=False, heard=False)
    yield Entry("finetune", WITH, of("finetune"), {}, "few", heard=False)
    yield Entry("finetune, encoder too", WITH, of("finetune"), thawed, "few", heard=False)
    yield Entry("lora", WITH, of("lora"), thawed, "few", heard=False)
    yield Entry("gender-start", WITH, started, {}, "few")
    for name, methods in both:
        yield Entry(f"finetune + {name}", WITH, (*of("finetune"), *methods), {}, "few")
    yield Entry("finetune, all labels", "all target labels", of("finetune"), thawed, "all", heard=False)


def cut(name: str, folder: Path, classes: Sequence[str], out: Path, most: int | None) -> Corpus:
    """Freeze a corpus in three parts. Speakers alternate within a gender, so that both are in every part."""
    items = list(of_classes(corpus(name, folder, Skipped()), classes))
    by_gender = sorted({(item.gender or "", item.speaker) for item in items})
    rank = {speaker: number for number, (_, speaker) in enumerate(by_gender)}
    tested = {speaker for speaker, place in rank.items() if int((place + 1) * TESTED) > int(place * TESTED)}
    rng = np.random.default_rng(0)
    rest = [item for item in items if item.speaker not in tested]
    few = [item for label in classes for item in _drawn([i for i in rest if i.label == label], LABELS_PER_CLASS, rng)]
    held = [item for item in items if item.speaker in tested]
    parts = (
        {"rest": rest, "tested": held}
        if most is None
        else {"rest": _drawn(rest, 2 * most, rng), "tested": _drawn(held, most, rng)}
    )
    frozen = {part: freeze(own, out / f"{name}-{part}.parquet") for part, own in {**parts, "few": few}.items()}
    return Corpus(name, **frozen)


def _drawn(items: list[LabelledUtterance], count: int, rng: np.random.Generator) -> list[LabelledUtterance]:
    return [items[i] for i in np.sort(rng.permutation(len(items))[:count])]


@dataclass(frozen=True, slots=True)
class Direction:
    """One source and one target, and where their runs lie."""

    source: Corpus
    target: Corpus
    out: Path
    cache: Path
    base: dict[str, Any]
    teacher: dict[str, Any] | None
    budget: Budget
    classes: tuple[str, ...]

    def results(self) -> Iterator[dict[str, Any]]:
        """One row after the other; those that are done are read."""
        yield self._row("source only", WITHOUT, self._start(), self.base, target=self.source.rest)
        champion = BundleSide(str(self.out / "source only" / BUNDLE)).resolve("speech")
        own = AdaptationPlan.of("finetune", head_steps=self.budget.steps, batch=self.budget.batch, segments=1)
        labelled = {"none": None, "few": self.target.few, "all": self.target.rest, "source": self.source.rest}
        for entry in entries(own, usual_voice=self.base["kind"] == "voice-speech"):
            plan = replace(own, methods=entry.methods, **entry.values)
            if entry.labelled != "none":
                # Of a few labels one speaker would decide, on some twenty utterances, when to stop: mostly at once, so
                # that most rows would be the champion. The last step stands instead, as it does without labels.
                plan = replace(plan, development=0.0)
            given: dict[str, Any] = {"target": labelled[entry.labelled], "teacher": self.teacher}
            given["source"] = [self.source.rest] if entry.source else []
            given["unlabelled"] = self.target.rest.items if entry.heard else []
            yield self._row(entry.name, entry.setting, plan, champion, **given)

    def _start(self) -> AdaptationPlan:
        """To a model that knows the source's labels and no others."""
        steps, batch = self.budget.source_steps, self.budget.batch
        if self.base["kind"] == "voice-speech":
            # No label has shaped what lies below its classifier.
            return AdaptationPlan.of("fresh-head", labels=self.classes, head_steps=steps, batch=batch, head_rate=2e-3)
        plan = AdaptationPlan.of(
            "fresh-encoder", labels=self.classes, head_steps=0, encoder_steps=steps, top_layers=99,
            batch=batch, segments=1, judge_every=50, encoder_rate=1e-3, head_rate=1e-3,
        )  # fmt: skip
        return replace(plan, methods=(MethodChoice("fresh-encoder", {"speaker_size": 0}),))

    def _row(
        self, name: str, setting: str, plan: AdaptationPlan, champion: dict[str, Any], **given: Any
    ) -> dict[str, Any]:
        folder = self.out / name if setting == WITHOUT else self.out / f"{name}, labels"
        done = folder / "result.json"
        if not done.is_file():
            row: dict[str, Any] = {"name": name, "setting": setting}
            try:
                adapted = adapt(plan, champion=champion, out=folder, cache=self.cache, **given)
            except AdaptationError as exc:
                row["refused"] = str(exc)
            else:
                row["notes"] = adapted.notes
                for part, held in (("target", self.target.tested), ("source", self.source.tested)):
                    row[part] = judged(adapted.bundle, held, self.cache).tolist()
            write_json(done, row)
        found: dict[str, Any] = json.loads(done.read_text(encoding="utf-8"))
        return found


def judged(bundle: Path, held: Manifest, cache: Path) -> NDArray[np.int64]:
    """What a bundle says of each item of a manifest [N]: classes by number in its own label set."""
    champion = Champion.load(BundleSide(str(bundle)).resolve("speech"))
    gathered = Gathered.of(held, [], [])
    plan = AdaptationPlan.of("finetune", development=0.0)
    data = material(gathered, champion, champion.labels, plan, cache, voices={}, embed=None)
    bank = banks(champion, gathered, cache)
    numbers = np.arange(len(gathered.items))
    found = scores(champion.network, data, bank.frames, numbers, "cpu", conv=False)
    return np.asarray(found.probabilities().argmax(axis=1))


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the table of both directions."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpora", nargs=2, metavar="NAME=FOLDER", help="corpora that `tenor corpus` knows")
    parser.add_argument("--out", type=Path, required=True, help="where runs and the table go")
    parser.add_argument("--convolutions", default="shipped:mini-speech", help="the bundle whose convolutions are kept")
    parser.add_argument("--teacher", default="shipped:mini-text", help="the text model that cross-modal transfer asks")
    parser.add_argument("--source-steps", type=int, default=Budget().source_steps)
    parser.add_argument("--steps", type=int, default=Budget().steps)
    parser.add_argument("--utterances", type=int, help="so many tested, and twice as many to learn from; default: all")
    options = parser.parse_args(arguments)
    places = [(name, Path(folder)) for name, _, folder in (said.partition("=") for said in options.corpora)]
    known = [{item.label for item in corpus(name, folder, Skipped())} for name, folder in places]
    classes = tuple(label for label in EMOTIONS if all(label in own for own in known))
    parts = [cut(name, folder, classes, options.out, options.utterances) for name, folder in places]
    base = BundleSide(options.convolutions).resolve("speech")
    teacher = BundleSide(options.teacher).resolve("text")
    budget = Budget(options.source_steps, options.steps)
    tables = []
    for source, target in (parts, parts[::-1]):
        out = options.out / f"{source.name} to {target.name}"
        direction = Direction(source, target, out, options.out / "cache", base, teacher, budget, classes)
        rows = []
        for row in direction.results():
            rows.append(row)
            print(f"{source.name} → {target.name}: {row['name']} ({row['setting']})", flush=True)
        tables.append((source, target, rows))
    text = markdown([(s.name, t.name, s.tested, t.tested, rows) for s, t, rows in tables], classes, budget)
    (options.out / "table.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
