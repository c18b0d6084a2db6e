"""The batched CTC search: equal to a plain search of each text, and to torchaudio's where that is there."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from ml.alignment.ctc.spelling import STAR
from ml.alignment.ctc.viterbi import best_paths, search_bytes

BLANK = 0


def plainly(emission: Tensor, target: list[int]) -> float:
    """The best path's log-probability, state by state in Python; -inf when there is no path."""
    scores = torch.nn.functional.pad(emission, (0, 1)).double().numpy()
    states = [BLANK]
    for token in target:
        states += [token, BLANK]
    best = [-math.inf] * len(states)
    best[0], best[1] = scores[0, BLANK], scores[0, states[1]]
    for frame in scores[1:]:
        best = [
            max(
                best[s],
                best[s - 1] if s > 0 else -math.inf,
                best[s - 2] if s > 2 and s % 2 and states[s] != states[s - 2] else -math.inf,
            )
            + frame[states[s]]
            for s in range(len(states))
        ]
    return max(best[-1], best[-2])


def labels_of(states: np.ndarray, target: list[int]) -> list[int]:
    return [target[s // 2] if s % 2 else BLANK for s in states]


def collapsed(labels: list[int]) -> list[int]:
    """What CTC reads off frames: repeats are one, then blanks go."""
    return [b for a, b in zip([BLANK, *labels], labels, strict=False) if b != BLANK and a != b]


def cases(count: int, seed: int) -> tuple[list[Tensor], list[list[int]]]:
    """Random emissions of 2 to 40 frames over few classes, so that repeats and impossible texts are common."""
    rng = np.random.default_rng(seed)
    emissions, targets = [], []
    for _ in range(count):
        frames, classes = int(rng.integers(2, 40)), int(rng.integers(3, 7))
        scale = rng.choice([0.5, 3.0, 12.0])
        emissions.append((torch.from_numpy(rng.standard_normal((frames, 7))).float() * scale).log_softmax(-1))
        targets.append(rng.integers(1, classes, int(rng.integers(1, 14))).tolist())
    return emissions, targets


def test_a_batch_finds_the_best_path_of_each_of_many_random_texts() -> None:
    emissions, targets = cases(200, 1)
    found = best_paths(emissions, targets, BLANK)

    impossible = 0
    for emission, target, trace in zip(emissions, targets, found, strict=True):
        best = plainly(emission, target)
        if trace is None:
            impossible += 1
            assert best == -math.inf
            continue
        assert trace.scores.sum() == pytest.approx(best, abs=1e-3)
        labels = labels_of(trace.states, target)
        assert collapsed(labels) == target
        np.testing.assert_allclose(trace.scores, emission.numpy()[np.arange(len(labels)), labels], atol=1e-6)
        np.testing.assert_allclose(trace.best, emission.numpy().max(-1), atol=1e-6)
        np.testing.assert_allclose(trace.blanks, emission.numpy()[:, BLANK], atol=1e-6)
    assert 20 < impossible < 180


def test_it_equals_torchaudio_where_its_extension_is_there() -> None:
    functional = pytest.importorskip("torchaudio.functional")
    emissions, targets = cases(200, 2)
    try:
        functional.forced_align(emissions[0][None], torch.tensor([[1]]), blank=BLANK)
    except RuntimeError:
        pytest.skip("torchaudio has no alignment extension here")
    for emission, target, trace in zip(emissions, targets, best_paths(emissions, targets, BLANK), strict=True):
        if trace is None:
            continue
        labels, scores = functional.forced_align(emission[None], torch.tensor([target]), blank=BLANK)
        # Two paths may be equally likely.
        assert labels[0].tolist() == labels_of(trace.states, target) or scores.sum() == pytest.approx(
            trace.scores.sum(), abs=1e-4
        )


def test_who_shares_the_batch_changes_nothing() -> None:
    emissions, targets = cases(30, 3)
    for emission, target, together in zip(emissions, targets, best_paths(emissions, targets, BLANK), strict=True):
        (alone,) = best_paths([emission], [target], BLANK)
        assert (alone is None) == (together is None)
        if alone is not None and together is not None:
            assert alone.states.tolist() == together.states.tolist()
            assert alone.scores.tolist() == together.scores.tolist()


def test_a_repeated_letter_needs_a_blank_between() -> None:
    emission = torch.randn(2, 3, generator=torch.Generator().manual_seed(1)).log_softmax(-1)
    three = torch.cat([emission, emission[:1]])
    impossible, possible, other = best_paths([emission, three, emission], [[1, 1], [1, 1], [1, 2]], BLANK)
    assert impossible is None
    assert possible is not None and possible.states.tolist() == [1, 2, 3]
    assert other is not None and other.states.tolist() == [1, 3]


def test_a_star_costs_nothing_and_leaves_the_letters_their_places() -> None:
    # Frames sound like: 1, 3, 3, 3, 2; nobody wrote the 3.
    heard = torch.full((5, 4), -9.0)
    for frame, token in enumerate([1, 3, 3, 3, 2]):
        heard[frame, token] = 0.0
    plain, starred = best_paths([heard, heard], [[1, 2], [1, STAR, 2]], BLANK)
    assert starred is not None and starred.states.tolist() == [1, 3, 3, 3, 5]
    assert starred.scores.sum() == 0.0
    assert plain is not None and plain.scores.sum() <= -27.0


def test_texts_beyond_the_memory_of_one_search_are_searched_in_several(monkeypatch: pytest.MonkeyPatch) -> None:
    emissions, targets = cases(40, 4)
    whole = best_paths(emissions, targets, BLANK)
    monkeypatch.setattr("ml.alignment.ctc.viterbi.MAX_BYTES", {"cpu": 2 * search_bytes(40, 13, 7)})
    for a, b in zip(whole, best_paths(emissions, targets, BLANK), strict=True):
        assert (a and a.states.tolist()) == (b and b.states.tolist())


def test_no_text_is_no_work() -> None:
    assert best_paths([], [], BLANK) == []
