"""IEMOCAP (Busso et al. 2008): ten actors in five sessions of two, scripted and improvised dialogues in English.

Published layout, below `IEMOCAP_full_release`:

    Session1/dialog/EmoEvaluation/Ses01F_impro01.txt                      what was agreed, and who voted for what
    Session1/dialog/transcriptions/Ses01F_impro01.txt                     what was said
    Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav         a turn
    Session1/dialog/wav/Ses01F_impro01.wav                                the whole dialogue

A block of EmoEvaluation begins with `[start - end] turn emotion [valence, activation, dominance]`, where the emotion is
what most raters agreed on ("xxx": nothing), and goes on with a line per rater, `C-E1: Anger; ()`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ml.corpora.importer import importer
from ml.corpora.reading import text_of
from ml.corpora.types import CorpusBroken, CorpusMissing, LabelledUtterance, LabelUnknown, Skipped, shown
from ml.corpora.votes import clamped, shares

#: Agreed emotion: (the corpus's word, canonical class). Excitement joins happiness, as everywhere in the literature;
#: frustration, "other" and no agreement are no class of ours.
LABELS = {
    "ang": ("angry", "angry"),
    "hap": ("happy", "happy"),
    "exc": ("excited", "happy"),
    "neu": ("neutral", "neutral"),
    "sad": ("sad", "sad"),
    "fea": ("fearful", "fear"),
    "dis": ("disgusted", "disgust"),
    "sur": ("surprised", "surprise"),
    "fru": ("frustrated", None),
    "oth": ("other", None),
    "xxx": ("no agreement", None),
}
#: What raters chose from, as it stands on their lines.
VOTES = {
    "anger": "angry",
    "happiness": "happy",
    "excited": "happy",
    "excitement": "happy",
    "neutral": "neutral",
    "neutral state": "neutral",
    "sadness": "sad",
    "fear": "fear",
    "disgust": "disgust",
    "surprise": "surprise",
    "frustration": None,
    "other": None,
}
_HEAD = re.compile(r"\[(\d+\.\d+) - (\d+\.\d+)\]\s+(\S+)\s+(\w+)\s+\[([\d.]+),\s*([\d.]+),\s*([\d.]+)\]\s*$")
_VOTE = re.compile(r"C-E\d+:\s*(.*?)\s*\(")
_TURN = re.compile(r"(Ses(\d\d)[FM]_(impro|script)\w*?)_([FM])\w{3,4}")
_SAID = re.compile(r"(\S+) \[[\d.]+-[\d.]+\]:\s*(.*?)\s*$")


@dataclass(slots=True)
class _Turn:
    """One block of an evaluation file."""

    name: str
    emotion: str
    start_s: float
    end_s: float
    valence: float
    activation: float
    #: For each rater the classes that were named, None for one that is not ours.
    votes: list[list[str | None]] = field(default_factory=list)


@importer("iemocap", about="acted English dialogues, 10 actors, 5 sessions, arousal and valence",
          licence="IEMOCAP release agreement (research)")  # fmt: skip
def iemocap(folder: Path, skipped: Skipped) -> Iterator[LabelledUtterance]:
    """Every rated turn, dialogue by dialogue in order of time; the four usual classes are `of_classes(…)` of these.

    Turns without an agreed label of ours have `label` None: they still have votes, arousal and valence. Audio is the
    turn's own file, or without it the stretch of the dialogue's. Distributions count the outside raters (`C-E`), a
    rater who named two emotions half for each.
    """
    for file in _evaluations(folder):
        session, dialogue = file.parents[2], file.stem
        texts = _texts(session / "dialog" / "transcriptions" / file.name)
        for turn in sorted(_turns(file), key=lambda turn: turn.start_s):
            audio = _audio(session, dialogue, turn)
            if audio is None:
                skipped.add("no audio", session / "sentences" / "wav" / dialogue / f"{turn.name}.wav")
                continue
            yield _utterance(turn, audio, texts.get(turn.name))


def _evaluations(folder: Path) -> list[Path]:
    nested = folder / "IEMOCAP_full_release"
    root = nested if nested.is_dir() else folder
    # The archive was packed on a Mac: beside each file lies one that begins with "._".
    found = sorted(root.glob("Session[1-5]/dialog/EmoEvaluation/Ses*.txt"))
    if not found:
        raise CorpusMissing(f"{folder} holds no Session1/dialog/EmoEvaluation/Ses….txt")
    return found


def _turns(file: Path) -> Iterator[_Turn]:
    turn: _Turn | None = None
    for number, line in enumerate(text_of(file, ("utf-8", "latin-1")).splitlines(), start=1):
        if line.startswith("["):
            if turn is not None:
                yield turn
            turn = _head(file, number, line)
        elif turn is not None and (match := _VOTE.match(line)):
            turn.votes.append(_vote(file, number, match.group(1)))
    if turn is not None:
        yield turn


def _head(file: Path, number: int, line: str) -> _Turn:
    match = _HEAD.match(line)
    if match is None or not _TURN.fullmatch(match.group(3)):
        raise CorpusBroken.at(file, number, "it is not `[start - end] turn emotion [valence, activation, dominance]`")
    start, end, name, emotion, valence, activation, _ = match.groups()
    if emotion not in LABELS:
        raise LabelUnknown.at(file, number, f"{shown(emotion)} is none of IEMOCAP's emotions")
    if not float(start) < float(end):
        raise CorpusBroken.at(file, number, "the turn ends before it starts")
    return _Turn(name, emotion, float(start), float(end), float(valence), float(activation))


def _vote(file: Path, number: int, named: str) -> list[str | None]:
    words = [word.strip().lower() for word in named.split(";") if word.strip()]
    unknown = next((word for word in words if word not in VOTES), None)
    if unknown is not None:
        raise LabelUnknown.at(file, number, f"{shown(unknown)} is none of IEMOCAP's emotions")
    return [VOTES[word] for word in words]


def _texts(file: Path) -> dict[str, str]:
    """{turn: what was said}; lines of comment have no times and are passed over."""
    if not file.is_file():
        return {}
    lines = (_SAID.match(line) for line in text_of(file, ("utf-8", "latin-1")).splitlines())
    return {match.group(1): match.group(2) for match in lines if match}


def _audio(session: Path, dialogue: str, turn: _Turn) -> tuple[Path, float | None, float | None] | None:
    own = session / "sentences" / "wav" / dialogue / f"{turn.name}.wav"
    if own.is_file():
        return own, None, None
    whole = session / "dialog" / "wav" / f"{dialogue}.wav"
    return (whole, turn.start_s, turn.end_s) if whole.is_file() else None


def _utterance(turn: _Turn, audio: tuple[Path, float | None, float | None], text: str | None) -> LabelledUtterance:
    match = _TURN.fullmatch(turn.name)
    assert match is not None
    dialogue, session, style, sex = match.groups()
    source, label = LABELS[turn.emotion]
    path, start_s, end_s = audio
    return LabelledUtterance(
        corpus="iemocap",
        item_id=turn.name,
        speaker=f"iemocap-Ses{session}{sex}",
        label=label,
        language="en",
        audio_path=path,
        text=text,
        start_s=start_s,
        end_s=end_s,
        distribution=shares(turn.votes),
        # Both are means of points from 1 to 5 as they are; a handful of slips lie half a point outside.
        arousal=clamped(turn.activation),
        valence=clamped(turn.valence),
        dialogue=f"iemocap-{dialogue}",
        session=f"iemocap-Ses{session}",
        gender="female" if sex == "F" else "male",
        style="improvised" if style == "impro" else "scripted",
        source_label=source,
    )
