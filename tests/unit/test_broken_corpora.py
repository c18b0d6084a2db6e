"""What importers say of a corpus that is broken, is another one, or is none; and of values that cannot be."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ml.corpora.registry import IMPORTERS, corpus, find_importer
from ml.corpora.types import CorpusBroken, CorpusMissing, CorpusUnknown, LabelledUtterance, LabelUnknown
from tests.corpora.acted import write_cremad, write_nemo
from tests.corpora.iemocap import write_iemocap
from tests.corpora.kemdy import write_kemdy19, write_kemdy20
from tests.corpora.texts import write_goemotions, write_meld

WRITERS: dict[str, Callable[[Path], Path]] = {
    "iemocap": lambda folder: write_iemocap(folder, sessions=1, turns=("ang",), seconds=0.1),
    "kemdy19": lambda folder: write_kemdy19(folder, sessions=1, seconds=0.1),
    "kemdy20": lambda folder: write_kemdy20(folder, sessions=1, seconds=0.1),
    "meld": write_meld,
    "goemotions": write_goemotions,
    "nemo": lambda folder: write_nemo(folder, takes=1, seconds=0.1),
    "cremad": lambda folder: write_cremad(folder, seconds=0.1),
}
EVALUATION = "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt"
VOTES = "processedResults/tabulatedVotes.csv"
#: What is broken: corpus, file, what stands there, what shall, error, what it says.
BROKEN = {
    "an emotion": ("iemocap", EVALUATION, "\tang\t", "\tbad\t", LabelUnknown, r"impro01\.txt, line 3: “bad”"),
    "a vote": ("iemocap", EVALUATION, "C-E2:\tAnger", "C-E2:\tRage", LabelUnknown, r"impro01\.txt, line 5: “rage”"),
    "times": ("iemocap", EVALUATION, "[1.0000", "[x", CorpusBroken, r"line 3: it is not `\[start - end\]"),
    "an end before its start": ("iemocap", EVALUATION, "[1.0000", "[9.0000", CorpusBroken, "line 3: the turn ends"),
    "a column": ("kemdy20", "annotation/Sess01_eval.csv", "Total Evaluation", "Total", CorpusBroken,
                 r"Sess01_eval\.csv, line 1: there is no column Total Evaluation"),
    "arousal": ("kemdy20", "annotation/Sess01_eval.csv", "neutral,3.1,2.4", "neutral,3.1,24", CorpusBroken,
                "line 3: valence or arousal"),
    "a rating": ("kemdy19", "annotation/Session01_F_res.csv", "neutral,3.1", "bored,3.1", LabelUnknown,
                 r"Session01_F_res\.csv, line 3: “bored”"),
    "the name of a segment": ("kemdy19", "annotation/Session01_F_res.csv", "Sess01_script01_F001", "Sess01_F001",
                              CorpusBroken, r"Session01_F_res\.csv: segment 1 is not named"),
    "a slipped line": ("meld", "dev_sent_emo.csv", ",joy,", ",What I said in private,", LabelUnknown,
                       r"dev_sent_emo\.csv, line 3: a text that is no label"),
    "a short line": ("meld", "dev_sent_emo.csv", ",joy,neutral", "", CorpusBroken, "line 3: it has 9 fields"),
    "a quotation mark": ("meld", "dev_sent_emo.csv", '2.",', '2."x,', CorpusBroken, "line 4: it cannot be read"),
    "a number": ("goemotions", "dev.tsv", "\t17\t", "\t28\t", LabelUnknown, r"dev\.tsv, line 1: “28”"),
    "a label": ("nemo", "data.tsv", "\tfear\t", "\tpanic\t", LabelUnknown, r"data\.tsv, line 3: “panic”"),
    "votes": ("cremad", VOTES, '"100001",6', '"100001",x', CorpusBroken, r"Votes\.csv, line 2: there are no counts"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_broken_is_named_with_file_and_line(case: str, tmp_path: Path) -> None:
    name, file, old, new, error, message = BROKEN[case]
    path = WRITERS[name](tmp_path) / file
    content = path.read_text(encoding="utf-8")
    assert old in content
    path.write_text(content.replace(old, new, 1), encoding="utf-8")

    with pytest.raises(error, match=message) as said:
        list(corpus(name, tmp_path))

    assert "private" not in str(said.value)
    assert said.value.hint


@pytest.mark.parametrize("name", IMPORTERS)
def test_another_folder_is_not_taken_for_the_corpus(name: str, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()

    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(CorpusMissing, match=str(path)) as said:
            list(corpus(name, path))
        assert said.value.hint


def test_a_corpus_that_nobody_knows_is_answered_with_those_that_are() -> None:
    with pytest.raises(CorpusUnknown) as said:
        find_importer("enterface")

    assert "iemocap" in said.value.hint and "csv" in said.value.hint


@pytest.mark.parametrize(
    "wrong",
    [
        {"label": "calm"},
        {"distribution": (0.5,) * 7},
        {"distribution": (1.0,)},
        {"arousal": 5.5},
        {"valence": float("nan")},
        {"start_s": 1.0},
        {"start_s": 2.0, "end_s": 2.0},
    ],
)
def test_values_outside_of_their_range_are_no_utterance(wrong: dict[str, object]) -> None:
    given: dict[str, object] = {"corpus": "c", "item_id": "i", "speaker": "s", "label": None, "language": "en"}

    with pytest.raises(ValueError):
        LabelledUtterance(**(given | wrong))  # type: ignore[arg-type]


def test_an_utterance_without_a_label_has_no_class_number() -> None:
    assert LabelledUtterance("c", "i", "s", "sad", "en").class_no == 3
    with pytest.raises(ValueError, match="c i has no label"):
        _ = LabelledUtterance("c", "i", "s", None, "en").class_no
