"""Files of labels for several tests: a TextGrid, and pieces of an export of Label Studio."""

from pathlib import Path
from typing import Any

from ml.labelling.reading import read_labels
from ml.labelling.types import Read
from ml.labelling.words import Words

SHA = "ab" * 32
TEXTGRID = """File type = "ooTextFile"
Object class = "TextGrid"

0
3
<exists>
2
"IntervalTier"
"emotion"
0
3
3
0
1
""
1
2
"angry"
2
3
"furious"
"IntervalTier"
"words"
0
3
1
0
3
"sad"
"""


def read(path: Path, content: str, *, words: Words | None = None, **more: Any) -> Read:
    """What is read from a file that holds this."""
    path.write_text(content, encoding="utf-8")
    return read_labels(path, words=words or Words(), **more)


def choice(*words: str, control: str = "emotion", **region: Any) -> dict[str, Any]:
    return {
        "from_name": control,
        "to_name": "audio",
        "type": "choices",
        "id": f"r{region}",
        "value": {"choices": list(words), **region},
    }


def rating(control: str, points: int) -> dict[str, Any]:
    return {"from_name": control, "to_name": "audio", "type": "rating", "id": control, "value": {"rating": points}}


def annotation(number: int, who: Any, *result: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": number, "completed_by": who, "was_cancelled": False, "result": list(result), **more}
