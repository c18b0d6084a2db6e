"""Files of labels in every form: what is understood, and what is refused with file, line and reason."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ml.emotions import EMOTIONS
from ml.labelling.errors import LabelsUnreadable, MappingInvalid
from ml.labelling.reading import read_labels
from ml.labelling.words import Words, read_words
from tests.unit.labelling_files import SHA, TEXTGRID, read


def shares(**given: float) -> tuple[float, ...]:
    return tuple(pytest.approx(given.get(emotion, 0.0)) for emotion in EMOTIONS)


def test_a_table_of_rows_by_annotator(tmp_path: Path) -> None:
    found = read(
        tmp_path / "labels.csv",
        "recording,start_s,end_s,annotator,label,arousal,valence,note,speaker,gender\n"
        "calls/1.wav,1.5,3,Kim,Anger,9,1,shouts,Anna,F\n"
        'calls/1.wav,1.5,3,Lee,"happy; sad",5,,,,Female\n'
        "calls/2.wav,,,Kim,neutral,,,,,\n",
        words=read_words(scale="1-9"),
    )

    first, second, third = found.judgements
    assert (found.format, found.refusals) == ("table", [])
    assert (first.about.paths, first.start_s, first.end_s) == (("calls/1.wav",), 1.5, 3.0)
    assert (first.label, first.source_label, first.arousal, first.valence) == ("angry", "anger", 5.0, 1.0)
    assert (first.annotator, first.note, first.speaker, first.where) == ("Kim", "shouts", "Anna", "line 2")
    assert (second.label, second.shares, second.arousal) == (None, shares(happy=0.5, sad=0.5), 3.0)
    assert (third.start_s, third.label) == (None, "neutral")
    assert [one.gender for one in found.judgements] == ["female", "female", None]


def test_votes_make_shares_and_a_label_unless_they_tie(tmp_path: Path) -> None:
    found = read(tmp_path / "votes.tsv", "sha256\tangry\tsad\n" + f"{SHA}\t3\t1\n{SHA}\t1\t1\n", annotator="panel")

    clear, tie = found.judgements
    assert (clear.label, clear.shares) == ("angry", shares(angry=0.75, sad=0.25))
    assert (tie.label, tie.shares) == (None, shares(angry=0.5, sad=0.5))
    assert clear.about.sha256 == SHA and clear.annotator == "panel"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a.wav,1,2,Kim,furious,", "“furious” is none of the classes; say what it means with --map"),
        (
            "a.wav,1,2,Kim,he said that he was really angry with them,",
            "a text that is no label is none of the classes; say what it means with --map",
        ),
        ("a.wav,1,2,,sad,", "it does not say who judged; name somebody with --annotator"),
        ("a.wav,2,1,Kim,sad,", "its times are no stretch of a recording"),
        ("a.wav,1,,Kim,sad,", "a start without an end, or an end without a start"),
        ("a.wav,soon,2,Kim,sad,", "start_s is no number"),
        ("a.wav,1,2,Kim,sad,7", "arousal is not from 1 to 5; say which scale it is with --scale"),
        ("a.wav,1,2,Kim,,", "it has no label, no shares, no arousal and no valence"),
        (",1,2,Kim,sad,", "it does not say which recording it is about"),
        ("a.wav,1,2,Kim,sad", "it has 5 fields, the header 6"),
    ],
)
def test_a_line_that_cannot_be_followed_is_named_and_the_rest_goes_in(tmp_path: Path, row: str, reason: str) -> None:
    header = "recording,start_s,end_s,annotator,label,arousal\n"

    found = read(tmp_path / "labels.csv", f'{header}"a\nb.wav",1,2,Kim,sad,\n{row}\nb.wav,1,2,Kim,sad,\n')

    assert [str(refusal) for refusal in found.refusals] == [f"labels.csv, line 4: {reason}"]
    assert len(found.judgements) == 2


def test_json_lines(tmp_path: Path) -> None:
    lines = [
        {"recording_id": 7, "utterance_no": 3, "annotator": "Kim", "label": ["sad", "fear"]},
        {"path": "a.wav", "start_s": 0, "end_s": 1.5, "annotator": "Kim", "shares": {"anger": 2, "joy": 2}},
        ["no object"],
        {"path": "a.wav", "annotator": "Kim", "label": "sad", "language": "tlhIngan?"},
    ]

    found = read(tmp_path / "labels.jsonl", "\n".join(map(json.dumps, lines)) + "\n{broken\n")

    first, second = found.judgements
    assert (first.about.recording_id, first.utterance_no, first.shares) == (7, 3, shares(sad=0.5, fear=0.5))
    assert (second.start_s, second.shares) == (0.0, shares(angry=0.5, happy=0.5))
    assert [(refusal.where, refusal.reason) for refusal in found.refusals] == [
        ("line 3", "it is no JSON object"),
        ("line 4", "the language is not a code of ISO 639"),
        ("line 5", "it is no JSON"),
    ]


def test_words_can_be_given_a_meaning_or_none(tmp_path: Path) -> None:
    words = read_words(["Furious=anger", "bored=none"])

    found = read(
        tmp_path / "labels.csv", "path,label\na.wav,furious\nb.wav,bored\nc.wav,none\n", words=words, annotator="Kim"
    )

    assert [judgement.label for judgement in found.judgements] == ["angry"]
    assert dict(found.left_out) == {"it is none of the classes": 2}
    for maps, scale in ((["furious"], None), (["furious=wild"], None), ([], "5"), ([], "9-1")):
        with pytest.raises(MappingInvalid):
            read_words(maps, scale)


def test_a_tier_of_a_textgrid(tmp_path: Path) -> None:
    found = read(tmp_path / "call 17.TextGrid", TEXTGRID, annotator="Kim")

    (judgement,) = found.judgements
    assert (judgement.label, judgement.start_s, judgement.end_s) == ("angry", 1.0, 2.0)
    assert judgement.about.paths == ("call 17",) and judgement.about.by_name
    assert [str(refusal) for refusal in found.refusals] == [
        "call 17.TextGrid, interval at 2.000 s: “furious” is none of the classes; say what it means with --map"
    ]
    (other,) = read(tmp_path / "call 17.TextGrid", TEXTGRID, annotator="Kim", tier="Words").judgements
    assert (other.label, other.end_s) == ("sad", 3.0)


def tiers(**given: list[tuple[float, float, str]]) -> str:
    """A TextGrid of four seconds with these tiers."""
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "0", "4", "<exists>", str(len(given))]
    for name, intervals in given.items():
        lines += ['"IntervalTier"', f'"{name}"', "0", "4", str(len(intervals))]
        lines += [str(part) if not isinstance(part, str) else f'"{part}"' for one in intervals for part in one]
    return "\n".join(lines)


def test_tiers_of_arousal_and_valence_belong_to_the_label_of_the_same_interval(tmp_path: Path) -> None:
    content = tiers(
        emotion=[(0, 1, "angry"), (1, 4, "")],
        Arousal=[(0, 1, "5"), (1, 2, "3,5"), (2, 3, "loud"), (3, 4, "9")],
        valence=[(0, 1, "2"), (1, 4, " ")],
    )
    found = read(tmp_path / "call.TextGrid", content, annotator="Kim")

    said = [(j.start_s, j.end_s, j.label, j.arousal, j.valence) for j in found.judgements]
    assert said == [(0.0, 1.0, "angry", 5.0, 2.0), (1.0, 2.0, None, 3.5, None)]
    assert [str(refusal) for refusal in found.refusals] == [
        "call.TextGrid, interval at 2.000 s: arousal is no number",
        "call.TextGrid, interval at 3.000 s: arousal is not from 1 to 5; say which scale it is with --scale",
    ]
    (alone,) = read(tmp_path / "call.TextGrid", tiers(valence=[(0, 4, "1")]), annotator="Kim").judgements
    assert (alone.label, alone.valence, alone.end_s) == (None, 1.0, 4.0)


def test_a_folder_of_textgrids_and_a_tier_that_is_not_there(tmp_path: Path) -> None:
    folder = tmp_path / "labelled"
    (folder / "may").mkdir(parents=True)
    (folder / "may" / "1.TextGrid").write_text(TEXTGRID)
    (folder / "2.textgrid").write_text(TEXTGRID.replace('"emotion"', '"mood"'))

    found = read_labels(folder, words=read_words(["furious=angry"]), annotator="Kim")

    assert [judgement.about.paths for judgement in found.judgements] == [("may/1",), ("may/1",)]
    assert [str(refusal) for refusal in found.refusals] == [
        "2.textgrid, all of it: it has no tier for labels; its tiers are “mood”, “words”; name one with --tier"
    ]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "start,text\n1,hello\n"),
        ("a.json", "[{"),
        ("a.json", '[{"image": 1}]'),
        ("a.csv", ""),
        ("a.bin", "\0\1"),
    ],
)
def test_what_is_no_file_of_labels_is_one_sentence(tmp_path: Path, name: str, content: str) -> None:
    with pytest.raises(LabelsUnreadable) as said:
        read(tmp_path / name, content)

    assert said.value.hint
    with pytest.raises(LabelsUnreadable):
        read_labels(tmp_path / "nowhere.csv", words=Words())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["a.csv", "a.jsonl", "a.json", "a.TextGrid"]),
    st.sampled_from(["", "path,label,start_s\n", '{"path": "a", "label": ', '[{"data": {"audio": "a"}, ', TEXTGRID]),
    st.text(max_size=80),
)
def test_whatever_stands_in_a_file_is_read_or_refused_with_a_sentence(
    tmp_path: Path, name: str, start: str, rest: str
) -> None:
    (tmp_path / name).write_bytes((start + rest).encode("utf-8", "surrogatepass"))

    try:
        found = read_labels(tmp_path / name, words=Words(), annotator="Kim")
    except LabelsUnreadable as exc:
        assert exc.hint
    else:
        assert all(refusal.reason for refusal in found.refusals)
