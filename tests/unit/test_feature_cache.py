"""The cache of features: what is put is found, and the bound holds."""

from pathlib import Path

import pytest
import torch

from ml.training.cache import FeatureCache

VALUES = {"states": torch.arange(2000, dtype=torch.float32).reshape(500, 4)}
#: Bytes that one feature takes, its header included.
SIZE = 8000 + 1024


def test_what_is_put_is_found_whole_and_in_rows(tmp_path: Path) -> None:
    shelf = FeatureCache(tmp_path, 10 * SIZE).shelf("a")

    assert shelf.put("key", VALUES)
    found, rows = shelf.get("key"), shelf.rows("key", "states", 3, 5)
    assert found is not None and torch.equal(found["states"], VALUES["states"])
    assert rows is not None and torch.equal(rows, VALUES["states"][3:5])
    assert shelf.length("key", "states") == 500
    assert shelf.get("other") is None and shelf.rows("other", "states", 0, 1) is None


def test_the_bound_holds_and_the_rest_is_declined(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path, 3 * SIZE)
    shelf = cache.shelf("a")

    kept = [shelf.put(str(number), VALUES) for number in range(6)]

    assert kept == [True, True, True, False, False, False]
    assert cache.used_bytes() <= 3 * SIZE


def test_a_shelf_that_nobody_uses_makes_room_the_longest_unused_first(tmp_path: Path) -> None:
    import os

    cache = FeatureCache(tmp_path, 3 * SIZE)
    for age, name in ((1000, "oldest"), (500, "older")):
        shelf = cache.shelf(name)
        shelf.put("key", VALUES)
        shelf.close()
        os.utime(tmp_path / name / ".in-use", (1e9 - age, 1e9 - age))

    shelf = cache.shelf("new")
    assert [shelf.put(str(number), VALUES) for number in range(2)] == [True, True]

    assert not (tmp_path / "oldest").exists()
    assert (tmp_path / "older").exists()
    assert cache.used_bytes() <= 3 * SIZE


def test_a_shelf_in_use_is_never_removed(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path, 2 * SIZE)
    used = cache.shelf("used")
    used.put("one", VALUES)
    used.put("two", VALUES)

    assert not cache.shelf("new").put("key", VALUES)
    assert used.has("one") and used.has("two")


def test_a_run_whose_features_were_declined_computes_them_again(tmp_path: Path) -> None:
    import numpy as np

    from ml.training.features import STATES, CachePlace, FeatureMissing, SpeechReader, SpeechSet

    FeatureCache(tmp_path, 10 * SIZE).shelf("states-x").put("kept", VALUES)
    computed: list[int] = []

    def compute(index: int) -> torch.Tensor:
        computed.append(index)
        return VALUES["states"] * 2

    def reader(states_of: object) -> SpeechReader:
        data = SpeechSet(
            labels=np.zeros(2, np.int64),
            speakers=("a", "a"),
            frames=(500, 500),
            voices={"a": np.zeros(256, np.float32)},
            cache=CachePlace(tmp_path, 10 * SIZE),
            keys={STATES: ("kept", "declined")},
            shelves={STATES: "states-x"},
            states_of=states_of,  # type: ignore[arg-type]
        )
        return SpeechReader(data)

    assert torch.equal(reader(compute).states(0, 2, 4), VALUES["states"][2:4])
    assert computed == []
    assert torch.equal(reader(compute).states(1, 2, 4), VALUES["states"][2:4] * 2)
    assert computed == [1]
    with pytest.raises(FeatureMissing):
        reader(None).states(1, 2, 4)
