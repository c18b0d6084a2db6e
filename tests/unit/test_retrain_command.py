"""What `tenor retrain` understands, the report that a run leaves, and the corpus of its demonstration."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ml.audio.decode import channel_samples, decode
from ml.audio.vad import speech_segments
from ml.corpora.registry import corpus
from ml.emotions import EMOTIONS
from ml.reports.retraining import write_report
from ops.cli.retraining import NotUnderstood, Wishes, seconds
from ops.samples.acted import CLASSES, write_corpus, write_labels

NOTHING: dict[str, Any] = dict.fromkeys(Wishes.__slots__)


def test_times_are_numbers_with_a_unit() -> None:
    assert [seconds(said) for said in ("90s", "1.5h", "7d")] == [90, 5400, 604_800]
    for wrong in ("7", "d", "-1d", "0s", "1w"):
        with pytest.raises(NotUnderstood):
            seconds(wrong)


def test_settings_of_training_become_part_of_the_plan() -> None:
    plan = Wishes(**NOTHING | {"setting": ["head_steps=12", 'labels=["sad", "angry"]'], "by_hand": True}).plan()
    assert plan["training"] == {"methods": [{"name": "finetune"}], "head_steps": 12, "labels": ["sad", "angry"]}
    assert (plan["method"], plan["promote"]) == ("finetune", "by hand")
    with pytest.raises(NotUnderstood, match="gives no value"):
        Wishes(**NOTHING | {"setting": ["head_steps"]}).plan()


def test_a_report_says_the_decision_first_and_draws_every_difference(tmp_path: Path) -> None:
    one = {"name": "new people", "items": 80, "speakers": 5, "champion": 0.4, "challenger": 0.6, "difference": 0.2,
           "low": 0.1, "high": 0.3, "drawn": "speakers"}  # fmt: skip
    matrix = np.eye(len(EMOTIONS), dtype=int).tolist()
    version = {"calibration_error": 0.1, "reliability": [], "confusion": matrix, "group_gap": None}
    counted = {"utterances": 80, "speakers": 5, "classes": {"sad": 80}}
    report = {
        "run": 3, "profile": "mini", "champion": 1, "learned": counted, "held": counted,
        "left_out": {"the file is not audio that can be decoded": 2, "its file is not there": 0, "other classes": 1},
        "left_out_first": {"the file is not audio that can be decoded": "calls/7.wav"},
        "judgement": {
            "new": one, "earlier": [one | {"name": "nemo", "low": -0.3, "high": -0.1}], "groups": [],
            "decision": {"passed": False, "code": "negative_transfer", "reason": "worse on nemo"},
            "versions": {"champion": version, "challenger": version}, "classes": list(EMOTIONS),
        },
    }  # fmt: skip
    text = write_report(report, tmp_path).read_text()
    assert text.startswith("# Retraining run 3 of mini: refused\n\nWorse on nemo.")
    assert "| earlier: nemo | 80 | 5 | 0.400 | 0.600 | +0.200 | [-0.300, -0.100] |" in text
    assert (
        "Labels left out: 2 × the file is not audio that can be decoded (first calls/7.wav); 1 × other classes." in text
    )
    assert all((tmp_path / name).read_bytes().startswith(b"\x89PNG") for name in ("differences.png", "confusion.png"))


def test_the_generated_corpus_is_heard_as_speech_and_its_labels_can_be_flipped(tmp_path: Path) -> None:
    clips = write_corpus(tmp_path, ["ann"], 5, "telephone")
    assert [clip.label for clip in clips] == [label for label in CLASSES for _ in range(5)]
    samples = channel_samples(decode(clips[0].path), None)
    assert speech_segments(samples)

    write_labels(clips, tmp_path / "true.csv")
    write_labels(clips, tmp_path / "flipped.csv", flipped=0.3)
    true, flipped = (list(corpus("csv", tmp_path / name)) for name in ("true.csv", "flipped.csv"))

    assert [item.label for item in true] == [clip.label for clip in clips]
    assert sum(a.label != b.label for a, b in zip(true, flipped, strict=True)) == 6
