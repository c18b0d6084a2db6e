"""Any bytes at all: parsers and readers answer with a value or with their own error, never with anything else."""

import gzip
import hashlib
import json
import os
import struct
import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ml.bundles.meta import META, WEIGHTS, BundleMeta
from ml.bundles.store import load_bundle, save_bundle
from ml.errors import ModelError
from ml.transcripts import TranscriptUnreadable, find_transcript, read_transcript
from ml.transcripts.registry import READERS
from workers.archives.files import storable_path, usable_path

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


def check_is_sound(path: Path, secret: str | None = None) -> None:
    """The file is a transcript that can be stored, or unreadable; `secret` appears in no message."""
    try:
        transcript = read_transcript(path)
    except TranscriptUnreadable as exc:
        assert exc.hint
        assert secret is None or secret not in str(exc)
        return
    assert len({turn.timed for turn in transcript.turns}) <= 1, "either all turns have times or none"
    assert secret is None or secret not in " ".join(transcript.problems)
    for turn in transcript.turns:
        for part in (turn, *(turn.words or ()), *(turn.phones or ())):
            assert not set(part.text) & {"\x00", "\n"}
            part.text.encode("utf-8")
            if part.start_s is not None:
                assert part.end_s is not None and 0 <= part.start_s < part.end_s < float("inf")
        assert turn.speaker is None or len(turn.speaker.encode("utf-8")) > 0
        for said in turn.words or ():
            assert said.text and (said.confidence is None or 0 <= said.confidence <= 1)


@MANY
@given(raw=SCRIPTS)
def test_any_bytes_are_a_transcript_or_unreadable(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "x.txt"
    path.write_bytes(raw)
    check_is_sound(path)


#: What the forms are made of; "swordfish" is what nobody may see in a message.
MARKS = st.sampled_from(
    ["swordfish", "swordfish ", '"swordfish"', "0", "1.5", "-0", "-3", "nan", "1e400", "inf", "9" * 60, "00:01.000",
     " --> ", "\n", "\n\n", "\t", " ", ",", ";", '"', '""', "'", "x", "y", "SPEAKER", "<NA>", "A", "1", "2",
     "{ a / b }", "<o>", '"IntervalTier"', '"TextTier"', '"words"', '"phones"', "xmin = 1", "<v Ann>", "</v>", "&lt;",
     "WEBVTT", "NOTE", "start", "end", "text", "speaker", "start_ms", "recording", "SIL", "<s>", "Total score", "[",
     "]", "{", "}", "\u2028", "\x85", "é", "두", "\ufeff"]
)  # fmt: skip
FORMS = st.one_of(st.binary(max_size=200), st.lists(MARKS, max_size=60).map(lambda parts: "".join(parts).encode()))


@pytest.mark.parametrize("extension", sorted(READERS))
@FEW
@given(raw=FORMS, pack=st.booleans())
def test_any_bytes_under_any_extension_are_a_transcript_or_unreadable(
    tmp_path: Path, extension: str, raw: bytes, pack: bool
) -> None:
    path = tmp_path / f"x{extension}"
    path.write_bytes(gzip.compress(raw) if pack and extension.endswith(".gz") else raw)
    check_is_sound(path, "swordfish")
    find_transcript(tmp_path / "x.wav")
    path.unlink()


NAMES = st.sampled_from(
    ["segments", "words", "word_segments", "start", "end", "duration", "text", "word", "speaker", "language",
     "score", "case", "phones", "phone", "transcript", "startOffset", "endOffset", "alignedWord",
     "recognizedPhrases", "nBest", "display", "offset", "offsetInTicks", "durationInTicks", "channel", "phrases",
     "combinedPhrases", "offsetMilliseconds", "durationMilliseconds", "locale", "conversations", "conversationItems",
     "participantId", "audioTimings", "results", "items", "type", "alternatives", "content", "start_time",
     "end_time", "speaker_label", "channel_labels", "channels", "speaker_labels", "Transcript", "Items", "Content",
     "BeginOffsetMillis", "EndOffsetMillis", "ParticipantRole", "recording_id", "alignment", "id", "LanguageCode",
     "conversationItemLevelTiming", "recognitionStatus"]
)  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**70) | st.floats() | st.sampled_from(
        ["swordfish", "1.5", "PT1.5S", "PT", "success", "punctuation", "en-US", "\ud800", "\x00", "", "[noise]"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=6),
    max_leaves=15,
)  # fmt: skip
#: Documents that begin as one of the forms does, so that its reader is reached.
DOCUMENTS = st.one_of(
    VALUES,
    st.lists(st.dictionaries(NAMES, VALUES, max_size=8), max_size=5),
    st.builds(
        lambda name, items, more: {**more, name: items, "combinedPhrases": [], "results": {"items": items, **more}},
        NAMES,
        st.lists(st.dictionaries(NAMES, VALUES, max_size=8), max_size=5),
        st.dictionaries(NAMES, VALUES, max_size=4),
    ),
)


@FEW
@given(document=DOCUMENTS, lines=st.booleans())
def test_any_json_is_a_transcript_or_unreadable(tmp_path: Path, document: object, lines: bool) -> None:
    path = tmp_path / ("x.jsonl" if lines else "x.json")
    rows = document if lines and isinstance(document, list) else [document]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    check_is_sound(path, "swordfish")
    find_transcript(tmp_path / "x.wav")


@pytest.mark.parametrize("extension", sorted(READERS))
def test_much_of_one_thing_is_read_in_a_moment(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"x{extension}"
    for piece in ("<v ", "[", "{ ", '"', "(", "0 1 [", "1:", "a<", "+", "&#", "9", " ", "\n-->", ',"'):
        raw = (piece * 300_000)[:300_000].encode()
        path.write_bytes(gzip.compress(raw) if extension.endswith(".gz") else raw)
        started = time.process_time()

        check_is_sound(path)

        # What grew with the square would take minutes.
        assert time.process_time() - started < 3.0, piece


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
    assert {turn.speaker for turn in turns} == {unicodedata.normalize("NFC", name)}


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
