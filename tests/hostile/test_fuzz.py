"""Any bytes at all: parsers and readers answer with a value or with their own error, never with anything else."""

import hashlib
import json
import os
import struct
import unicodedata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ml.bundles.meta import META, WEIGHTS, BundleMeta
from ml.bundles.store import load_bundle, save_bundle
from ml.errors import ModelError
from ml.transcripts import TranscriptUnreadable, read_transcript
from workers.files import storable_path, usable_path

MANY = settings(
    max_examples=300, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
FEW = settings(MANY, max_examples=120)

#: Pieces that transcripts are made of, so that the search does not have to invent the format.
PIECES = st.sampled_from(
    ["0.5", "1", "1:02:03.5", "99:99", "-1", "nan", "inf", "1e9", " ", "\t", "\n", "[Ann]", "[", "]", "[]", "word",
     "'s", "\u2028", "\ufeff", "\x00", "é", "두", "9" * 400, "0,5", "\r\n", "#"]
)  # fmt: skip
SCRIPTS = st.one_of(st.binary(max_size=300), st.lists(PIECES, max_size=40).map(lambda parts: "".join(parts).encode()))


@MANY
@given(raw=SCRIPTS)
def test_any_bytes_are_a_transcript_or_unreadable(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "x.txt"
    path.write_bytes(raw)
    try:
        transcript = read_transcript(path)
    except TranscriptUnreadable as exc:
        assert exc.hint
        return
    assert len({turn.timed for turn in transcript.turns}) <= 1, "either all turns have times or none"
    for turn in transcript.turns:
        if turn.timed:
            assert turn.start_s is not None and turn.end_s is not None
            assert 0 <= turn.start_s < turn.end_s < float("inf")
        assert "\x00" not in turn.text and "\n" not in turn.text


@pytest.mark.parametrize("digits", [12, 400, 5000])
def test_a_wall_of_digits_is_no_time(tmp_path: Path, digits: int) -> None:
    path = tmp_path / "x.txt"
    path.write_text(f"1 {'9' * digits} [Ann] word\n{'9' * digits}:1:1 2 word")

    assert not any(turn.timed for turn in read_transcript(path).turns)


TIMES = st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 10**5)), min_size=1, max_size=20)
WORDS = st.text(st.characters(categories=("Ll", "Lu")), min_size=1, max_size=10)


@MANY
@given(times=TIMES, word=WORDS, name=WORDS)
def test_well_formed_turns_come_back(tmp_path: Path, times: list[tuple[int, int]], word: str, name: str) -> None:
    path = tmp_path / "x.txt"
    lines = [f"{start / 100:.2f} {(start + length) / 100:.2f} [{name}] {word}" for start, length in times]
    path.write_text("\n".join(lines), encoding="utf-8")

    turns = read_transcript(path).turns

    assert [(turn.start_s, turn.end_s) for turn in turns] == sorted((s / 100, (s + n) / 100) for s, n in times)
    assert {turn.text for turn in turns} == {unicodedata.normalize("NFC", word)}
    assert {turn.speaker for turn in turns} == {name}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """(weights, meta) of a small sound bundle."""
    import torch

    folder = tmp_path_factory.mktemp("bundle")
    meta = BundleMeta("tiny", "makiuchi-text", {"hidden": 4}, ("angry", "sad"), ("en",), "MIT", "-", ("made up",))
    save_bundle(folder, meta, {"a": torch.arange(12.0).reshape(3, 4), "b": torch.ones(2)})
    return (folder / WEIGHTS).read_bytes(), (folder / META).read_bytes()


def loads_or_says_why(folder: Path) -> None:
    try:
        load_bundle(str(folder))
    except ModelError as exc:
        assert exc.hint


@FEW
@given(place=st.integers(0, 10**6), byte=st.integers(0, 255), cut=st.integers(0, 400))
def test_changed_bytes_of_a_bundle_are_noticed(
    tmp_path: Path, bundle: tuple[bytes, bytes], place: int, byte: int, cut: int
) -> None:
    weights, meta = (bytearray(part) for part in bundle)
    weights[place % len(weights)] = byte
    (tmp_path / WEIGHTS).write_bytes(bytes(weights[: len(weights) - cut % 7]))
    (tmp_path / META).write_bytes(bytes(meta))

    loads_or_says_why(tmp_path)


@FEW
@given(place=st.integers(0, 10**6), byte=st.integers(0, 255), cut=st.integers(0, 3))
def test_a_changed_description_is_read_or_refused(
    tmp_path: Path, bundle: tuple[bytes, bytes], place: int, byte: int, cut: int
) -> None:
    weights, meta = bundle[0], bytearray(bundle[1])
    meta[place % len(meta)] = byte
    (tmp_path / WEIGHTS).write_bytes(weights)
    (tmp_path / META).write_bytes(bytes(meta[: len(meta) - cut]))

    loads_or_says_why(tmp_path)


KEYS = st.sampled_from(["dtype", "shape", "data_offsets", "a"])
HEADERS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,
)  # fmt: skip


@FEW
@given(
    header=HEADERS, length=st.sampled_from([None, 0, 1, 2**20, 2**40, 2**60, 2**64 - 1]), tail=st.binary(max_size=40)
)
def test_weights_with_a_lying_header_are_refused_without_asking_for_memory(
    tmp_path: Path, bundle: tuple[bytes, bytes], header: object, length: int | None, tail: bytes
) -> None:
    text = json.dumps(header).encode()
    weights = struct.pack("<Q", len(text) if length is None else length) + text + tail
    meta = json.loads(bundle[1])
    # The hash fits, as if somebody had made the bundle so.
    meta["sha256"] = hashlib.sha256(weights).hexdigest()
    (tmp_path / WEIGHTS).write_bytes(weights)
    (tmp_path / META).write_text(json.dumps(meta))

    loads_or_says_why(tmp_path)


@MANY
@given(raw=st.binary(min_size=1, max_size=60))
def test_any_file_name_survives_the_database(raw: bytes) -> None:
    name = os.fsdecode(raw.replace(b"\x00", b"").replace(b"/", b""))

    kept = storable_path(name)

    kept.encode("utf-8")
    assert usable_path(kept) == name
