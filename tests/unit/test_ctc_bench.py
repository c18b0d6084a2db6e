"""The bench of CTC batching works off the same pieces both ways, and its figures follow from what was measured."""

import json

import numpy as np
import pytest

from ml.alignment.aligner import Piece
from ops.bench.alignment import batching
from ops.bench.alignment.batching import Pair, Ratio
from tests.unit.ctc_models import NORMS, SMALL


def test_the_figures_are_ratios_with_what_they_were_measured_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "SIZES", {"cpu": {norm: SMALL | own for norm, own in NORMS.items()}})
    noise = np.random.default_rng(7).standard_normal(24_000).astype(np.float32)
    pieces = [Piece(noise[:length], ("well", "said"), "en") for length in (16_000, 24_000, 20_000)]
    measured = list(batching.measure_ctc_batching(pieces, "cpu", 2))
    assert [found.size for found in measured] == list(NORMS)
    for found in measured:
        assert (found.device, found.pieces, found.seconds) == ("cpu", 3, 3.8)
        assert found.realtime > 0
        for ratio in (found.whole, found.search):
            assert 0 < ratio.spread[0] <= ratio.wall <= ratio.spread[1]
            assert ratio.cpu > 0
    last = batching.figures(measured)
    assert json.loads(json.dumps(last)) == last
    assert last["ctc_batch_ratio"] == min(found.whole.wall for found in measured)


def test_a_turn_that_was_disturbed_does_not_count() -> None:
    undisturbed = [Pair(1.0, 1.0, 1.2, 1.1), Pair(2.0, 1.0, 2.6, 1.2)]
    disturbed = Pair(batched_s=9.0, batched_cpu_s=1.0, single_s=1.2, single_cpu_s=1.1)
    assert Ratio.of([disturbed, *undisturbed]) == Ratio(1.2, 1.1, (0.13, 1.3))


def test_both_ways_work_off_every_piece_and_take_turns_in_going_first() -> None:
    calls: list[int] = []
    batching._compare([[1, 2, 3], [4, 5]], lambda items: calls.append(len(items)), lambda: None, 1)
    warming = [2, 1]
    assert calls == [*warming, 1, 1, 1, 3, 2, 1, 1]
