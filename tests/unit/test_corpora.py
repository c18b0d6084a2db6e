"""Importers, each on a miniature in the layout that its corpus is published in; and what they say of a broken one."""

import logging
from collections import Counter
from pathlib import Path

import pytest

from ml.corpora.registry import corpus, of_classes
from ml.corpora.types import LISTENER, SPEAKER, LabelledUtterance, Skipped
from ml.emotions import EMOTIONS
from tests.corpora.acted import write_cremad, write_emodb, write_nemo, write_ravdess
from tests.corpora.iemocap import write_iemocap
from tests.corpora.kemdy import write_kemdy19, write_kemdy20
from tests.corpora.texts import write_goemotions, write_meld


def by_id(name: str, path: Path, skipped: Skipped | None = None) -> dict[str, LabelledUtterance]:
    items = list(corpus(name, path, skipped))
    found = {item.item_id: item for item in items}
    assert len(found) == len(items), "every item once"
    return found


def shares(**counts: float) -> list[float]:
    return [pytest.approx(counts.get(emotion, 0.0), abs=1e-9) for emotion in EMOTIONS]


def test_iemocap_gives_agreed_labels_votes_affect_and_who_talked_with_whom(tmp_path: Path) -> None:
    found = by_id("iemocap", write_iemocap(tmp_path, sessions=2))

    angry = found["Ses02F_impro01_M000"]
    assert (angry.label, angry.source_label, angry.speaker) == ("angry", "angry", "iemocap-Ses02M")
    assert (angry.session, angry.dialogue, angry.gender) == ("iemocap-Ses02", "iemocap-Ses02F_impro01", "male")
    assert (angry.style, angry.text) == ("improvised", "What I say in turn 0.")
    assert (angry.valence, angry.arousal) == (1.6667, 4.0)
    # The third rater named frustration too, which is no class: half a vote is lost.
    assert list(angry.distribution or ()) == shares(angry=1.0)
    assert list(found["Ses01F_impro01_F003"].distribution or ()) == shares(neutral=2 / 3, sad=1 / 3)
    assert angry.audio_path is not None and angry.audio_path.is_file()
    assert (angry.start_s, angry.end_s) == (None, None)
    excited = found["Ses01F_script01_1_F002"]
    assert (excited.label, excited.source_label, excited.style) == ("happy", "excited", "scripted")


def test_iemocap_turns_that_nobody_agreed_on_or_that_are_frustrated_have_no_label(tmp_path: Path) -> None:
    items = list(corpus("iemocap", write_iemocap(tmp_path, sessions=1)))

    four = Counter(item.label for item in of_classes(items, {"angry", "happy", "neutral", "sad"}))
    none = {item.source_label for item in items if item.label is None}

    # Two dialogues, two people; happiness once as such and once as excitement.
    assert four == {"angry": 4, "happy": 8, "neutral": 4, "sad": 4}
    assert none == {"frustrated", "no agreement"}
    assert all(item.says_something for item in items)


def test_iemocap_without_sentence_files_is_cut_from_its_dialogues(tmp_path: Path) -> None:
    session = write_iemocap(tmp_path, sessions=1, turns=("ang",)) / "Session1"
    whole = session / "dialog" / "wav" / "Ses01F_impro01.wav"
    whole.parent.mkdir()
    next((session / "sentences" / "wav" / "Ses01F_script01_1").iterdir()).unlink()
    (session / "sentences" / "wav" / "Ses01F_impro01").rename(session / "elsewhere")
    whole.touch()
    skipped = Skipped()

    found = list(corpus("iemocap", tmp_path, skipped))

    cut = [(item.audio_path, item.start_s, item.end_s) for item in found if item.audio_path == whole]
    assert cut == [(whole, 1.0, 1.5), (whole, 1.75, 2.25)]
    assert len(found) == 3
    assert skipped.counts == {"no audio": 1}


def test_kemdy19_gives_the_speakers_rating_with_votes_of_ten(tmp_path: Path) -> None:
    skipped = Skipped()

    found = by_id("kemdy19", write_kemdy19(tmp_path), skipped)

    calm = found["Sess01_script01_F001"]
    assert (calm.label, calm.valence, calm.arousal) == ("neutral", 3.1, 2.4)
    assert list(calm.distribution or ()) == shares(neutral=0.8, happy=0.2)
    assert (calm.speaker, calm.session, calm.style) == ("kemdy19-Sess01F", "kemdy19-Sess01", "scripted")
    assert calm.text == "아 그거 진짜 좋다"
    assert calm.language == "ko"
    tie, disgusted = found["Sess02_impro01_M003"], found["Sess02_impro01_M004"]
    assert (tie.label, tie.source_label) == (None, "happy;neutral")
    assert disgusted.label == "disgust"
    # Two people turn by turn, in one order though the ratings stand in two tables.
    turns = [item.item_id[-4:] for item in found.values() if item.dialogue == "kemdy19-Sess01_script01"]
    assert turns == ["F001", "M001", "F002", "M002", "F003", "M003", "F004", "M004"]
    assert skipped.counts == {"the listener's rating": 32}


def test_kemdy19_gives_the_listeners_rating_to_whoever_asks_for_it(tmp_path: Path) -> None:
    folder = write_kemdy19(tmp_path, sessions=1)

    both = list(corpus("kemdy19", folder, roles=(SPEAKER, LISTENER)))
    own = list(corpus("kemdy19", folder, roles=(LISTENER,)))

    assert [item.item_id for item in both[:2]] == ["Sess01_script01_F001", "Sess01_script01_F001-listener"]
    assert len(both) == 2 * len(own) == 32
    assert len({item.item_id for item in both}) == 32
    # The voice is that of the woman who speaks, the emotion that of the man who listens.
    assert (own[0].item_id, own[0].speaker, own[0].label) == (
        "Sess01_script01_F001-listener", "kemdy19-Sess01F", "neutral",
    )  # fmt: skip


def test_kemdy20_reads_transcripts_in_cp949_and_knows_users_by_number(tmp_path: Path) -> None:
    found = by_id("kemdy20", write_kemdy20(tmp_path))

    item = found["Sess02_script01_User003F_002"]
    assert (item.label, item.speaker, item.gender) == ("angry", "kemdy20-User003F", "female")
    assert (item.text, item.style) == ("아 그거 진짜 좋다", "spontaneous")
    assert list(item.distribution or ()) == shares(angry=0.9, disgust=0.1)
    assert {each.session for each in found.values()} == {"kemdy20-Sess01", "kemdy20-Sess02"}


def test_a_segment_of_kemdy_that_nobody_rated_is_counted(tmp_path: Path) -> None:
    table = write_kemdy20(tmp_path, sessions=1, seconds=0.1) / "annotation" / "Sess01_eval.csv"
    head, second, first, *rest = table.read_text(encoding="utf-8").splitlines()
    cells = first.split(",")
    unrated = ",".join([*cells[:4], *[""] * (len(cells) - 4)])
    # Saved by a Korean spreadsheet: another encoding, and a line of commas at the end.
    table.write_bytes("\r\n".join([head, second, unrated, *rest, "," * (len(cells) - 1)]).encode("cp949"))
    skipped = Skipped()

    assert len(list(corpus("kemdy20", tmp_path, skipped))) == 7
    assert skipped.counts == {"nobody rated it": 1}


def test_meld_gives_dialogues_with_or_without_clips(tmp_path: Path) -> None:
    bare = by_id("meld", write_meld(tmp_path / "bare"))
    with_clips = by_id("meld", write_meld(tmp_path / "clips", clips=True))

    item = bare["dev-1-2"]
    assert (item.label, item.speaker, item.dialogue, item.split) == ("angry", "meld-Ross", "meld-dev-1", "dev")
    assert (item.text, item.audio_path) == ("Well, it’s 2.", None)
    assert len(bare) == 3 * 2 * 7
    clip = with_clips["dev-1-2"].audio_path
    assert clip == tmp_path / "clips" / "dev_splits_complete" / "dia1_utt2.wav"


def test_one_table_of_meld_can_be_named(tmp_path: Path) -> None:
    write_meld(tmp_path)

    assert {item.split for item in corpus("meld", tmp_path / "dev_sent_emo.csv")} == {"dev"}


def test_ravdess_keeps_calm_apart_as_the_corpuss_own_word(tmp_path: Path) -> None:
    found = by_id("ravdess", write_ravdess(tmp_path, actors=(3, 4), seconds=0.1))

    assert len(found) == 2 * 8 * 2
    assert Counter(item.label for item in found.values())["neutral"] == 2 * 2 * 2
    calm = found["03-01-02-01-01-01-04"]
    assert (calm.label, calm.source_label, calm.gender) == ("neutral", "calm", "female")


def test_nemo_counts_lines_without_audio_and_warns_whoever_does_not_ask(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_nemo(tmp_path, lost=3, seconds=0.1)

    with caplog.at_level(logging.WARNING):
        found = list(corpus("nemo", tmp_path))

    assert len(found) == 3 * 6 * 2 - 3
    assert found[0].gender == "male"
    (warning,) = (record.getMessage() for record in caplog.records)
    assert "3 left out: no audio (first " in warning


def test_emodb_leaves_boredom_out_and_says_so(tmp_path: Path) -> None:
    skipped = Skipped()

    found = by_id("emodb", write_emodb(tmp_path, seconds=0.1), skipped)

    assert {item.label for item in found.values()} == set(EMOTIONS) - {"surprise"}
    happy = found["08a01Fa"]
    assert (happy.label, happy.speaker, happy.gender, happy.language) == ("happy", "emodb-08", "female", "de")
    assert happy.text == "Der Lappen liegt auf dem Eisschrank."
    assert skipped.counts == {"boredom is none of the classes": 2}


def test_cremad_labels_what_was_intended_and_counts_votes_by_voice_only(tmp_path: Path) -> None:
    folder = write_cremad(tmp_path, seconds=0.1)
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
    (folder / "AudioWAV" / "1002_DFA_SAD_XX.wav").write_bytes(pointer)
    skipped = Skipped()

    found = by_id("cremad", folder, skipped)

    item = found["1001_DFA_HAP_XX"]
    assert (item.label, item.speaker, item.gender) == ("happy", "cremad-1001", "female")
    assert list(item.distribution or ()) == shares(angry=0.6, neutral=0.2, sad=0.2)
    assert len(found) == 11
    assert skipped.counts == {"no audio, only its Git LFS pointer": 1}


def test_goemotions_in_28_emotions_is_grouped_as_its_authors_do(tmp_path: Path) -> None:
    skipped = Skipped()

    found = by_id("goemotions", write_goemotions(tmp_path), skipped)

    labels = {item_id: (item.label, item.source_label) for item_id, item in found.items() if item.split == "dev"}
    assert labels == {"dev0": ("happy", "joy"), "dev1": ("happy", "gratitude;pride"), "dev3": ("neutral", "neutral")}
    assert skipped.counts == {"labels of several classes": 3}
