"""The alignment benchmark's arithmetic."""

import json
from pathlib import Path

import numpy as np
import pytest

from ml.alignment.aligner import Placed
from ml.alignment.types import Phone, Word
from ml.transcripts import Said
from ops.bench.alignment import __main__ as bench
from ops.bench.alignment.boundaries import Boundaries, Errors, compare, match
from ops.bench.alignment.reference import NoReference, Reference, read_timit

SILENT = np.zeros(16_000, np.float32)


def test_equal_labels_are_matched_in_order_around_those_that_differ() -> None:
    assert match(list("abcd"), list("axcd")) == [(0, 0), (2, 2), (3, 3)]
    assert match(list("abcd"), list("bcd")) == [(1, 0), (2, 1), (3, 2)]
    assert match([], ["a"]) == []


def test_shares_and_means_are_of_absolute_distances() -> None:
    errors = Errors([-0.02, 0.04, 0.2, 0.0])
    assert errors.within(50) == 0.75 and errors.within(20) == 0.5
    assert errors.summary()["mean_ms"] == 65.0 and errors.summary()["median_ms"] == 30.0


def test_word_edges_and_agreeing_phone_onsets_are_compared() -> None:
    reference = Reference(
        "x",
        SILENT,
        ("a", "b"),
        (Said("a", 0.1, 0.3), Said("b", 0.3, 0.5)),
        (Phone("AH", 0.1, 0.3), Phone("B", 0.3, 0.5)),
    )
    placed = Placed((Word("A", 0.12, 0.3),), (Phone("SIL", 0, 0.12), Phone("AH", 0.12, 0.3), Phone("K", 0.3, 0.5)))
    result = Boundaries()
    compare(reference, placed, result)
    assert [round(d, 3) for d in result.words.distances] == [0.02, 0.0] and result.words.missed == 1
    assert [round(d, 3) for d in result.phones.distances] == [0.02] and result.phones.missed == 1


def test_without_the_recordings_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(NoReference, match="no recording"):
        read_timit(tmp_path)


def test_the_last_line_is_json_and_missing_data_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bench.main([str(tmp_path), "--only", "mismatch"]) == 1
    assert "Name the folder" in capsys.readouterr().err
    monkeypatch.setitem(bench.PARTS, "speed", lambda setting: {"realtime": 3.0})
    assert bench.main([str(tmp_path), "--only", "speed"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == {"benchmark": "alignment", "realtime": 3.0}
