"""One file with the transcripts of a whole folder: what ingest makes of it and align reads, on a real database."""

import shutil
import zipfile
from pathlib import Path

import pytest
from sqlalchemy import text

import workers.archives.lists
from ml.transcripts import Excerpt, read_excerpt
from tests.integration.walking import Walker
from tests.unit.silence import write_silence
from workers.stages.align import _result

AZURE = "audio1.wav\t안녕하세요, 김민지입니다.\naudio2.wav\tNothing, thank you.\n"


def recordings(folder: Path, *paths: str, first: int = 0) -> Path:
    """Recordings whose contents differ, from number `first` on."""
    for number, path in enumerate(paths, first):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        write_silence(folder / path, level=number)
    return folder


def texts(walker: Walker, job: int, archive: Path | None = None) -> dict[str, str | None]:
    """What align would take each recording's text to be, by path."""
    found: dict[str, str | None] = {}
    for member in walker.members(job):
        name = member.audio.relative_to(archive).as_posix() if archive else member.audio.name
        if isinstance(member.transcript, Excerpt):
            found[name] = " ".join(turn.text for turn in read_excerpt(member.transcript).turns)
        else:
            found[name] = member.transcript and f"file {member.transcript.name}"
    return found


def test_every_layout_gives_each_recording_its_own_text(walker: Walker, tmp_path: Path) -> None:
    layouts = (
        ("azure/trans.txt", "\ufeffa-1.wav\tone two\r\nb-2.wav\t세 네\r\n", ("a-1.wav", "b-2.wav")),
        ("librispeech/84-121.trans.txt", "a-1 one two\nb-2 세 네\n", ("a-1.flac", "b-2.flac")),
        ("kaldi/text", "k-1 one two\nb-2   세 네\n", ("wav/s1/k-1.wav", "wav/s2/b-2.wav")),
        ("ljspeech/metadata.csv", "a-1|one two|one\nb-2|세 네|다섯\n", ("wavs/a-1.wav", "wavs/b-2.wav")),
        (
            "header/metadata.csv",
            'file_name,transcription\ndata/a-1.wav,"one\n\n two"\nb-2.mp3,세 네\n',
            ("data/a-1.wav", "b-2.ogg"),
        ),
    )
    archive, expected = tmp_path / "archive", {}
    for number, (name, content, (first, second)) in enumerate(layouts):
        folder = recordings(archive / Path(name).parent, first, second, "c-3.wav", first=3 * number)
        (archive / name).write_text(content, newline="")
        own = {first: "one two", second: "세 네", "c-3.wav": None}
        expected |= {f"{folder.name}/{path}": said for path, said in own.items()}

    job = walker.walk(archive)

    assert texts(walker, job, archive) == expected
    assert walker.told(job) == []


def test_one_corrected_line_aligns_one_recording_again(walker: Walker, tmp_path: Path) -> None:
    calls = recordings(tmp_path / "calls", "audio1.wav", "audio2.wav")
    (calls / "trans.txt").write_text(AZURE)
    first = walker.files(walker.walk(calls))

    (calls / "trans.txt").write_text("audio9.wav\tnew\n" + AZURE.replace("Nothing", "Everything"))
    second = walker.files(walker.walk(calls))

    assert second["audio1.wav"]["alignment_id"] == first["audio1.wav"]["alignment_id"]
    assert second["audio2.wav"]["alignment_id"] != first["audio2.wav"]["alignment_id"]


def test_a_recordings_own_transcript_goes_first_and_a_list_for_another_folder_is_nobodys(
    walker: Walker, tmp_path: Path
) -> None:
    calls = recordings(tmp_path / "calls", "audio1.wav", "audio2.wav", "other/audio1.wav", "sub/audio1.wav")
    (calls / "audio2.txt").write_text("its own")
    (calls / "trans.txt").write_text(AZURE)
    (calls / "sub" / "trans.txt").write_text("audio1.wav\tnearer\n")

    job = walker.walk(calls)

    # Two folders below have an audio1 and nobody knows which the list means; that of its own folder is sure.
    assert texts(walker, job, calls) == {
        "audio1.wav": "안녕하세요, 김민지입니다.",
        "audio2.wav": "file audio2.txt",
        "other/audio1.wav": None,
        "sub/audio1.wav": "nearer",
    }
    assert [said.partition(":")[0] for said in walker.told(job)] == ["trans.txt, line 1"]


def test_what_is_wrong_with_a_list_is_told_with_file_and_line_and_without_its_words(
    walker: Walker, tmp_path: Path
) -> None:
    calls = recordings(tmp_path / "calls", "sub/a1.wav", "sub/a2.wav", "sub/a3.wav", "sub/deep/b1.wav", "c1.wav")
    (calls / "sub" / "trans.txt").write_bytes(
        b"a1.wav\tsecret one\nsecret without a name\na2.wav\ta bro\xc3ken secret "
        + b"\xe2\x82\xac" * 11
        + b"\na1.wav\tsecret two\n"
        b"a3.wav\t\n../c1.wav\tsecret\n"
    )
    (calls / "sub" / "deep" / "trans.txt").write_text("b1.wav\tsecret\nb1.wav\tsecret\n")
    (calls / "metadata.csv").write_bytes(b"\0\1\2\3" * 100)

    job = walker.walk(calls)

    assert texts(walker, job, calls) == {
        "sub/a1.wav": "secret one",
        "sub/a2.wav": "a bro\ufffdken secret €€€€€€€€€€€",
        "sub/a3.wav": None,
        "sub/deep/b1.wav": "secret",
        "c1.wav": None,
    }
    told = walker.told(job)
    assert [said.partition(":")[0] for said in told] == [
        "metadata.csv", "sub/deep/trans.txt, line 2", *(f"sub/trans.txt, line {n}" for n in (2, 3, 4, 5, 6)),
    ]  # fmt: skip
    assert "line 1 is about the same recording" in told[1]
    assert not any("secret" in said or "bro" in said for said in told)

    # And a walk that is begun again writes nothing twice.
    with walker.engine.begin() as conn:
        conn.execute(text("UPDATE stages SET state = 'ready' WHERE stage = 'ingest'"))
    assert "files in" in walker.again(job)
    assert walker.told(job) == told


def test_other_files_with_such_a_name_are_no_lists(walker: Walker, tmp_path: Path) -> None:
    others = {
        "text.txt": "call1 is what this is about\n",
        "transcript.txt": "Good morning.\ncall1 is what I called it in 1999.\nThen I left.\n",
        "trans.txt": "0.0 1.5 [Ann] call\n1.5 2.0 [Ben] me\n",
        "text": "call1\n",
        "metadata.csv": "id,agent,minutes\ncall1,7,3\n",
    }
    for name, content in others.items():
        folder = recordings(tmp_path / "calls" / name.replace(".", "_"), "call1.wav")
        (folder / name).write_text(content)

    job = walker.walk(tmp_path / "calls")

    assert [row["transcript_path"] for row in walker.files(job).values()] == [None] * len(others)
    assert walker.told(job) == []


def test_a_recordings_own_transcript_with_the_name_of_a_list_is_only_its_own(walker: Walker, tmp_path: Path) -> None:
    calls = recordings(tmp_path / "calls", "trans.wav", "a1.wav")
    (calls / "trans.txt").write_text("a1 is what they called\n")

    assert texts(walker, walker.walk(calls)) == {"trans.wav": "file trans.txt", "a1.wav": None}


def test_a_packed_archive_has_the_same_texts_also_from_within_a_folder(walker: Walker, tmp_path: Path) -> None:
    calls = recordings(tmp_path / "calls", "audio1.wav", "audio2.wav")
    (calls / "trans.txt").write_bytes(AZURE.encode("utf-16"))
    before = walker.walk(calls)
    first = walker.files(before)
    with zipfile.ZipFile(tmp_path / "calls.zip", "w") as packed:
        for path in calls.iterdir():
            packed.write(path, f"calls/{path.name}")
    shutil.rmtree(calls)

    job = walker.walk(tmp_path / "calls.zip")

    assert {row["alignment_id"] for row in walker.files(job).values()} == {
        row["alignment_id"] for row in first.values()
    }
    # The alignments wait in the groups of the first job; they are read from where the texts were seen last.
    assert texts(walker, before) == {"audio1.wav": "안녕하세요, 김민지입니다.", "audio2.wav": "Nothing, thank you."}


def test_a_list_is_read_once_however_many_recordings_ask(
    walker: Walker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = recordings(tmp_path / "calls", *(f"{folder}/{n}.wav" for folder in "ab" for n in range(20)))
    (calls / "trans.txt").write_text("".join(f"{folder}/{n}.wav\ttext {n}\n" for folder in "ab" for n in range(2000)))
    read: list[Path] = []
    reader = workers.archives.lists.read_list
    monkeypatch.setattr(workers.archives.lists, "read_list", lambda path: (read.append(path), reader(path))[1])

    job = walker.walk(calls)

    assert len(walker.files(job)) == 40 and read == [calls / "trans.txt"]
    assert texts(walker, job, calls)["b/7.wav"] == "text 7"


def test_no_words_of_a_list_stand_in_the_database_before_they_are_aligned(walker: Walker, tmp_path: Path) -> None:
    calls = recordings(tmp_path / "calls", "audio1.wav")
    (calls / "trans.txt").write_text(AZURE)

    walker.walk(calls, keep_text=False)

    tables = walker.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    rows = [row for table in tables for row in walker.rows(f'SELECT t::text AS said FROM "{table["tablename"]}" t')]
    assert any("trans.txt" in row["said"] for row in rows)
    assert not any("안녕" in row["said"] for row in rows)


def test_a_list_that_changes_before_it_is_aligned_fails_by_name_and_is_right_the_next_time(
    walker: Walker, tmp_path: Path
) -> None:
    calls = recordings(tmp_path / "calls", "audio1.wav", "audio2.wav")
    (calls / "trans.txt").write_text(AZURE)
    job = walker.walk(calls)
    (calls / "trans.txt").write_text(AZURE.replace("Nothing", "Something else"))

    codes = {member.audio.name: getattr(_result(member), "code", None) for member in walker.members(job)}

    # The recordings are silent: what has its text fails with that.
    assert codes == {"audio1.wav": "audio_silent", "audio2.wav": "transcript_changed"}
    # When that is the end of it, enqueueing again aligns what failed.
    with walker.engine.begin() as conn:
        conn.execute(text("UPDATE alignments SET state = 'failed', error_code = 'transcript_changed'"))
    again = walker.walk(calls)
    assert texts(walker, again)["audio2.wav"] == "Something else, thank you."
    assert len(walker.rows("SELECT 1 FROM alignments WHERE state = 'pending'")) == 2


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp949"])
def test_a_manifest_may_hold_the_texts_itself(walker: Walker, tmp_path: Path, encoding: str) -> None:
    calls = recordings(tmp_path / "calls", "a.wav", "b.wav", "c.wav", "d.wav")
    for name in ("a.txt", "b.txt", "c.txt", "shared.txt"):
        (calls / name).write_text("words")
    lines = (
        "path;team;text;transcript",
        'a.wav;7;"안녕하세요; 김민지입니다.\r\n\r\n""네""";',
        "b.wav;7;비밀;shared.txt",
        "c.wav;7; ;",
        "d.wav;7; 1 2 셋",
    )
    (calls / "manifest.csv").write_bytes("\r\n".join(lines).encode(encoding))

    job = walker.walk(calls)

    assert texts(walker, job) == {
        "a.wav": '안녕하세요; 김민지입니다. "네"',
        "b.wav": "file shared.txt",
        "c.wav": "file c.txt",
        "d.wav": "1 2 셋",
    }
    files = walker.files(job)
    assert [row["metadata"] for row in files.values()] == [{"team": "7"}] * 4
    assert [code for _, code in walker.problems(job)] == (
        ["manifest_encoding"] * (encoding == "cp949") + ["manifest_text"]
    )
    assert not any("비밀" in said for said in walker.told(job))

    # When another column of a line changes, and the place of all others with it, no text is aligned again
    said = "\r\n".join(lines).replace("a.wav;7", "a.wav;parcels")
    (calls / "manifest.csv").write_bytes(said.encode(encoding))
    again = walker.files(walker.walk(calls))
    assert {path: row["alignment_id"] for path, row in again.items()} == {
        path: row["alignment_id"] for path, row in files.items()
    }


def test_a_list_that_names_no_recording_is_told_with_its_first_names_and_a_used_one_is_not(
    walker: Walker, tmp_path: Path
) -> None:
    calls = recordings(tmp_path / "calls", "audio1.wav", "audio2.wav", "sub/b1.wav", "said/c1.wav")
    (calls / "trans.txt").write_text("audio1.wav\tsecret\n")
    (calls / "sub" / "trans.txt").write_text("".join(f"call-{n}.wav\tsecret\n" for n in range(1, 6)))
    # Prose, of which no word is told
    (calls / "said" / "text").write_text("Secret\twords\nto\tnobody\n")

    job = walker.walk(calls)

    (told,) = walker.told(job)
    assert told.startswith("sub/trans.txt: ") and told.endswith("call-1.wav, call-2.wav, call-3.wav.")
    assert walker.problems(job) == [(0, "transcript_list_unused")]
