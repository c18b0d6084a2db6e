"""The arithmetic of adaptation: against skada, against what can be computed by hand, against known densities."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from skada import CORALAdapter, DiscriminatorReweightAdapter, KLIEPReweightAdapter
from sklearn.linear_model import LogisticRegression

from ml.adaptation.adversarial import reversed_gradient
from ml.adaptation.coral import coral_loss, coral_map
from ml.adaptation.density import _Kliep, chosen_width, effective_share, kliep_ratio, logistic_ratio
from ml.adaptation.distillation import angle_loss, distance_loss
from ml.adaptation.label_set import remapped
from ml.adaptation.mmd import FACTORS, discrepancy, ramp, squared_mmd
from ml.adaptation.pseudo_labels import balanced_choice
from ml.adaptation.relatedness import h_score, leep, proxy_a_distance
from ml.models.makiuchi.config import SpeechEmotionConfig
from ml.models.makiuchi.speech import SpeechEmotionModel

Floats = NDArray[np.float64]


def two_samples(dimensions: int = 3) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Source and target points of different mean and shape, and skada's domains of both in a row."""
    rng = np.random.default_rng(0)
    source = rng.normal(size=(200, dimensions)) @ rng.normal(size=(dimensions, dimensions))
    target = rng.normal(size=(150, dimensions)) @ rng.normal(size=(dimensions, dimensions)) + 0.5
    return source, target, np.repeat([1, -2], [200, 150])


def test_correlation_alignment_maps_as_skada_does() -> None:
    source, target, domains = two_samples(5)
    theirs = CORALAdapter(reg=None).fit_transform(np.concatenate([source, target]), sample_domain=domains)

    ours = (source - source.mean(axis=0)) @ coral_map(source, target, ridge=1e-9)

    np.testing.assert_allclose(ours, theirs[:200], rtol=0.02, atol=1e-2)
    np.testing.assert_allclose(np.cov(ours, rowvar=False), np.cov(target, rowvar=False), rtol=1e-5, atol=1e-6)


def test_the_loss_of_covariances_is_the_published_formula_and_zero_for_equal_samples() -> None:
    source, target, _ = two_samples(4)
    difference = np.cov(source, rowvar=False) - np.cov(target, rowvar=False)

    loss = coral_loss(torch.from_numpy(source), torch.from_numpy(target))

    assert float(loss) == pytest.approx((difference**2).sum() / (4 * 4**2))
    assert float(coral_loss(torch.from_numpy(source), torch.from_numpy(source))) == pytest.approx(0)


def test_discrepancy_is_the_unbiased_estimator_written_out() -> None:
    source, target, _ = two_samples()
    x, y = source[:7], target[:5]
    both = np.concatenate([x, y])
    squares = ((both[:, None] - both[None]) ** 2).sum(axis=2)
    # The lower of two middle values, as torch takes it.
    median = np.sort(squares[~np.eye(12, dtype=bool)])[(12 * 11 - 1) // 2]

    def kernel(a: Floats, b: Floats) -> float:
        return float(np.mean([np.exp(-((a - b) ** 2).sum() / (factor * median)) for factor in FACTORS]))

    own = sum(kernel(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j) / (7 * 6)
    other = sum(kernel(a, b) for i, a in enumerate(y) for j, b in enumerate(y) if i != j) / (5 * 4)
    between = np.mean([kernel(a, b) for a in x for b in y])

    assert float(squared_mmd(torch.from_numpy(x), torch.from_numpy(y))) == pytest.approx(own + other - 2 * between)


def test_discrepancy_tells_equal_from_shifted_samples() -> None:
    rng = np.random.default_rng(1)
    one, same, moved = (rng.normal(size=(200, 8)).astype(np.float32) + shift for shift in (0, 0, 1))

    assert abs(discrepancy(one, same)) < 0.01 < 0.1 < discrepancy(one, moved)


def test_weights_by_a_classifier_are_its_odds_and_follow_the_true_ratio() -> None:
    source, target, domains = two_samples()
    every = np.concatenate([source, target])
    adapter = DiscriminatorReweightAdapter(LogisticRegression(C=0.1, max_iter=2000)).fit(every, sample_domain=domains)
    theirs = adapter.compute_weights(every, sample_domain=domains)[:200]

    ours = logistic_ratio(source, target)

    # skada 0.6 divides the odds the other way round: its weights are highest where the target is rarest.
    np.testing.assert_allclose(ours / ours.mean(), (1 / theirs) / (1 / theirs).mean(), rtol=1e-3)
    rng = np.random.default_rng(2)
    near, far = rng.normal(0, 1, (2000, 1)), rng.normal(1, 1, (2000, 1))
    truth = np.exp(near[:, 0] - 0.5)
    assert np.corrcoef(np.log(logistic_ratio(near, far)), np.log(truth))[0, 1] > 0.99


def test_kliep_is_skadas_ratio_with_likelier_shares() -> None:
    source, target, domains = two_samples()
    every, width = np.concatenate([source, target]), 2.0
    # Its step has the size of a rounding error, so skada 0.6 stays at its first point, a random one.
    adapter = KLIEPReweightAdapter(gamma=1 / (2 * width**2), n_centers=len(target), max_iter=1).fit(
        every, sample_domain=domains
    )
    ours = _Kliep(source, target, width, seed=0, steps=400)
    theirs = _Kliep(source, target, width, seed=0, steps=0)
    theirs._centres, theirs._alpha = adapter.centers_, adapter.alpha_

    assert ours.at(source).mean() == pytest.approx(1)
    assert theirs.at(source).mean() == pytest.approx(1)
    assert np.log(ours.at(target)).mean() > np.log(theirs.at(target)).mean()
    expected = adapter.compute_weights(every, sample_domain=domains)[:200]
    np.testing.assert_allclose(theirs.at(source), expected, rtol=1e-6)


def test_kliep_follows_the_true_ratio_with_a_width_it_chose_itself() -> None:
    rng = np.random.default_rng(3)
    source, target = rng.normal(0, 1, (400, 1)), rng.normal(0.7, 0.8, (300, 1))
    truth = np.exp(-((source - 0.7) ** 2) / (2 * 0.64) + source**2 / 2)[:, 0] / 0.8

    found = kliep_ratio(source, target, chosen_width(source, target))

    assert np.corrcoef(found, truth)[0, 1] > 0.95


def test_the_effective_share_is_one_for_equal_weights_and_small_for_one_heavy_one() -> None:
    assert effective_share(np.full(50, 3.0)) == pytest.approx(1)
    assert effective_share(np.array([10.0, *[0.1] * 99])) < 0.05


def test_a_reversed_gradient_has_the_other_sign_and_the_strength() -> None:
    values = torch.tensor([1.0, -2.0], requires_grad=True)

    out = reversed_gradient(values, 0.3)
    (out * torch.tensor([2.0, 5.0])).sum().backward()

    torch.testing.assert_close(out, values)
    torch.testing.assert_close(values.grad, torch.tensor([-0.6, -1.5]))
    assert ramp(0.0) == 0 and ramp(1.0) > 0.999


def test_pseudo_labels_are_even_over_classes_and_sure() -> None:
    rng = np.random.default_rng(4)
    wanted = rng.choice(3, size=300, p=[0.8, 0.15, 0.05])
    logits = rng.normal(size=(300, 3)) + 3 * np.eye(3)[wanted]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)

    found = balanced_choice(probabilities, share=0.3, threshold=0.6)

    counts = np.bincount(found.labels, minlength=3)
    assert counts.max() <= 30, "a third of 0.3 of 300"
    assert counts.min() >= 10, "a class of fifteen people is not passed over"
    assert (probabilities[found.rows, found.labels] >= 0.6).all()
    assert (wanted[found.rows] == found.labels).mean() > 0.9


def test_relations_do_not_change_with_scale_or_turning() -> None:
    torch.manual_seed(0)
    points = torch.randn(9, 4)
    turned = 3 * points @ torch.linalg.qr(torch.randn(4, 4))[0] + 1

    assert float(distance_loss(turned, points)) < 1e-10
    assert float(angle_loss(turned, points)) < 1e-10
    assert float(distance_loss(torch.randn(9, 4), points)) > 1e-3
    assert float(angle_loss(torch.randn(9, 4), points)) > 1e-3


def test_a_head_for_other_classes_says_of_shared_ones_what_it_said() -> None:
    torch.manual_seed(0)
    head = SpeechEmotionModel(SpeechEmotionConfig(input_size=4, channels=6, bottleneck=3, classes=3)).eval()
    segments, voices = torch.randn(2, 96, 4), torch.randn(2, 256)

    other = remapped(head, ("angry", "happy", "sad"), ("sad", "fear", "angry")).eval()

    torch.testing.assert_close(other(segments, voices)[:, [0, 2]], head(segments, voices)[:, [2, 0]])


def test_related_tasks_score_higher_than_unrelated_ones() -> None:
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 3, 300)
    telling = rng.normal(size=(300, 6)) + 2 * np.eye(6)[labels]
    probabilities = np.full((300, 3), 0.1) + 0.7 * np.eye(3)[labels]
    speakers = [f"a{n % 6}" for n in range(300)] + [f"b{n % 6}" for n in range(300)]

    assert h_score(telling, labels) > 1 > h_score(rng.normal(size=(300, 6)), labels)
    assert leep(probabilities, labels) > np.log(1 / 3) + 0.3
    assert leep(np.full((300, 3), 1 / 3), labels) == pytest.approx(np.log(1 / 3), abs=0.01)
    far, near = (proxy_a_distance(telling, telling[::-1] + shift, speakers) for shift in (3.0, 0.0))
    assert far is not None and near is not None and far > 1.8 > 0.5 > near
