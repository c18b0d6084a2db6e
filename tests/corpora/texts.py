"""Miniatures of the text corpora."""

from pathlib import Path

from tests.corpora.sound import write_voice

MELD_HEADER = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime"
#: Written in another order than the classes are kept in.
MELD_EMOTIONS = ("neutral", "joy", "anger", "sadness", "surprise", "fear", "disgust")
#: In the order of their numbers.
GOEMOTIONS = """
    admiration amusement anger annoyance approval caring confusion curiosity desire disappointment disapproval disgust
    embarrassment excitement fear gratitude grief joy love nervousness optimism pride realization relief remorse
    sadness surprise neutral
"""


def write_meld(folder: Path, *, dialogues: int = 2, clips: bool = False) -> Path:
    """Three tables with an utterance of each emotion per dialogue; `clips`: with sound. Returns `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for split, place in (("train", "train_splits"), ("dev", "dev_splits_complete"),
                         ("test", "output_repeated_splits_test")):  # fmt: skip
        lines = [MELD_HEADER]
        for dialogue in range(dialogues):
            for number, emotion in enumerate(MELD_EMOTIONS):
                who, times = ("Ross", "Rachel")[number % 2], '"00:01:00,000","00:01:02,000"'
                lines.append(
                    f'{len(lines)},"Well, it’s {number}.",{who},{emotion},neutral,{dialogue},{number},1,2,{times}'
                )
                if clips:
                    write_voice(folder / place / f"dia{dialogue}_utt{number}.wav", "neutral", who, seconds=0.3)
        (folder / f"{split}_sent_emo.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def write_goemotions(folder: Path) -> Path:
    """The three files with 28 emotions: one label, two of a class, two of different classes. Returns `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "emotions.txt").write_text("\n".join(GOEMOTIONS.split()) + "\n", encoding="utf-8")
    for split in ("train", "dev", "test"):
        rows = ["How nice\t17", "So grateful, and proud\t15,21", "Glad and sorry\t17,24", "So be it\t27"]
        lines = "\n".join(f"{row}\t{split}{number}" for number, row in enumerate(rows))
        (folder / f"{split}.tsv").write_text(lines + "\n", encoding="utf-8")
    return folder
