"""retrain.evaluate: champion and challenger on the same people, on every earlier corpus, and the gate's decision."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from celery import Task
from sqlalchemy import Connection, text

from ml.corpora.types import LabelledUtterance
from ml.emotions import EMOTIONS
from workers import context
from workers.app import app
from workers.retraining import data, models, runs
from workers.retraining.data import HELD, TARGET, Corpus, Items
from workers.retraining.runner import Commit, Watch, run
from workers.retraining.runs import Run
from workers.retraining.sides import SPEECH, TEXT

if TYPE_CHECKING:
    from ml.gate.judging import Judgement
    from ml.gate.measuring import Measured

#: Below the run's folder: what was scored, and what later output is compared with.
SCORES, REFERENCE = "scores", "reference.json"
#: Below the models: speakers' vectors by the utterances that they are the mean of.
VOICES = "voices"


@app.task(bind=True, name="retrain.evaluate")
def evaluate(self: "Task[Any, Any]", *, run_id: int, profile: str, method: str) -> str:
    """Measure both versions and decide."""
    return run(self, run_id, "evaluate", _work)


@dataclass(frozen=True, slots=True)
class _Sets:
    """Who is measured: development speakers, new people, and the corpora that were there before."""

    development: Items
    held: Items
    earlier: list[tuple[str, Items]]

    @property
    def every(self) -> Items:
        """Each utterance once, whatever sets it is in; labels may differ between sets."""
        listed = [*self.held, *(item for _, items in self.earlier for item in items)]
        return list({_place(item): item for item in listed}.values())


def _work(own: Run, watch: Watch) -> Commit:
    from ml.gate.judging import NEW, TestSet, judge
    from ml.reports.retraining import write_report

    with context.engine().begin() as conn:
        assert own.champion_id is not None
        champion = models.version(conn, own.champion_id)
        sets = _sets(conn, own)
    challenger = _challenger(own, champion.spec)
    every = sets.every
    voices = _voices([*sets.development, *every], watch)
    specs, measured = {}, {}
    for who, spec in (("champion", champion.spec), ("challenger", challenger)):
        specs[who], measured[who] = _measured(own, watch, who, spec, sets.development, every, voices)
        watch.check()
    row_of = {_place(item): row for row, item in enumerate(every)}

    def test_set(name: str, items: Items) -> TestSet:
        return TestSet(name, items, np.asarray([row_of[_place(item)] for item in items], dtype=np.int64))

    judgement = judge(
        test_set(NEW, sets.held),
        [test_set(name, items) for name, items in sets.earlier],
        measured["champion"],
        measured["challenger"],
    )
    numbers: dict[str, Any] = {"judgement": judgement.to_json(), "refitted": _refitted(specs)}
    watch("writing the report", 0, 1)
    _write_reference(own, sets.held, measured["challenger"], row_of, voices)
    write_report({"run": own.id, "profile": own.profile, "champion": champion.number, **own.numbers, **numbers},
                 own.folder)  # fmt: skip
    return _commit(own, judgement, specs["challenger"], numbers)


def _voices(items: Items, watch: Watch) -> dict[str, Any]:
    """Speaker → vector [VECTOR], from the first hundred utterances, as in the pipeline."""
    from ml.adaptation.voices import speaker_vectors

    found: dict[str, Any] = {}
    speakers = sorted({item.speaker for item in items})
    folder = context.settings().models / VOICES
    for done, speaker in enumerate(speakers):
        watch("voices", done, len(speakers))
        watch.check()
        own = [item for item in items if item.speaker == speaker]
        keys = ["".join(_place(item)) for item in own]
        found |= speaker_vectors(own, keys, folder, known={}, embed=models.embed())
    return found


def _commit(own: Run, judgement: "Judgement", challenger: dict[str, Any], numbers: dict[str, Any]) -> Commit:
    def commit(conn: Connection) -> None:
        own.lease.check(conn)
        conn.execute(
            text("UPDATE training_runs SET challenger = CAST(:spec AS jsonb) WHERE id = :id"),
            {"id": own.id, "spec": json.dumps(challenger)},
        )
        decision = judgement.decision
        if decision.passed:
            runs.advance(conn, own, numbers | {"code": decision.code})
        else:
            runs.conclude(conn, own, "refused", "refused", decision.reason, numbers | {"code": decision.code})

    return commit


def _sets(conn: Connection, own: Run) -> _Sets:
    target, held = (data.frozen(own.folder / name) for name in (TARGET, HELD))
    chosen = set(own.numbers["training"].get("development", {}).get("speakers", ()))
    development = [item for item in target.items if item.speaker in chosen]
    earlier = [(one.name, items) for one in _measured_on(conn, own) if (items := _of_corpus(conn, own, one))]
    return _Sets(development, list(held.items), earlier)


def _measured_on(conn: Connection, own: Run) -> list[Corpus]:
    """Registered corpora, and the hold-out of the last promoted run, in which those before it are."""
    found = data.corpora(conn, own.profile_id)
    holdouts = [one for one in found if one.role == "holdout"]
    return [*(one for one in found if one.role == "reference"), *holdouts[-1:]]


def _of_corpus(conn: Connection, own: Run, corpus: Corpus) -> Items:
    items = [item for item in corpus.manifest.items if item.label is not None]
    if corpus.role == "reference":
        items = data.of_part(items, "holdout", data.parts(conn, own.profile_id))
    return data.some(items)


def _challenger(own: Run, champion: dict[str, Any]) -> dict[str, Any]:
    """The champion's specification with the new models in the place of its own."""
    from ml.profiles.sides import BundleSide

    trained = own.numbers["training"]
    found = dict(champion)
    if bundle := trained.get("bundle"):
        found[SPEECH] = BundleSide(bundle).resolve("speech")
    if words := trained.get(TEXT):
        found[TEXT] = BundleSide(words["bundle"]).resolve("text")
    known = {*found[SPEECH]["labels"], *found.get(TEXT, {}).get("labels", ())}
    wanted = own.plan.get("training", {}).get("labels") or champion["labels"]
    return {**found, "labels": [label for label in EMOTIONS if label in wanted and label in known]}


def _measured(
    own: Run,
    watch: Watch,
    who: str,
    spec: dict[str, Any],
    development: Items,
    every: Items,
    voices: dict[str, Any],
) -> "tuple[dict[str, Any], Measured]":
    """A version with its temperatures and weights fitted on the development speakers, and its answers."""
    from ml.gate.measuring import measure
    from ml.gate.refitting import refitted

    fitted = spec
    if development:
        folder = own.folder / SCORES / f"{who}-development"
        found = measure(models.engine(spec), development, voices, folder, _counted(watch, f"fitting the {who}"))
        fitted = refitted(spec, found, np.asarray([item.class_no for item in development], dtype=np.int64))
    engine = models.engine(fitted)
    return fitted, measure(engine, every, voices, own.folder / SCORES / who, _counted(watch, f"measuring the {who}"))


def _counted(watch: Watch, doing: str) -> Any:
    def counted(done: int, of: int) -> None:
        watch(doing, done, of)
        watch.check()

    return counted


def _refitted(specs: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {
        who: {
            "temperature_speech": spec["speech"]["temperature"],
            "temperature_text": spec.get("text", {}).get("temperature"),
            "w_speech": spec["fusion"]["w_speech"],
            "w_text": spec["fusion"]["w_text"],
        }
        for who, spec in specs.items()
    }


def _write_reference(
    own: Run, held: Sequence[LabelledUtterance], measured: "Measured", row_of: dict[Any, int], voices: dict[str, Any]
) -> None:
    """What the challenger's output looks like on people it has not learned from: what drift is measured against."""
    import soundfile

    from ml.drift import Reference, measures_of
    from ml.features.speaker import SIZE

    probabilities = measured.fused[[row_of[_place(item)] for item in held]]
    seconds = [
        item.end_s - item.start_s
        if item.start_s is not None and item.end_s is not None
        else soundfile.info(item.audio_path).duration
        for item in held
    ]
    heard = ~np.isnan(probabilities).all(axis=1)
    speakers = sorted({item.speaker for item in held})
    own_voices = np.stack([voices[name][:SIZE] for name in speakers]).astype(np.float64)
    reference = Reference.of(
        measures_of(probabilities[heard], EMOTIONS, np.asarray(seconds)[heard]),
        np.nan_to_num(probabilities[heard]),
        own_voices,
    )
    stored = {"utterances": int(heard.sum()), "reference": reference.to_json()}
    (own.folder / REFERENCE).write_text(json.dumps(stored, allow_nan=False), encoding="utf-8")


def _place(item: LabelledUtterance) -> tuple[str, str, str]:
    """Which sound it is, whoever labelled it."""
    return str(item.audio_path), str(item.start_s), str(item.end_s)
