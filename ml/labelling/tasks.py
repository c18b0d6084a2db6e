"""Utterances as tasks for Label Studio: what its import takes, and the interface to label them in.

Sources: Label Studio's documentation, "Label Studio JSON format of annotated tasks", "Import pre-annotated data", and
the tags Audio, Choices, Rating and TextArea. Audio is served from a local folder (`/data/local-files/?d=`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ml.emotions import EMOTIONS
from ml.labelling.words import NO_CLASS

CLIPS = "clips"


@dataclass(frozen=True, slots=True)
class Task:
    """One utterance to be labelled; `clip` is its file's name."""

    clip: str
    recording_sha256: str
    recording: str
    start_s: float
    end_s: float
    #: What the profile thinks it is, and how sure it is.
    predicted: str
    confidence: float
    #: The profile and its version, as annotators see it.
    model: str
    #: None unless annotators are to read it.
    text: str | None = None


def as_json(tasks: Sequence[Task], folder: str, *, predictions: bool = True) -> list[dict[str, Any]]:
    """Tasks as Label Studio imports them; `folder` is where the clips' folder lies below its document root."""
    return [_task(task, folder, predictions=predictions) for task in tasks]


def _task(task: Task, folder: str, *, predictions: bool) -> dict[str, Any]:
    data: dict[str, Any] = {
        "audio": f"/data/local-files/?d={quote(f'{folder}/{CLIPS}/{task.clip}')}",
        "recording": task.recording,
        "recording_sha256": task.recording_sha256,
        "start_s": task.start_s,
        "end_s": task.end_s,
    }
    if task.text is not None:
        data["text"] = task.text
    made: dict[str, Any] = {"data": data}
    if predictions:
        choice = {"choices": [task.predicted]}
        result = {"from_name": "emotion", "to_name": "audio", "type": "choices", "value": choice}
        made["predictions"] = [
            {"model_version": task.model, "score": round(task.confidence, 4), "result": [{"id": "emotion", **result}]}
        ]
    return made


def interface(*, with_text: bool) -> str:
    """The labelling interface: a choice of the classes, ratings of arousal and valence from 1 to 5, a note."""
    choices = "\n".join(
        f'    <Choice value="{emotion}" hotkey="{number}"/>' for number, emotion in enumerate(EMOTIONS, start=1)
    )
    text = '  <Text name="text" value="$text"/>\n' if with_text else ""
    return f"""<View>
  <Audio name="audio" value="$audio"/>
{text}  <Choices name="emotion" toName="audio" choice="single" required="true">
{choices}
    <Choice value="{NO_CLASS}" hotkey="0"/>
  </Choices>
  <Header value="Arousal: 1 calm, 5 excited" size="5"/>
  <Rating name="arousal" toName="audio" maxRating="5"/>
  <Header value="Valence: 1 negative, 5 positive" size="5"/>
  <Rating name="valence" toName="audio" maxRating="5"/>
  <TextArea name="note" toName="audio" rows="1" placeholder="Note"/>
</View>
"""


def how_to_label(folder: str) -> str:
    """A few lines that lie beside the tasks."""
    return f"""# How to label these clips

1. Start Label Studio (`pip install "label-studio>=1.20"`) where this folder lies, from the folder above it:

       LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT="$PWD" label-studio start

2. Make a project. Settings, Labeling Interface, Code: paste `config.xml`. Settings, Cloud Storage, Add Source Storage,
   Local files: the absolute path of `{folder}/{CLIPS}`; save it, but do not sync it.
3. Import `tasks.json`. Settings, Annotation: switch predictions off if annotators should not see them first: people
   tend to agree with what they are shown.
4. Label. Two people or more on the same clips let Tenor measure how far they agree.
5. Export as JSON, then `tenor labels import EXPORT.json`. Which recording and seconds each clip is from stands in the
   tasks.
"""
