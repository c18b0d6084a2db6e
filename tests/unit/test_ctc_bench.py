"""The bench of CTC batching runs and gives its figures."""

import json

import pytest

from ops.bench.alignment import batching
from tests.unit.ctc_models import SMALL


def test_the_figures_are_ratios_with_what_they_were_measured_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "SIZES", {"cpu": SMALL})
    monkeypatch.setattr(batching, "LONGEST_S", 1.5)
    figures = batching.measure_ctc_batching(3, "cpu")
    assert json.loads(json.dumps(figures)) == figures
    assert (figures["device"], figures["pieces"]) == ("cpu", 3)
    for name in ("ratio_whole", "ratio_viterbi", "realtime", "seconds"):
        figure = figures[name]
        assert isinstance(figure, float) and figure > 0
