"""Label Studio: its export as labels, and utterances as its tasks."""

import json
from pathlib import Path
from typing import Any

import pytest

from ml.labelling.label_studio import paths_of
from ml.labelling.tasks import Task, as_json, interface
from tests.integration.planting import distribution
from tests.unit.labelling_files import SHA, annotation, choice, rating, read


def test_an_export_of_label_studio(tmp_path: Path) -> None:
    clip = {"audio": "/data/local-files/?d=todo/clips/x.flac", "recording_sha256": SHA, "start_s": 4.0, "end_s": 6.0}
    label = {
        "from_name": "label",
        "to_name": "audio",
        "type": "labels",
        "id": "r1",
        "value": {"start": 1.0, "end": 2.5, "channel": 0, "labels": ["Surprised"]},
    }
    tasks = [
        {
            "id": 1,
            "data": clip,
            "annotations": [
                annotation(10, {"id": 3, "email": "kim@calls.example"}, choice("sad"), rating("arousal", 2)),
                annotation(11, 4, choice("angry"), choice("noisy", control="quality")),
                annotation(12, 5, was_cancelled=True),
                annotation(13, 6),
            ],
            "predictions": [{"result": [choice("happy")]}],
        },
        {
            "id": 2,
            "data": {"audio": "/data/upload/3/0a1b2c3d-call%2017.wav"},
            "annotations": [
                annotation(20, 4, choice("sad"), updated_at="2026-03-01T10:00:00Z"),
                annotation(21, 4, label, updated_at="2026-03-01T09:00:00Z"),
                annotation(22, 7, label, choice("angry", "sad", start=3.0, end=4.0)),
                annotation(23, None, choice("sad")),
                annotation(24, 8, choice("furious")),
            ],
        },
        {"id": 3, "data": {"audio": "x.wav"}, "annotations": []},
    ]

    found = read(tmp_path / "export.json", json.dumps(tasks))

    said = [(j.annotator, j.start_s, j.end_s, j.label, j.arousal) for j in found.judgements]
    assert said == [
        ("kim@calls.example", 4.0, 6.0, "sad", 2.0),
        ("label-studio-4", 4.0, 6.0, "angry", None),
        ("label-studio-4", None, None, "sad", None),
        ("label-studio-7", 1.0, 2.5, "surprise", None),
        ("label-studio-7", 3.0, 4.0, None, None),
    ]
    assert found.judgements[0].about.sha256 == SHA
    assert found.judgements[2].about.paths == ("data/upload/3/0a1b2c3d-call 17.wav", "call 17.wav")
    assert found.judgements[4].shares == pytest.approx(tuple(distribution(angry=0.5, sad=0.5)))
    assert dict(found.left_out) == {
        "skipped by its annotator": 1,
        "annotation without a result": 1,
        "annotated again by the same annotator": 1,
        "task without an annotation": 1,
    }
    assert [str(refusal) for refusal in found.refusals] == [
        "export.json, task 2, annotation 23: it does not say who judged; name somebody with --annotator",
        "export.json, task 2, annotation 24: “furious” is none of the classes; say what it means with --map",
    ]


@pytest.mark.parametrize(
    "task",
    [
        {"data": {"audio": "a.wav"}, "annotations": ["no object"]},
        {"data": {"audio": "a.wav"}, "annotations": [annotation(1, 2, "no object")]},  # type: ignore[arg-type]
        {"data": [], "annotations": [annotation(1, 2, choice("sad"))]},
        {"data": {"audio": "a\x00.wav"}, "annotations": [annotation(1, 2, choice("sad"))]},
        {"data": {"audio": "a.wav", "start_s": "x", "end_s": 2}, "annotations": [annotation(1, 2, choice("sad"))]},
        {"data": {"recording_id": 1e40}, "annotations": [annotation(1, 2, choice("sad"))]},
        {"data": {"audio": "a.wav"}, "annotations": [annotation(1, 2, rating("arousal", None))]},  # type: ignore[arg-type]
    ],
)
def test_a_task_that_is_not_as_label_studio_writes_it_is_refused_alone(tmp_path: Path, task: dict[str, Any]) -> None:
    sound = {"data": {"audio": "b.wav"}, "annotations": [annotation(9, 2, choice("sad"))]}

    found = read(tmp_path / "export.json", json.dumps([task, sound]))

    assert len(found.judgements) == len(found.refusals) == 1
    assert "task 1" in str(found.refusals[0])


def test_recordings_are_told_from_the_urls_of_label_studio() -> None:
    assert paths_of("/data/local-files/?d=calls%2Fmay/17.wav") == ("calls/may/17.wav",)
    assert paths_of("https://bucket.example/calls/17.wav?signature=x") == ("calls/17.wav",)
    assert paths_of("calls/17.wav") == ("calls/17.wav",)


def test_tasks_name_their_clip_and_hold_text_only_when_told() -> None:
    task = Task("x.flac", SHA, "may/1.wav", 1.0, 2.0, "sad", 0.41, "mini version 1")

    (plain,) = as_json([task], "to do")
    (blind,) = as_json([task], "to do", predictions=False)

    assert plain["data"]["audio"] == "/data/local-files/?d=to%20do/clips/x.flac"
    assert "text" not in plain["data"] and "predictions" not in blind
    (prediction,) = plain["predictions"]
    assert prediction["result"][0]["value"] == {"choices": ["sad"]}
    assert "$text" not in interface(with_text=False) and "$text" in interface(with_text=True)
