"""The gate: better where it was meant to be and nowhere worse, or no promotion."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from ml.corpora.types import LabelledUtterance
from ml.emotions import EMOTIONS
from ml.gate.comparing import Comparison, Pair, best, compare
from ml.gate.deciding import Rule, decide
from ml.gate.judging import NEW, TestSet, judge
from ml.gate.measuring import Measured
from ml.gate.refitting import refitted
from ml.training.metrics import balanced_accuracy

PEOPLE, EACH = 8, 40


def answers(labels: NDArray[np.int64], right: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """Predictions among four classes, of which a share is right."""
    wrong = (labels + rng.integers(1, 4, len(labels))) % 4
    return np.where(rng.random(len(labels)) < right, labels, wrong)


def pair(champion: float, challenger: float, *, people: int = PEOPLE, each: int = EACH, seed: int = 0) -> Pair:
    rng = np.random.default_rng(seed)
    labels = np.tile(np.arange(4), people * each // 4)
    speakers = [f"p{number // each}" for number in range(people * each)]
    return Pair(NEW, labels, speakers, answers(labels, champion, rng), answers(labels, challenger, rng))


def comparison(difference: float, low: float, high: float, *, items: int = 200, name: str = "earlier") -> Comparison:
    return Comparison(name, items, 8, 0.5, 0.5 + difference, difference, low, high, "speakers")


BETTER = comparison(0.10, 0.04, 0.16, name=NEW)


def test_a_comparison_has_both_figures_and_an_interval_around_their_difference() -> None:
    given = pair(0.5, 0.8)
    found = compare(given)
    assert found.champion == pytest.approx(balanced_accuracy(given.labels, given.champion))
    assert found.challenger == pytest.approx(balanced_accuracy(given.labels, given.challenger))
    assert found.low < found.difference < found.high
    assert found.low > 0
    assert (found.items, found.speakers, found.drawn) == (PEOPLE * EACH, PEOPLE, "speakers")


def test_what_is_hard_for_both_does_not_widen_the_interval() -> None:
    """Speakers differ between all right and all wrong; both versions alike, but for one answer in ten."""
    rng = np.random.default_rng(1)
    labels = np.tile(np.arange(4), 80)
    speakers = [f"p{number // 40}" for number in range(320)]
    champion = np.where(np.arange(320) // 40 % 2 == 0, labels, (labels + 1) % 4)
    challenger = np.where(rng.random(320) < 0.1, labels, champion)
    paired = compare(Pair(NEW, labels, speakers, champion, challenger))
    assert paired.low > 0
    assert paired.high - paired.low < 0.15  # Unpaired, speakers alone make it 0.7.


@pytest.mark.parametrize("seed", range(5))
def test_equal_versions_are_not_told_apart(seed: int) -> None:
    found = compare(pair(0.6, 0.6, seed=seed))
    assert found.low <= 0 <= found.high


def test_few_people_are_not_drawn_but_their_utterances() -> None:
    assert compare(pair(0.5, 0.8, people=2)).drawn == "utterances"


def test_an_utterance_without_a_score_is_wrong_for_whoever_has_none() -> None:
    scores = np.full((2, len(EMOTIONS)), np.nan)
    scores[1, 2] = 0.7
    assert best(scores).tolist() == [-1, 2]


def test_a_clear_gain_without_a_loss_passes() -> None:
    assert decide(BETTER, [comparison(-0.01, -0.03, 0.02)], [comparison(0.0, -0.05, 0.05)]).passed


def test_a_gain_that_may_be_chance_is_refused() -> None:
    found = decide(comparison(0.05, -0.01, 0.11, name=NEW), [], [])
    assert (found.passed, found.code) == (False, "not_better")


@pytest.mark.parametrize("where", ["earlier", "group"])
def test_a_significant_loss_anywhere_is_refused_whatever_the_gain(where: str) -> None:
    loss = comparison(-0.06, -0.09, -0.02)
    found = decide(BETTER, [loss] if where == "earlier" else [], [loss] if where == "group" else [])
    assert (found.passed, found.code) == (False, "negative_transfer")
    assert "-0.060" in found.reason


def test_a_large_loss_counts_although_few_people_leave_it_uncertain() -> None:
    uncertain = comparison(-0.15, -0.35, 0.05)
    assert decide(BETTER, [uncertain], []).code == "negative_transfer"
    assert decide(BETTER, [replace(uncertain, items=20)], []).passed


def test_a_significant_loss_within_the_margin_is_forgiven() -> None:
    assert decide(BETTER, [comparison(-0.015, -0.02, -0.01)], []).passed


def test_too_few_people_decide_nothing() -> None:
    few = replace(BETTER, speakers=3)
    assert decide(few, [], []).code == "too_little_data"
    assert decide(few, [], [], Rule(min_speakers=3)).passed


def items(labels: NDArray[np.int64], kind: str, first: str, others: str) -> list[LabelledUtterance]:
    """Everybody's utterances; two people are of the first group."""
    return [
        replace(
            LabelledUtterance("t", str(n), f"p{n // EACH}", EMOTIONS[label], "en"),
            **{kind: first if n // EACH < 2 else others},
        )
        for n, label in enumerate(labels)
    ]


def measured(predicted: NDArray[np.int64]) -> Measured:
    scores = np.full((len(predicted), len(EMOTIONS)), np.nan)
    scores[:, :4] = 0.1
    scores[np.arange(len(predicted)), predicted] = 0.7
    return Measured(scores, np.full_like(scores, np.nan), scores)


@pytest.mark.parametrize(
    ("kind", "first", "others"),
    [("gender", "female", "male"), ("band", "telephone", "wideband"), ("channel", "right", "left")],
)
def test_a_challenger_that_gains_from_one_group_at_the_cost_of_the_other_is_refused(
    kind: str, first: str, others: str
) -> None:
    given, rng = pair(0.5, 0.9), np.random.default_rng(5)
    few = np.arange(len(given.labels)) // EACH < 2
    unfair = np.where(few, answers(given.labels, 0.2, rng), given.challenger)
    new = TestSet(NEW, items(given.labels, kind, first, others), np.arange(len(given.labels)))

    found = judge(new, [], measured(given.champion), measured(unfair))

    assert found.new.low > 0
    assert {one.name for one in found.groups} == {f"{kind} {first}", f"{kind} {others}"}
    assert found.decision.code == "negative_transfer"
    assert f"{kind} {first}" in found.decision.reason


def test_temperatures_are_fitted_for_whoever_is_too_sure() -> None:
    rng = np.random.default_rng(2)
    labels = np.tile(np.arange(4), 50)
    predicted = answers(labels, 0.6, rng)
    sure = measured(predicted)
    sure.speech[:, :4] = 0.01
    sure.speech[np.arange(200), predicted] = 0.97
    spec = {"labels": list(EMOTIONS[:4]), "speech": {"temperature": 1.0}, "fusion": {"w_speech": 1.0, "w_text": 0.0}}
    assert refitted(spec, sure, labels)["speech"]["temperature"] > 2
    assert spec["speech"] == {"temperature": 1.0}
    few = Measured(sure.speech[:10], sure.text[:10], sure.fused[:10])
    assert refitted(spec, few, labels[:10])["speech"]["temperature"] == 1.0


def test_fusion_weights_go_to_the_side_that_is_right() -> None:
    rng = np.random.default_rng(3)
    labels = np.tile(np.arange(4), 50)
    by_voice, by_words = measured(answers(labels, 0.3, rng)), measured(answers(labels, 0.9, rng))
    both = Measured(by_voice.speech, by_words.speech, by_words.speech)
    spec = {
        "labels": list(EMOTIONS[:4]),
        "speech": {"temperature": 1.0},
        "text": {"temperature": 1.0},
        "fusion": {"kind": "score", "w_speech": 0.6, "w_text": 0.4},
    }
    fusion = refitted(spec, both, labels)["fusion"]
    assert fusion["w_text"] > 0.8
    assert fusion["kind"] == "score"
