"""The speaker probe finds speakers where codes hold them, and none where they do not."""

import numpy as np
import pytest
import torch

from ml.errors import ModelError
from ml.models.makiuchi.probe import CodedUtterance, SpeakerProbe, probe_accuracy, recognised, train_probe

RNG = np.random.default_rng(5)
CENTRES = RNG.normal(size=(4, 2, 3)).astype(np.float32)


def utterances(count: int, *, identity: float) -> list[CodedUtterance]:
    """Utterances of four speakers, one to four segments each; `identity` is how far their codes are apart."""
    return [
        CodedUtterance(
            (identity * CENTRES[number % 4] + RNG.normal(size=(1 + number % 4, 2, 3))).astype(np.float32), number % 4
        )
        for number in range(count)
    ]


def accuracy(identity: float) -> float:
    probe = train_probe(
        utterances(160, identity=identity), speakers=4, widths=(16,), learning_rate=1e-2, batch=8, epochs=5
    )
    return probe_accuracy(probe, utterances(160, identity=identity))


def test_the_more_of_a_speaker_codes_hold_the_more_are_recognised() -> None:
    none, some = accuracy(0.0), accuracy(3.0)

    assert none < 0.45
    assert some > 0.9


def test_an_utterance_is_decided_by_the_sum_of_its_segments() -> None:
    # Given a probe that hears the first number of a code as speaker 1 and is surer the larger it is
    probe = SpeakerProbe(1, 2, widths=())
    with torch.no_grad():
        probe.layers[0].weight.copy_(torch.tensor([[0.0], [1.0]]))
        probe.layers[0].bias.zero_()
    sure_once = CodedUtterance(np.array([[8.0], [-0.5], [-0.5]], np.float32), 1)

    # Then one sure segment outweighs two unsure ones
    assert recognised(probe, [sure_once]).tolist() == [1]


def test_the_released_layers_and_equal_probes_from_equal_seeds() -> None:
    data = utterances(4, identity=1.0)
    one, same = (train_probe(data, speakers=4, epochs=1, widths=(8,), seed=3) for _ in range(2))
    other = train_probe(data, speakers=4, epochs=1, widths=(8,), seed=4)
    sizes = [layer.out_features for layer in SpeakerProbe(32, 10).layers if isinstance(layer, torch.nn.Linear)]

    assert sizes == [2048, 1024, 1024, 10]
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters(), strict=True))
    assert not torch.equal(next(one.parameters()), next(other.parameters()))


def test_speakers_that_were_not_announced_are_refused() -> None:
    with pytest.raises(ModelError, match="0 to 2"):
        train_probe(utterances(8, identity=1.0), speakers=3)
