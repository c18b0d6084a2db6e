"""A profile measured on a labelled corpus, by the same engine that analyses archives."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.alignment.voice import KnownVoice, hear_voices
from ml.bundles import read_meta
from ml.corpora.manifest import freeze
from ml.corpora.registry import corpus, of_classes
from ml.corpora.sound import waveform
from ml.corpora.types import LabelledUtterance, Skipped
from ml.emotions import EMOTIONS
from ml.experiments.dataset import DataUnsuitable, described
from ml.experiments.outcomes import Outcome, figures
from ml.experiments.speech_preparation import Counted
from ml.features.speaker import UTTERANCES_PER_SPEAKER, VECTOR
from ml.inference.engine import Engine, UtteranceAudio
from ml.models.fusion import to_label_set
from ml.profiles import load_profile

#: Utterances that go through the engine at once.
AT_ONCE = 32

Side = NDArray[np.float64]


def evaluate(
    profile: str,
    name: str,
    place: Path,
    *,
    classes: Sequence[str] | None,
    split: str | None,
    device: str,
    counted: Counted,
    trained: Path | None = None,
) -> dict[str, Any]:
    """Per modality (speech, text, fused) accuracy, balanced_accuracy, weighted_f1, ece, n and more; None without any.

    Items whose label is none of the profile's (or of `classes`) are left out and counted in the notes. With `classes`
    the probabilities are restricted to them and normalised again. Without audio there is no speech side, and fused is
    text alone. `trained` is the folder of models that `trained:NAME` stands for.
    """
    spec = load_profile(profile, trained=trained).resolve()
    wanted = tuple(label for label in spec["labels"] if classes is None or label in classes)
    items, notes = _items(name, place, wanted, split)
    notes += _known_data(spec)
    engine = Engine.load(spec, device)
    voices = voices_of(items, counted)
    parts: list[tuple[Side, Side, Side]] = []
    for begin in range(0, len(items), AT_ONCE):
        parts.append(scored_items(engine, items[begin : begin + AT_ONCE], voices))
        counted("scored", min(begin + AT_ONCE, len(items)), len(items))
    labels = np.asarray([wanted.index(item.label or "") for item in items], dtype=np.int64)
    speakers = [item.speaker for item in items]
    if len(set(speakers)) == 1:
        notes.append("all items are of one speaker, so there are no confidence intervals")
    found: dict[str, Any] = {
        "profile": profile,
        "corpus": name,
        "split": split,
        "data": described(items, wanted),
        "fingerprint": _fingerprint(items),
        "classes": list(wanted),
        "modalities": {},
        "notes": notes,
    }
    for side, values in zip(("speech", "text", "fused"), zip(*parts, strict=True), strict=True):
        own = to_label_set(np.nan_to_num(np.concatenate(values)), EMOTIONS, wanted, wanted)
        found["modalities"][side] = _figures(side, own, labels, speakers, wanted)
    return found


def _fingerprint(items: Sequence[LabelledUtterance]) -> str:
    """Which data set this is, wherever it lies: the fingerprint that its manifest would have."""
    with tempfile.TemporaryDirectory() as folder:
        return freeze(items, Path(folder) / "manifest.parquet").fingerprint


def _items(
    name: str, place: Path, wanted: Sequence[str], split: str | None
) -> tuple[list[LabelledUtterance], list[str]]:
    skipped = Skipped()
    everything = list(corpus(name, place, skipped))
    if split is not None:
        there = sorted({item.split for item in everything if item.split})
        if split not in there:
            raise DataUnsuitable(
                f"{name} in {place} has no split {split}", hint=f"It has {', '.join(there) or 'none'}."
            )
        everything = [item for item in everything if item.split == split]
    items = list(of_classes(everything, wanted))
    if not items:
        raise DataUnsuitable(f"{name} in {place} holds nothing of the classes {', '.join(wanted)}")
    notes = [f"{name}: {skipped}"] if skipped.counts else []
    if len(items) < len(everything):
        notes.append(f"{len(everything) - len(items)} of {len(everything)} have none of the labels {', '.join(wanted)}")
    return items, notes


def _known_data(spec: dict[str, Any]) -> list[str]:
    """What a profile's bundles were trained on: whoever is among it flatters the figures."""
    notes = []
    for side in ("speech", "text"):
        if "location" in spec.get(side, {}):
            meta = read_meta(spec[side]["location"])
            notes.append(f"{meta.name} was trained on {'; '.join(meta.training_data)}: figures for those are too good")
    return notes


def voices_of(items: Sequence[LabelledUtterance], counted: Counted) -> dict[str, NDArray[np.float32]]:
    """Speaker → vector, from the first hundred utterances, as in the pipeline."""
    own: dict[str, list[LabelledUtterance]] = {}
    for item in items:
        chosen = own.setdefault(item.speaker, [])
        if item.audio_path is not None and len(chosen) < UTTERANCES_PER_SPEAKER:
            chosen.append(item)
    vectors = {}
    spoken = sum(map(bool, own.values()))
    for speaker, chosen in own.items():
        voice = KnownVoice()
        voice.add(hear_voices([waveform(item) for item in chosen]))
        vectors[speaker] = voice.vector
        if chosen:
            counted("voices", len(vectors), max(spoken, len(vectors)))
    return vectors


def scored_items(
    engine: Engine, items: Sequence[LabelledUtterance], voices: dict[str, NDArray[np.float32]]
) -> tuple[Side, Side, Side]:
    """Probabilities [N, 7] by voice, by words and fused; `voices` are speakers' vectors [VECTOR]."""
    nothing = np.zeros(0, dtype=np.float32)
    audio = [
        UtteranceAudio(nothing if item.audio_path is None else waveform(item), item.text, item.language)
        for item in items
    ]
    extract = engine.extract(audio)
    vectors = np.stack([voices.get(item.speaker, np.zeros(VECTOR, np.float32)) for item in items])
    speech, text = engine.speech(extract, vectors), engine.text(extract)
    return speech, text, engine.fuse(speech, text)


def _figures(
    side: str, probabilities: Side, labels: NDArray[np.int64], speakers: Sequence[str], classes: Sequence[str]
) -> dict[str, Any] | None:
    scored = np.flatnonzero(~np.isnan(probabilities).any(axis=1))
    if not len(scored):
        return None
    own = probabilities[scored]
    row = figures(Outcome(side, scored, own.argmax(axis=1), own), labels, speakers, classes)
    plain = {name: row[name]["value"] for name in ("accuracy", "balanced_accuracy")}
    bounds = {name: [row[name]["low"], row[name]["high"]] for name in plain}
    intervals = {f"{name}_interval": None if None in pair else pair for name, pair in bounds.items()}
    kept = {name: row[name] for name in ("n", "macro_f1", "weighted_f1", "recall", "confusion")}
    return plain | intervals | kept | {"ece": row["ece_before"]}
