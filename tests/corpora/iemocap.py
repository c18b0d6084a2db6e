"""A miniature IEMOCAP: sessions of a woman and a man who talk in an improvised and a scripted dialogue."""

from collections.abc import Sequence
from pathlib import Path

from tests.corpora.sound import write_voice

#: Agreed emotion → how three raters voted, and [valence, activation, dominance].
EMOTIONS = {
    "ang": (("Anger", "Anger", "Anger; Frustration"), (1.6667, 4.0, 4.3333)),
    "hap": (("Happiness", "Happiness", "Excited"), (4.3333, 3.3333, 3.0)),
    "exc": (("Excited", "Excited", "Happiness"), (4.6667, 4.3333, 3.6667)),
    "neu": (("Neutral", "Neutral", "Sadness"), (3.0, 2.3333, 2.6667)),
    "sad": (("Sadness", "Sadness", "Sadness"), (1.6667, 1.6667, 2.0)),
    "fru": (("Frustration", "Frustration", "Anger"), (2.0, 3.3333, 3.6667)),
    "xxx": (("Neutral", "Anger", "Frustration"), (2.5, 2.5, 2.5)),
}
_SOUNDS = {"ang": "angry", "hap": "happy", "exc": "happy", "neu": "neutral", "sad": "sad", "fru": "angry",
           "xxx": "neutral"}  # fmt: skip
#: One of each of the four classes, happiness also as excitement, and two that are none of them.
TURNS = tuple(EMOTIONS)


def write_iemocap(folder: Path, *, sessions: int = 5, turns: Sequence[str] = TURNS, seconds: float = 0.5) -> Path:
    """Write sessions below `folder`; both people say one turn of each emotion in both dialogues. Returns `folder`."""
    for session in range(1, sessions + 1):
        for kind in ("impro01", "script01_1"):
            _dialogue(folder / f"Session{session}", f"Ses{session:02}F_{kind}", turns, seconds)
    return folder


def _dialogue(session: Path, name: str, turns: Sequence[str], seconds: float) -> None:
    blocks = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]"]
    said = []
    start = 1.0
    for number, emotion in enumerate(turns):
        for sex in "FM":
            turn, end = f"{name}_{sex}{number:03}", start + seconds
            votes, affect = EMOTIONS[emotion]
            head = f"[{start:.4f} - {end:.4f}]\t{turn}\t{emotion}\t[{', '.join(f'{value:.4f}' for value in affect)}]"
            raters = [f"C-E{rater}:\t{vote};\t()" for rater, vote in enumerate(votes, start=1)]
            own = f"C-{sex}1:\t{votes[0]};\t()\nA-E3:\tval 3; act 2; dom  2;\t()"
            blocks.append("\n".join([head, *raters, own]))
            said.append(f"{turn} [{start:08.4f}-{end:08.4f}]: What I say in turn {number}.")
            sound = session / "sentences" / "wav" / name / f"{turn}.wav"
            write_voice(sound, _SOUNDS[emotion], f"{session.name}{sex}", seconds=seconds)
            start = end + 0.25
    evaluation = session / "dialog" / "EmoEvaluation" / f"{name}.txt"
    transcription = session / "dialog" / "transcriptions" / f"{name}.txt"
    for path, text in ((evaluation, "\n\n".join(blocks) + "\n"), (transcription, "\n".join(said) + "\n")):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    # What the archive's packer left behind.
    (evaluation.parent / f"._{name}.txt").write_bytes(b"\x00\x05\x16\x07")
