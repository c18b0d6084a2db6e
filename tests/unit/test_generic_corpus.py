"""Anybody's own table of labels."""

from pathlib import Path

import pytest

from ml.corpora.registry import corpus
from ml.corpora.types import CorpusBroken, LabelledUtterance, LabelUnknown, Skipped
from ml.emotions import EMOTIONS


def read(folder: Path, *lines: str, skipped: Skipped | None = None) -> list[LabelledUtterance]:
    (folder / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return list(corpus("csv", folder / "labels.csv", skipped))


def test_every_column_is_understood(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()

    (item,) = read(
        tmp_path,
        "path,text,label,speaker,start_s,end_s,language,dialogue,session,split,arousal,valence,gender,annotator,id,team",
        "a.wav,Hello,Joy,Kim,1.5,2,en-US,d1,s1,dev,4,4.5,female,rater 2,x1,parcels",
    )

    assert item == LabelledUtterance(
        "csv", "x1", "csv-Kim", "happy", "en", audio_path=tmp_path / "a.wav", text="Hello", split="dev", start_s=1.5,
        end_s=2.0, arousal=4.0, valence=4.5, dialogue="csv-d1", session="csv-s1", gender="female", source_label="joy",
        annotator="rater 2",
    )  # fmt: skip


def test_votes_become_shares_and_classes_that_are_no_column_get_none(tmp_path: Path) -> None:
    (item,) = read(tmp_path, "text,angry,sad", "Oh,3,1")

    assert item.label is None
    assert dict(zip(EMOTIONS, item.distribution or (), strict=True))["angry"] == 0.75
    assert sum(item.distribution or ()) == 1.0
    assert item.language == "und"


@pytest.mark.parametrize(
    ("header", "expected"), [("path,emotion,speaker", "label"), ("label,file name of it,speaker", "path, text")]
)
def test_a_table_without_a_needed_column_is_told_what_it_has_and_what_it_needs(
    tmp_path: Path, header: str, expected: str
) -> None:
    with pytest.raises(CorpusBroken, match="line 1: there is no column") as broken:
        read(tmp_path, header, "a.wav,sad,Kim")

    assert "“speaker”" in str(broken.value)
    assert expected in broken.value.hint


def test_without_speakers_a_recording_stays_on_one_side_of_every_split(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    (tmp_path / "b.wav").touch()

    items = read(tmp_path, "path\tlabel\tstart_s\tend_s", "a.wav\tsad\t0\t1", "a.wav\tfear\t1\t2", "b.wav\tsad\t0\t1")

    assert [item.speaker for item in items] == ["csv-a.wav", "csv-a.wav", "csv-b.wav"]
    assert [item.item_id for item in items] == ["a.wav#0", "a.wav#1", "b.wav#0"]


def test_lines_without_their_recording_are_counted(tmp_path: Path) -> None:
    skipped = Skipped()

    assert read(tmp_path, "path,label", "gone.wav,sad", "lost.wav,sad", skipped=skipped) == []

    assert skipped.counts == {"no audio": 2}
    assert skipped.first["no audio"].endswith("gone.wav")


@pytest.mark.parametrize(
    ("header", "line", "error", "message"),
    [
        ("text,label", "Hi,meh", LabelUnknown, "line 2: “meh”"),
        ("text,label", "Hi,What I told you in private", LabelUnknown, "line 2: a text that is no label"),
        ("text,label", "Hi,", CorpusBroken, "line 2: it has no label, no votes"),
        ("text,label", ",sad", CorpusBroken, "line 2: it has neither a path nor a text"),
        ("text,label,arousal", "Hi,sad,much", CorpusBroken, "line 2: arousal is no number"),
        ("text,label,arousal", "Hi,sad,7", CorpusBroken, "line 2: arousal and valence must be from 1 to 5"),
        ("text,label,start_s,end_s", "Hi,sad,3,2", CorpusBroken, "line 2: its times are no stretch"),
        ("text,angry", "Hi,-1", CorpusBroken, "line 2: votes are no numbers"),
        ("text,angry", "Hi,nan", CorpusBroken, "line 2: votes are no numbers"),
        ("text,label,split", "Hi,sad,training", CorpusBroken, "line 2: the split is none of train, dev, test"),
        ("text,label,language", "Hi,sad,the usual", CorpusBroken, "line 2: the language is not a code"),
        ("text,label", "Hi,sad,3", CorpusBroken, "line 2: it has 3 fields, the header 2"),
    ],
)
def test_a_line_that_cannot_be_followed_is_named(
    header: str, line: str, error: type[CorpusBroken], message: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=rf"labels\.csv, {message}"):
        read(tmp_path, header, line)


def test_a_table_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_bytes("text,label\nSch\xf6n,sad\n".encode("latin-1"))

    with pytest.raises(CorpusBroken, match=r"labels\.csv: it is not text in utf-8"):
        list(corpus("csv", tmp_path / "labels.csv"))
