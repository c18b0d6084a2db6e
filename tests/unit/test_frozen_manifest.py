"""What a run was trained on, frozen: the same again, wherever it lies, or an error that says what has changed."""

import os
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ml.corpora.manifest import AudioChanged, ManifestBroken, freeze, read_manifest
from ml.corpora.registry import corpus
from ml.corpora.types import LabelledUtterance
from tests.corpora.acted import write_ravdess
from tests.corpora.iemocap import write_iemocap
from tests.corpora.sound import write_voice


@pytest.fixture
def items(tmp_path: Path) -> list[LabelledUtterance]:
    return list(corpus("iemocap", write_iemocap(tmp_path / "iemocap", sessions=1, turns=("ang", "xxx"), seconds=0.1)))


def test_what_was_frozen_is_read_again_to_the_last_vote(items: list[LabelledUtterance], tmp_path: Path) -> None:
    text = LabelledUtterance("meld", "m1", "meld-Ross", "sad", "en", text="Weiß nicht — 그래", split="dev")

    frozen = freeze([*items, text], tmp_path / "runs" / "set.parquet")
    again = read_manifest(tmp_path / "runs" / "set.parquet")

    assert again == frozen
    assert again.items == (*items, text)
    assert again.licences["meld"] == "GPL-3.0"
    assert again.root is not None and again.root.is_relative_to(tmp_path / "iemocap" / "Session1")
    assert again.audio_sha256[-1] is None
    assert len(again.audio_sha256[0] or "") == 64


def test_the_same_data_elsewhere_has_the_same_fingerprint(tmp_path: Path) -> None:
    here = freeze(corpus("ravdess", write_ravdess(tmp_path / "a", actors=(1,), seconds=0.1)), tmp_path / "a.parquet")
    there = freeze(corpus("ravdess", write_ravdess(tmp_path / "b", actors=(1,), seconds=0.1)), tmp_path / "b.parquet")

    assert here.fingerprint == there.fingerprint
    assert here.root != there.root


def test_a_manifest_from_before_there_were_listeners_and_channels_is_read_and_a_listener_is_another_item(
    items: list[LabelledUtterance], tmp_path: Path
) -> None:
    frozen = freeze(items, tmp_path / "set.parquet")
    table = pq.read_table(tmp_path / "set.parquet")
    pq.write_table(table.drop_columns(["role", "band", "channel"]), tmp_path / "older.parquet")

    older = read_manifest(tmp_path / "older.parquet")
    other = freeze([replace(items[0], role="listener"), *items[1:]], tmp_path / "other.parquet")

    assert older.items == frozen.items
    assert older.fingerprint == frozen.fingerprint != other.fingerprint
    assert read_manifest(tmp_path / "other.parquet").items[0].role == "listener"


def test_a_manifest_goes_to_another_machine_with_its_audio(items: list[LabelledUtterance], tmp_path: Path) -> None:
    frozen = freeze(items, tmp_path / "set.parquet", root=tmp_path / "iemocap")
    (tmp_path / "iemocap").rename(tmp_path / "moved")

    with pytest.raises(AudioChanged, match="cannot be read"):
        read_manifest(tmp_path / "set.parquet")
    moved = read_manifest(tmp_path / "set.parquet", root=tmp_path / "moved")

    assert moved.fingerprint == frozen.fingerprint
    assert all(item.audio_path is not None and item.audio_path.is_file() for item in moved.items)


@pytest.mark.parametrize(
    "change",
    [
        lambda items: [replace(items[0], label="sad"), *items[1:]],
        lambda items: [replace(items[0], arousal=1.25), *items[1:]],
        lambda items: [replace(items[0], text="Something else"), *items[1:]],
        lambda items: items[1:],
        lambda items: items[::-1],
    ],
)
def test_other_labels_texts_items_or_order_are_another_data_set(
    change: object, items: list[LabelledUtterance], tmp_path: Path
) -> None:
    first = freeze(items, tmp_path / "first.parquet")
    second = freeze(change(items), tmp_path / "second.parquet")  # type: ignore[operator]

    assert first.fingerprint != second.fingerprint


def test_other_audio_is_another_data_set_and_an_error_for_the_old_one(
    items: list[LabelledUtterance], tmp_path: Path
) -> None:
    frozen = freeze(items, tmp_path / "set.parquet")
    audio = items[0].audio_path
    assert audio is not None
    size, when = audio.stat().st_size, audio.stat().st_mtime_ns
    write_voice(audio, "fear", "somebody else", seconds=0.1)
    # Neither size nor time betrays it.
    os.utime(audio, ns=(when, when))
    assert audio.stat().st_size == size

    with pytest.raises(AudioChanged, match=audio.name):
        read_manifest(tmp_path / "set.parquet")
    assert read_manifest(tmp_path / "set.parquet", check_audio=False).items == frozen.items
    assert freeze(items, tmp_path / "new.parquet").fingerprint != frozen.fingerprint


def test_a_manifest_that_was_edited_is_refused(items: list[LabelledUtterance], tmp_path: Path) -> None:
    freeze(items, tmp_path / "set.parquet")
    table = pq.read_table(tmp_path / "set.parquet")
    pq.write_table(table.slice(1), tmp_path / "shorter.parquet")

    with pytest.raises(ManifestBroken, match="was changed after it was frozen"):
        read_manifest(tmp_path / "shorter.parquet")


@pytest.mark.parametrize("content", [b"", b"PAR1 no parquet"])
def test_what_is_no_manifest_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "set.parquet").write_bytes(content)

    for name in ("set.parquet", "nowhere.parquet"):
        with pytest.raises(ManifestBroken, match=name) as said:
            read_manifest(tmp_path / name)
        assert said.value.hint


def test_a_parquet_file_of_somebody_else_is_named(tmp_path: Path) -> None:
    import pyarrow as pa

    pq.write_table(pa.table({"label": ["sad"]}), tmp_path / "other.parquet")

    with pytest.raises(ManifestBroken, match="cannot be read as a manifest"):
        read_manifest(tmp_path / "other.parquet")


def test_nothing_the_same_twice_and_audio_elsewhere_are_refused(items: list[LabelledUtterance], tmp_path: Path) -> None:
    for wrong, message in (([], "nothing to freeze"), ([items[0], items[0]], f"{items[0].item_id} stands twice")):
        with pytest.raises(ManifestBroken, match=message):
            freeze(wrong, tmp_path / "set.parquet")
    with pytest.raises(ManifestBroken, match="is not below"):
        freeze(items, tmp_path / "set.parquet", root=tmp_path / "runs")

    assert list(tmp_path.glob("*.parquet*")) == [], "nothing half-written"
