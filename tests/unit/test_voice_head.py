"""The classifier of voices in training: it says what inference says, and gradients reach the frames."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ml.adaptation.errors import PlanInvalid
from ml.adaptation.heads import adaptable
from ml.adaptation.label_set import remapped
from ml.alignment import speakers
from ml.alignment.voice import KnownVoice, hear_voices
from ml.features.speaker import SIZE, USUAL, VECTOR, usual
from ml.features.voice import wave_statistics
from ml.gate.voices import KeptVoices
from ml.models.voice import VoiceEmotionConfig, VoiceEmotionModel
from tests.corpora.sound import voice


def model(classes: int = 3) -> VoiceEmotionModel:
    torch.manual_seed(0)
    made = VoiceEmotionModel(VoiceEmotionConfig(input_size=6, hidden=20, classes=classes)).eval()
    for name, buffer in made.named_buffers():
        buffer.add_(0.1 * torch.rand_like(buffer) if name != "usual_map" else 0.01 * torch.randn_like(buffer))
    return made


def frames() -> tuple[torch.Tensor, torch.Tensor]:
    """Two utterances of 40 and 27 frames in one batch, and which frames are real."""
    torch.manual_seed(1)
    mask = torch.arange(40)[None] < torch.tensor([[40], [27]])
    return torch.randn(2, 40, 6) * mask[:, :, None], mask


def test_it_hears_in_a_batch_what_inference_hears_one_by_one() -> None:
    head, (values, mask) = model(), frames()
    vectors = np.random.default_rng(0).normal(size=(2, VECTOR)).astype(np.float32)
    ears = adaptable(head)

    heard = ears.hear(*ears.read(values, mask), torch.from_numpy(vectors))

    expected = head.logits([values[0].numpy(), values[1, :27].numpy()], vectors)
    np.testing.assert_allclose(heard.logits[:, 0].detach().numpy(), expected, rtol=1e-4, atol=1e-4)
    assert heard.embedding.shape == (2, ears.embedding_size)


def test_gradients_through_statistics_are_finite_and_right() -> None:
    """Against differences of an utterance moved a little, also where a third has no voiced frame."""
    head, (values, mask) = model().double(), frames()
    values = values.double().requires_grad_(True)
    ears, vectors = adaptable(head), torch.zeros(2, VECTOR, dtype=torch.float64)

    def said(at: torch.Tensor) -> torch.Tensor:
        return ears.hear(*ears.read(at, mask), vectors).logits.square().sum()

    (slope,) = torch.autograd.grad(said(values), values)
    way = torch.randn_like(slope) * mask[:, :, None]
    step = 1e-7
    moved = (said(values.detach() + step * way) - said(values.detach() - step * way)) / (2 * step)

    assert bool(slope.isfinite().all())
    assert float(moved) == pytest.approx(float((slope * way).sum()), rel=1e-3)


def test_only_the_classifier_learns_and_a_fresh_one_keeps_what_no_label_has_shaped() -> None:
    head = model()
    ears = adaptable(head)

    fresh = ears.fresh(5, speaker_size=0)

    assert {id(p) for p in ears.learning()} == {id(p) for p in head.classifier.parameters()}
    assert isinstance(fresh, VoiceEmotionModel) and fresh.config.classes == 5
    torch.testing.assert_close(fresh.readout.weight, head.readout.weight)
    torch.testing.assert_close(fresh.mean, head.mean)
    assert not fresh.usual_map.any() and head.usual_map.any()
    with pytest.raises(PlanInvalid):
        ears.fresh(5, speaker_size=7)


def test_other_classes_leave_what_is_said_of_shared_ones() -> None:
    head, (values, mask) = model(), frames()
    other = remapped(head, ("angry", "happy", "sad"), ("sad", "fear", "angry")).eval()
    nobody = torch.zeros(2, VECTOR)

    before, after = (own.hear(*own.read(values, mask), nobody).logits for own in map(adaptable, (head, other)))

    torch.testing.assert_close(after[:, :, [0, 2]], before[:, :, [2, 0]])


def test_a_known_voice_is_embedding_and_usual_statistics_and_what_is_kept_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[int] = []

    def embed(waves: list[np.ndarray]) -> list[np.ndarray | None]:
        heard.extend(map(len, waves))
        return [np.full(SIZE, wave.mean(), np.float32) if wave.any() else None for wave in waves]

    monkeypatch.setattr(speakers, "embed_utterances", embed)
    waves = [voice("sad", "a", seconds=9), voice("happy", "a", seconds=0.5), np.zeros(8000, np.float32)]
    kept = KeptVoices(tmp_path)
    known, again = KnownVoice(), KnownVoice()

    known.add(kept(waves))
    again.add(kept(waves))

    assert heard == [8 * 16_000, 8000, 8000], "eight seconds at most, and nothing twice"
    np.testing.assert_array_equal(known.vector, again.vector)
    np.testing.assert_array_equal(known.vector[SIZE:], usual([wave_statistics(wave[: 8 * 16_000]) for wave in waves]))
    assert known.vector[SIZE] == pytest.approx(2 / 6)
    direct = KnownVoice()
    direct.add(hear_voices(waves))
    np.testing.assert_array_equal(direct.vector, known.vector)
    assert KnownVoice().vector.tolist() == [0.0] * (SIZE + USUAL)
