"""The small speech model's card: every figure comes from `report.json`, none is typed.

`python -m ml.reports.speech_card REPORT --out MODEL_CARD.md` writes it again.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ml.emotions import EMOTIONS
from ml.reports.markdown import interval, share, table

_NAMES = {"ravdess": "RAVDESS", "nemo": "nEMO"}
#: What was aimed at, balanced accuracy of four classes.
_GOALS = {"ravdess": 0.75, "nemo": 0.60}
_CALIBRATION_GOAL = 0.05

_HEAD = """# mini-speech: emotion by voice

A small layer-norm wav2vec 2.0 (128 hidden, 2 layers; one convolution of 25 ms every 20 ms, begun as a bank of
cosines and sines, and two within the frame) taught without labels to read out spectrum, pitch, voicing and
loudness, also where they are hidden from it (in the manner of PASE, Pascual et al. 2019). Above it no network
over frames but statistics of these tracks over the utterance, and how they differ from what is usual for the
speaker; several small networks of one hidden layer, which ship as one wide one, turn them into emotions. Trained
from nothing; no published weights are inside.

- **Classes**: angry, happy, neutral, sad, fear, disgust, surprise. RAVDESS's "calm" counts as neutral; nEMO has
  no disgust.
- **Training data**: RAVDESS speech, {ravdess} actors (English, acted; CC BY-NC-SA 4.0) and nEMO, {nemo} speakers
  (Polish, acted; CC BY-NC-SA 4.0): **all of them trained the shipped weights**, so that figures measured on them
  with this bundle are too good. Without labels, for the encoder only: LibriSpeech (CC BY 4.0), TIMIT (CC
  BY-NC-SA) and a few meetings and calls (MIT).
- **Languages**: any in principle; heard English and Polish.
- **Licence**: CC-BY-NC-SA-4.0: attribution, no commercial use, share alike.
- **Speaker**: the mean of the same statistics over up to a hundred utterances, by signal processing, when a
  recording is aligned. It matters most for people unlike the average. Somebody of whom nothing else is known is
  judged against the average voice.
- **Loudness**: utterances are brought to equal power before they are heard: a microphone's gain changes nothing,
  and shouting is known by its spectrum only.
- **Meant for** trying Tenor without a network. **Not for** decisions about a person. Both corpora are acted,
  clean and short; on telephone calls expect much less.
"""

_TAIL = """
## Known failures

- {weakest}
- The recipe was chosen among some thirty by such folds over the same speakers: the figures are a little too good.
- Thresholds within the statistics (voiced or not, loud or not) make the scores jump by a little where a frame lies
  on one.
- Confidence was fitted on acted speech and may be high for sounds unlike any of it. Single speakers are further from
  their confidence than the corpora as a whole (last column above).
- The usual voice is a mean over what was heard. Somebody who is angry in every utterance sounds usual when angry.
- With one utterance of a speaker little is known of the voice, and accuracy is that of the second table.
- Seven Polish and twenty North American voices, all adult: children, other languages and recordings with much noise
  were never tried.

## Made by

    python -m ml.experiments.speech_floor --ravdess RAVDESS --nemo NEMO --folds {folds} --out floor.json
    python -m ml.training.train_speech --ravdess RAVDESS --nemo NEMO --unlabelled LIBRISPEECH TIMIT CONVERSATIONS MFA \\
        --floor floor.json {command} --out mini-speech

The second command made these weights, the report beside this card (`report.json`) and this card; one thread, the same
weights again. The first one needs the extra `egemaps` and only adds the floor.
"""


def speech_card(report: dict[str, Any]) -> str:
    """Markdown; every figure is one of the report's."""
    corpora = report["corpora"]
    parts = [
        _HEAD.format(**{name: own["speakers"] for name, own in corpora.items()}),
        _accuracy(report),
        _calibration(report),
        _speakers(report),
        *(_confusion(name, own) for name, own in corpora.items()),
        _TAIL.format(weakest=_weakest(report), folds=len(report["folds"]), command=report["command"]),
    ]
    return "\n".join(parts)


def _accuracy(report: dict[str, Any]) -> str:
    floor = report["floor"] or {}
    lines = [
        "## Accuracy on people it never heard",
        "",
        f"Balanced accuracy by {len(report['folds'])} folds over speakers, each scored once by a model trained without",
        "that speaker by the same recipe; whole files, the classifier alone. Brackets: 95 % intervals by bootstrap",
        "over speakers. The floor is eGeMAPS with a support vector machine in the same folds.",
        "",
    ]
    figures, when_less = [], []
    for name, own in report["corpora"].items():
        seven, four = (own[key]["balanced_accuracy"] for key in ("all_classes", "four_classes"))
        beaten, known = floor.get(name), report["known_voice"][name]
        goal = share(_GOALS[name], 2)
        figures.append([_NAMES[name], interval(seven), interval(four), interval(beaten) if beaten else "–", goal])
        when_less.append([_NAMES[name], *map(share, (four["value"], known["one_utterance"], known["nothing"]))])
    lines += [
        *table(
            ["corpus", "all its classes", "angry, happy, neutral, sad", "floor of these four", "goal"],
            figures,
        ),
        "",
        "The same models when less is known of the speaker, four classes:",
        "",
        *table(["corpus", "a hundred utterances", "this utterance only", "nothing"], when_less),
    ]
    missed = [
        f"{_NAMES[name]} ({own['four_classes']['balanced_accuracy']['value']:.3f} of {_GOALS[name]:.2f})"
        for name, own in report["corpora"].items()
        if own["four_classes"]["balanced_accuracy"]["value"] < _GOALS[name]
    ]
    lines += ["", f"Goals not reached: {', '.join(missed)}." if missed else "Both goals are reached.", ""]
    return "\n".join(lines)


def _calibration(report: dict[str, Any]) -> str:
    lines = [
        f"Calibration: temperature {report['temperature']:.2f}. Expected calibration error (goal {_CALIBRATION_GOAL}),",
        "each fold with the temperature of the others:",
        "",
        *table(
            ["", "before", "after"],
            (
                [_NAMES.get(name, "both"), share(own["before"]), share(own["after"])]
                for name, own in report["calibration_error"].items()
            ),
        ),
    ]
    return "\n".join([*lines, ""])


def _speakers(report: dict[str, Any]) -> str:
    columns = {
        "accuracy": "accuracy",
        "balanced accuracy": "balanced_accuracy",
        "of angry, happy, neutral, sad": "balanced_accuracy_of_four",
        "calibration error": "calibration_error",
    }
    cells = (
        [speaker, str(own["utterances"]), *(share(own[name]) for name in columns.values())]
        for speaker, own in report["speakers"].items()
    )
    return "\n".join([*table(["speaker", "utterances", *columns], cells), ""])


def _confusion(name: str, own: dict[str, Any]) -> str:
    cells = (
        [emotion, *map(str, row), share(own["recall"][emotion], 2)]
        for emotion, row in zip(EMOTIONS, own["confusion"], strict=True)
        if own["recall"][emotion] is not None
    )
    lines = [f"{_NAMES[name]}, counts:", "", *table(["true ↓ said →", *EMOTIONS, "recall"], cells)]
    return "\n".join([*lines, ""])


def _weakest(report: dict[str, Any]) -> str:
    """What each corpus's least recognised class is taken for, and whom the model understands least."""
    parts = []
    for name, own in report["corpora"].items():
        known = {emotion: found for emotion, found in own["recall"].items() if found is not None}
        worst = min(known, key=lambda emotion: known[emotion])
        row = own["confusion"][EMOTIONS.index(worst)]
        taken = max((count, said) for count, said in zip(row, EMOTIONS, strict=True) if said != worst)[1]
        parts.append(f"{worst} in {_NAMES[name]} (recall {known[worst]:.2f}, mostly taken for {taken})")
    speakers = report["speakers"]
    least = min(speakers, key=lambda speaker: float(speakers[speaker]["balanced_accuracy"]))
    figure = speakers[least]["balanced_accuracy"]
    return f"Least recognised: {' and '.join(parts)}. Least understood: {least} ({figure:.3f} of all classes)."


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the card of a report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    report = json.loads(options.report.read_text(encoding="utf-8"))
    options.out.write_text(speech_card(report), encoding="utf-8")


if __name__ == "__main__":
    main()
