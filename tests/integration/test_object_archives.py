"""Archives in an object store, walked and read against a real S3 store."""

import io
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from ml.audio.errors import AudioMissing
from tests.integration.walking import Walker
from tests.s3 import Server, serving
from tests.unit.silence import write_silence
from workers import artifacts, context
from workers.archives.objects import client, held, walk
from workers.archives.objects.held import Held
from workers.archives.objects.index import Index
from workers.archives.objects.places import seen
from workers.errors import (
    ArchiveEmpty,
    ArchiveMissing,
    ArchiveNotAllowed,
    ArtifactBroken,
    ObjectDenied,
    RecordingChanged,
    StoreUnavailable,
)
from workers.settings import Settings


@pytest.fixture(scope="module")
def store() -> Iterator[Server]:
    with serving() as made:
        yield made


@pytest.fixture
def bucket(store: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An empty bucket, reached through the usual variables."""
    for name, value in store.environment.items():
        monkeypatch.setenv(name, value)
    client._filesystem.cache_clear()
    made = "calls"
    boto = store.client()
    boto.create_bucket(Bucket=made)
    yield made
    for key in store.keys(made):
        boto.delete_object(Bucket=made, Key=key)
    boto.delete_bucket(Bucket=made)
    client._filesystem.cache_clear()


@pytest.fixture
def s3_walker(walker: Walker, bucket: str, monkeypatch: pytest.MonkeyPatch) -> Walker:
    """Walks with the bucket among the allowed roots."""
    settings = walker.settings.model_copy(update={"allowed_roots": f"s3://{bucket}"})
    monkeypatch.setattr(context, "settings", lambda: settings)
    return Walker(walker.engine, settings)


@pytest.fixture
def downloads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Keys in the order in which they are downloaded."""
    keys: list[str] = []
    real = held.download

    def noting(bucket: str, key: str, *rest: object) -> None:
        keys.append(key)
        real(bucket, key, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(held, "download", noting)
    return keys


def wav(folder: Path, level: int) -> bytes:
    path = folder / f"{level}.wav"
    write_silence(path, level=level)
    content = path.read_bytes()
    path.unlink()
    return content


def left_over(settings: Settings) -> list[Path]:
    """What a walk or a reader has left in its own folders."""
    return list((settings.scratch / "held").iterdir())


def test_a_bucket_is_walked_as_the_same_folder_would_be(
    s3_walker: Walker, store: Server, bucket: str, tmp_path: Path
) -> None:
    # Given recordings with transcripts beside them, a list, a manifest that names another, and what is hidden
    files = {
        "a.wav": wav(tmp_path, 1),
        "a.txt": b"words",
        "b/one.wav": wav(tmp_path, 2),
        "b/trans.txt": b"one.wav\tfrom the list\n",
        "b.wav": wav(tmp_path, 3),
        "texts/shared.txt": b"shared",
        ".hidden.wav": wav(tmp_path, 4),
        "manifest.csv": b"path,transcript,agent\nb.wav,texts/shared.txt,Kim\ngone.wav,,\n",
    }
    store.put(bucket, {f"2026/{key}": content for key, content in files.items()} | {"2027/x.wav": wav(tmp_path, 5)})
    same = tmp_path / "same"
    for key, content in files.items():
        (same / key).parent.mkdir(parents=True, exist_ok=True)
        (same / key).write_bytes(content)

    on_s3 = s3_walker.walk(f"s3://{bucket}/2026")
    on_disk = Walker(s3_walker.engine, s3_walker.settings.model_copy(update={"allowed_roots": None}))
    context.settings = lambda: on_disk.settings  # type: ignore[method-assign]
    expected = on_disk.walk(same)

    def told(walker: Walker, job: int) -> dict[str, tuple[object, ...]]:
        return {
            path: (row["transcript_path"], row["metadata"], row["state"], row["error_code"], row["alignment_id"])
            for path, row in walker.files(job).items()
        }

    found = told(s3_walker, on_s3)
    assert list(found) == ["a.wav", "b.wav", "b/one.wav", "gone.wav"]
    assert [row[0] for row in found.values()] == ["a.txt", "texts/shared.txt", "b/trans.txt", None]
    # The same content with the same transcript is one alignment, wherever it lies.
    assert found == told(on_disk, expected)
    assert left_over(s3_walker.settings) == []


def test_an_unchanged_object_is_not_downloaded_again_and_a_changed_one_is(
    s3_walker: Walker, store: Server, bucket: str, tmp_path: Path, downloads: list[str]
) -> None:
    store.put(bucket, {f"{name}.wav": wav(tmp_path, number) for number, name in enumerate("ab")})
    first = s3_walker.files(s3_walker.walk(f"s3://{bucket}"))
    assert sorted(downloads) == ["a.wav", "b.wav"]
    downloads.clear()

    again = s3_walker.files(s3_walker.walk(f"s3://{bucket}/"))
    assert downloads == []
    assert again == first

    # When one of equal size takes another's place, perhaps within the same second
    store.put(bucket, {"a.wav": wav(tmp_path, 77)})
    changed = s3_walker.files(s3_walker.walk(f"s3://{bucket}"))
    assert downloads == ["a.wav"]
    assert changed["a.wav"]["alignment_id"] != first["a.wav"]["alignment_id"]
    assert changed["b.wav"]["alignment_id"] == first["b.wav"]["alignment_id"]


def test_align_reads_recording_and_transcript_and_leaves_nothing(
    s3_walker: Walker, store: Server, bucket: str, tmp_path: Path, downloads: list[str]
) -> None:
    store.put(bucket, {"in/a.wav": wav(tmp_path, 1), "in/a.wrd": b"0 100 hello\n", "in/a.phn": b"0 100 h#\n"})
    job = s3_walker.walk(f"s3://{bucket}/in")
    downloads.clear()

    (member,) = s3_walker.members(job)
    assert member.transcript is not None and not member.audio.exists()
    with member.here():
        assert (member.audio.stat().st_size, member.audio.stat().st_mtime_ns) == (member.size_bytes, member.mtime_ns)
        assert sorted(path.name for path in member.audio.parent.iterdir()) == ["a.phn", "a.wav", "a.wrd"]
    assert not list(member.audio.parent.iterdir())
    # This machine still has what the walk has fetched.
    assert sorted(downloads) == ["in/a.phn", "in/a.wrd"]
    del member
    assert left_over(s3_walker.settings) == []


def test_what_happens_to_one_object_is_that_recordings_result(
    s3_walker: Walker, store: Server, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given objects that are removed or replaced once they are listed
    store.put(bucket, {f"{name}.wav": wav(tmp_path, number) for number, name in enumerate("abc")})
    opened = walk.BucketWalk._wanted

    def disturbed(*arguments: object) -> object:
        wanted = opened(*arguments)  # type: ignore[arg-type]
        store.client().delete_object(Bucket=bucket, Key="a.wav")
        store.put(bucket, {"b.wav": wav(tmp_path, 9)})
        return wanted

    monkeypatch.setattr(walk.BucketWalk, "_wanted", disturbed)
    found = s3_walker.files(s3_walker.walk(f"s3://{bucket}"))

    assert {path: row["error_code"] for path, row in found.items()} == {
        "a.wav": AudioMissing.code,
        "b.wav": RecordingChanged.code,
        "c.wav": None,
    }

    # When the archive is enqueued again, then what is there is taken
    monkeypatch.setattr(walk.BucketWalk, "_wanted", opened)
    again = s3_walker.files(s3_walker.walk(f"s3://{bucket}"))
    assert {path: row["state"] for path, row in again.items()} == {"b.wav": "aligning", "c.wav": "aligning"}


def test_a_recording_replaced_after_the_walk_is_changed_for_its_reader(
    s3_walker: Walker, store: Server, bucket: str, tmp_path: Path
) -> None:
    from workers.archives.files import check_unchanged

    store.put(bucket, {"a.wav": wav(tmp_path, 1)})
    (member,) = s3_walker.members(s3_walker.walk(f"s3://{bucket}"))
    store.put(bucket, {"a.wav": wav(tmp_path, 2)})

    with member.here(), pytest.raises(RecordingChanged):
        check_unchanged(member.audio, member.size_bytes, member.mtime_ns, member.sha256)
    store.client().delete_object(Bucket=bucket, Key="a.wav")
    with pytest.raises(AudioMissing), member.here():
        pass


def test_places_that_cannot_be_read_are_named(s3_walker: Walker, store: Server, bucket: str) -> None:
    store.put(bucket, {"notes/readme.txt": b"nothing to hear"})
    # Its name begins as an allowed one does.
    with pytest.raises(ArchiveNotAllowed):
        s3_walker.walk(f"s3://{bucket}-2/x")
    with pytest.raises(ArchiveEmpty):
        s3_walker.walk(f"s3://{bucket}/notes")
    with pytest.raises(ArchiveMissing, match="not there"):
        s3_walker.walk(f"s3://{bucket}/gone.wav")
    with pytest.raises(ArchiveMissing, match="no bucket"):
        list(client.pages("no-such-bucket", ""))


def test_nothing_in_an_object_store_is_allowed_unless_it_is_named(walker: Walker, bucket: str) -> None:
    with pytest.raises(ArchiveNotAllowed):
        walker.walk(f"s3://{bucket}")


def test_a_folder_behind_a_link_counts_as_where_it_leads(
    walker: Walker, calls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    (allowed / "link").symlink_to(calls)
    settings = walker.settings.model_copy(update={"allowed_roots": str(allowed)})
    monkeypatch.setattr(context, "settings", lambda: settings)

    for path in (calls, allowed / "link", allowed / ".." / "calls", calls / "a.wav"):
        with pytest.raises(ArchiveNotAllowed):
            walker.walk(path)


def test_a_denied_object_is_named(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Denied:
        def call_s3(self, *_: object, **__: object) -> None:
            raise PermissionError("Access Denied")

    monkeypatch.setattr(client, "filesystem", Denied)
    with pytest.raises(ObjectDenied):
        client.look_at(bucket, "a.wav")
    with pytest.raises(ArchiveMissing, match="may not be listed"):
        list(client.pages(bucket, ""))


def test_a_server_that_is_away_is_waited_for(
    s3_walker: Walker, store: Server, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put(bucket, {"a.wav": wav(tmp_path, 1)})
    job = s3_walker.walk(f"s3://{bucket}")
    s3_walker_engine = s3_walker.engine
    with s3_walker_engine.begin() as conn:
        conn.execute(text("UPDATE stages SET state = 'ready', ready_at = now(), tries = 0 WHERE stage = 'ingest'"))
        conn.execute(text("UPDATE jobs SET walked_to = NULL WHERE id = :j"), {"j": job})
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    client._filesystem.cache_clear()
    monkeypatch.setattr("s3fs.S3FileSystem.retries", 1)

    s3_walker.again(job)

    (stage,) = s3_walker.rows("SELECT state, tries, error_code FROM stages WHERE stage = 'ingest'")
    assert stage["error_code"] == StoreUnavailable.code
    # It counts for nothing, and comes again.
    assert (stage["state"], stage["tries"]) == ("ready", 0)


def test_a_zip_in_a_bucket_is_unpacked_once(
    s3_walker: Walker, store: Server, bucket: str, tmp_path: Path, downloads: list[str]
) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("calls/a.wav", wav(tmp_path, 1))
        archive.writestr("calls/a.txt", "words")
    store.put(bucket, {"calls.zip": packed.getvalue()})

    first = s3_walker.walk(f"s3://{bucket}/calls.zip")
    again = s3_walker.walk(f"s3://{bucket}/calls.zip")

    assert downloads == ["calls.zip"]
    assert s3_walker.files(first) == s3_walker.files(again)
    (member,) = s3_walker.members(first)
    assert member.audio.is_file()


def test_one_recording_may_be_enqueued_by_its_url(
    s3_walker: Walker, store: Server, bucket: str, tmp_path: Path
) -> None:
    store.put(bucket, {f"d/{name}": wav(tmp_path, number) for number, name in enumerate(("a.wav", "b.wav"))})
    assert list(s3_walker.files(s3_walker.walk(f"s3://{bucket}/d/b.wav"))) == ["b.wav"]


def test_the_folder_for_objects_stays_within_its_bound_and_in_use_is_safe(
    bucket: str, store: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put(bucket, {f"{number}.wav": bytes([number]) * 100_000 for number in range(12)})
    made = Held(Settings(home=tmp_path))
    made.limit_bytes = 300_000
    for number in range(12):
        key = f"{number}.wav"
        made.bring(bucket, key, client.look_at(bucket, key), key, keep=True)
        kept = sum(path.stat().st_size for path in (tmp_path / "scratch" / "objects").iterdir())
        assert kept <= made.limit_bytes

    # What the process reads is there, also where the machine has made room.
    assert [(made.folder / f"{n}.wav").read_bytes()[:1] for n in range(12)] == [bytes([n]) for n in range(12)]
    made.close()
    assert not list((tmp_path / "scratch" / "held").iterdir())


def test_what_a_killed_process_held_is_removed_by_the_next(tmp_path: Path) -> None:
    # Given a process that holds a file and is killed
    program = (
        "import sys, time; from pathlib import Path; from workers.archives.objects.held import Held;"
        " from workers.settings import Settings; held = Held(Settings(home=Path(sys.argv[1])));"
        " (held.folder / 'a.wav').write_bytes(b'x');"
        " print('held', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, env=os.environ)
    assert process.stdout is not None and process.stdout.readline() == b"held\n"
    mine = Held(Settings(home=tmp_path))
    assert held.clean(tmp_path / "scratch") == 0
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()

    # Then the next one removes it, and nothing of those who live
    assert held.clean(tmp_path / "scratch") == 1
    assert [path.name for path in (tmp_path / "scratch" / "held").iterdir() if path.is_dir()] == [mine.folder.name]


def test_a_unit_of_work_leaves_nothing_also_when_an_error_holds_on_to_it(tmp_path: Path) -> None:
    mine = Held(Settings(home=tmp_path))
    try:
        raise ValueError("its frame knows the folder")
    except ValueError as exc:
        kept = exc
        assert mine.folder.is_dir()
    held.close_all()

    assert kept.__traceback__ is not None
    assert not list((tmp_path / "scratch" / "held").iterdir())
    mine.close()


def test_an_index_walks_in_the_order_of_a_disk_and_finds_what_lies_beside(tmp_path: Path) -> None:
    from workers.archives.files import audio_files

    names = ["b.wav", "a/z.wav", "a.b/c.wav", "a-b.wav", "a.wav", "a/b/c.wav", "Z.WAV", "é/x.wav", "a/.h/x.wav"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    index = Index()
    index.add((name, seen(1, 1.0, "e")) for name in [*names, "a.txt", "a.wav.json", "a.en.srt", "ab.txt", "a/"])

    on_disk = list(audio_files(tmp_path))
    assert list(index.audio(None)) == on_disk
    for number, name in enumerate(on_disk):
        assert list(index.audio(name)) == on_disk[number + 1 :]
    assert sorted(index.beside("a.wav")) == ["a.en.srt", "a.txt", "a.wav.json"]
    assert index.is_folder("a") and not index.is_folder("a.wav")


def test_objects_between_stages_are_whole_or_absent_on_s3(bucket: str, store: Server) -> None:
    import numpy as np

    root = f"s3://{bucket}/artifacts"
    stored = artifacts.write(artifacts.batch_url(root, 7, "extract", 1), {"x": np.arange(3.0)})
    assert store.keys(bucket) == ["artifacts/batches/7/extract-1.safetensors"]
    np.testing.assert_array_equal(artifacts.read(stored)["x"], [0, 1, 2])
    assert artifacts.batches(root) == [7]

    store.put(bucket, {"artifacts/batches/7/extract-1.safetensors": b"something else"})
    with pytest.raises(ArtifactBroken, match="changed"):
        artifacts.read(stored)
    artifacts.remove_batch(root, 7)
    artifacts.remove_batch(root, 7)
    assert artifacts.batches(root) == []
    with pytest.raises(ArtifactBroken, match="missing"):
        artifacts.read(stored)
    with pytest.raises(StoreUnavailable):
        artifacts.write("s3://no-such-bucket/batches/1/extract-1.safetensors", {"x": np.arange(3.0)})
