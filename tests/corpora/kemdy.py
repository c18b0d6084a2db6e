"""Miniatures of both KEMDy: tables of ratings under two lines of header, transcripts in two encodings."""

from pathlib import Path

from tests.corpora.sound import write_voice

#: (agreed, votes of ten raters, valence, arousal); a tie, and the misspelling of the published tables.
RATINGS = (
    ("neutral", ["neutral"] * 8 + ["happy"] * 2, 3.1, 2.4),
    ("angry", ["angry"] * 9 + ["disqust"], 1.5, 4.2),
    ("happy;neutral", ["happy"] * 5 + ["neutral"] * 5, 3.6, 2.9),
    ("disqust", ["disqust"] * 7 + ["angry"] * 3, 1.8, 3.5),
)
_SOUNDS = ("neutral", "angry", "happy", "disgust")
#: With a mark for noise, a filler and a stammer.
SAID = "n/ 아/ 그거 진짜+ 좋다"


def write_kemdy19(folder: Path, *, sessions: int = 2, seconds: float = 0.3) -> Path:
    """Sessions of a scripted and an improvised dialogue; each table rates both people. Returns `folder`."""
    for session in range(1, sessions + 1):
        segments = []
        for dialogue in ("script01", "impro01"):
            for number, sound in enumerate(_SOUNDS, start=1):
                for sex in "FM":
                    name = f"Sess{session:02}_{dialogue}_{sex}{number:03}"
                    place = folder / "wav" / f"Session{session:02}" / f"Sess{session:02}_{dialogue}"
                    write_voice(place / f"{name}.wav", sound, f"{session}{sex}", seconds=seconds)
                    (place / f"{name}.txt").write_text(SAID + "\n", encoding="utf-8")
                    segments.append((name, RATINGS[number - 1]))
        groups = [("Wav", "start", "end"), ("ECG", "start", "end"), ("E4-EDA", "start", "end"),
                  ("E4-TEMP", "start", "end")]  # fmt: skip
        for sex in "FM":
            table = folder / "annotation" / f"Session{session:02}_{sex}_res.csv"
            _write_table(table, groups, segments, encoding="utf-8")
    return folder


def write_kemdy20(folder: Path, *, sessions: int = 2, seconds: float = 0.3) -> Path:
    """Sessions of two people, with transcripts in CP949. Returns `folder`."""
    for session in range(1, sessions + 1):
        place = folder / "wav" / f"Session{session:02}"
        segments = []
        for number, sound in enumerate(_SOUNDS, start=1):
            for user in (f"User{2 * session - 1:03}F", f"User{2 * session:03}M"):
                name = f"Sess{session:02}_script01_{user}_{number:03}"
                write_voice(place / f"{name}.wav", sound, user, seconds=seconds)
                (place / f"{name}.txt").write_text(SAID + "\n", encoding="cp949")
                segments.append((name, RATINGS[number - 1]))
        table = folder / "annotation" / f"Sess{session:02}_eval.csv"
        _write_table(table, [("Wav", "start", "end")], segments, encoding="utf-8")
    return folder


def _write_table(
    path: Path, groups: list[tuple[str, str, str]], segments: list[tuple[str, tuple[str, list[str], float, float]]],
    *, encoding: str,
) -> None:  # fmt: skip
    raters = [f"Eval{rater:02}{'FM'[rater % 2]}" for rater in range(1, 11)]
    first, second = ["Numb"], [""]
    for name, start, end in groups:
        first += [name, ""]
        second += [start, end]
    first += ["Segment ID"]
    second += [""]
    for name in ("Total Evaluation", *raters):
        first += [name, "", ""]
        second += ["Emotion", "Valence", "Arousal"]
    lines = [first, second]
    for number, (name, (agreed, votes, valence, arousal)) in enumerate(segments, start=1):
        times = [f"{number}.0", f"{number}.9"] * len(groups)
        rated = [cell for vote in votes for cell in (vote, "3", "3")]
        lines.append([str(number), *times, name, agreed, str(valence), str(arousal), *rated])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(",".join(line) for line in lines) + "\n", encoding=encoding)
