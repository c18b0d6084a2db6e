"""Reading labels of one's own, in whichever form they are."""

import hashlib
import json
from pathlib import Path

from ml.errors import TenorError
from ml.labelling.errors import LabelsUnreadable
from ml.labelling.label_studio import read_export
from ml.labelling.tables import read_jsonl, read_table
from ml.labelling.textgrids import read_textgrid
from ml.labelling.types import Read
from ml.labelling.words import Words
from ml.transcripts.encoding import decode

#: A hundred annotators of a hundred thousand utterances come to this.
MAX_BYTES = 2_000_000_000


def read_labels(path: Path, *, words: Words, annotator: str | None = None, tier: str | None = None) -> Read:
    """Everything that a file says, or the TextGrids below a folder; raises `LabelsUnreadable`.

    `annotator` judged where the file names nobody; `tier` is the tier of TextGrids.
    """
    if path.is_dir():
        return _folder(path, words=words, annotator=annotator, tier=tier)
    text, sha256 = _text(path)
    if path.suffix.lower() == ".textgrid":
        found = Read(path.name, sha256, "textgrid")
        read_textgrid(found, path.name, text, annotator=annotator, words=words, tier=tier)
    elif path.suffix.lower() in (".jsonl", ".ndjson") or _is_json_lines(text):
        found = Read(path.name, sha256, "jsonl")
        read_jsonl(found, text, annotator=annotator, words=words)
    elif text.lstrip()[:1] == "[":
        found = Read(path.name, sha256, "label-studio")
        read_export(found, text, annotator=annotator, words=words)
    else:
        found = Read(path.name, sha256, "table")
        read_table(found, text, annotator=annotator, words=words)
    return found


def _folder(folder: Path, *, words: Words, annotator: str | None, tier: str | None) -> Read:
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() == ".textgrid" and file.is_file())
    if not files:
        raise LabelsUnreadable(f"{folder} holds no TextGrid", hint="Give a file of labels, or a folder of TextGrids.")
    found, digest = Read(folder.absolute().name, "", "textgrid"), hashlib.sha256()
    for file in files:
        text, sha256 = _text(file)
        digest.update(sha256.encode())
        name = file.relative_to(folder).as_posix()
        read_textgrid(found, name, text, annotator=annotator, words=words, tier=tier)
    found.sha256 = digest.hexdigest()
    return found


def _text(path: Path) -> tuple[str, str]:
    """A file's text, with plain line ends, and the hash of its content."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise LabelsUnreadable(f"{path.name} is larger than {MAX_BYTES // 1_000_000_000} GB")
        raw = path.read_bytes()
    except OSError as exc:
        raise LabelsUnreadable(f"{path} cannot be read ({exc.strerror or type(exc).__name__})") from exc
    try:
        text, _ = decode(raw, path.name)
    except TenorError as exc:
        raise LabelsUnreadable(str(exc)) from exc
    return text.replace("\r\n", "\n").replace("\r", "\n"), hashlib.sha256(raw).hexdigest()


def _is_json_lines(text: str) -> bool:
    """True when the first line that holds something is a JSON object."""
    first = next((line for line in text.split("\n") if line.strip()), "")
    if not first.lstrip().startswith("{"):
        return False
    try:
        return isinstance(json.loads(first), dict)
    except ValueError:
        return False
