"""Encoders for honest tables: one that heard speech without labels, and text encoders that learned nothing."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from transformers import Wav2Vec2Config, Wav2Vec2Model

from ml.encoders.source import weights_sha256
from ml.encoders.speech import SpeechEncoder
from ml.encoders.text import TextEncoder
from ml.encoders.untrained import FAMILIES
from ml.errors import ModelError
from ml.training.label_free import EXCERPT, MaskedTask, MaskedTracks, train_label_free
from ml.training.speech_model import ENCODER


def hum(seconds: float, seed: int) -> np.ndarray:
    """A voice-like buzz whose pitch moves, in some noise."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(16_000 * seconds)) / 16_000
    phase = 2 * np.pi * np.cumsum(150 + 40 * np.sin(2 * np.pi * time + seed)) / 16_000
    return (sum(np.sin(k * phase) / k for k in range(1, 9)) * 0.05 + rng.normal(0, 0.003, len(time))).astype(np.float32)


def test_an_encoder_is_made_of_speech_alone_and_read_like_any_other(tmp_path: Path) -> None:
    for number in range(2):
        soundfile.write(tmp_path / f"{number}.wav", hum(5.0, number), 16_000)

    seconds = train_label_free(
        tmp_path, tmp_path / "encoder", front_end_steps=2, steps=2, batch=2, seed=1, device="cpu"
    )

    encoder = SpeechEncoder.load(tmp_path / "encoder")
    assert seconds == pytest.approx(10.0, abs=0.5)
    assert encoder.encode([hum(1.0, 3)])[0].shape == (49, ENCODER["hidden_size"])
    assert not list((tmp_path / "encoder").glob("training*"))


def test_what_is_hidden_is_learned_from_its_surroundings() -> None:
    torch.manual_seed(1)
    module = MaskedTracks(Wav2Vec2Model(Wav2Vec2Config(**ENCODER)))
    rng = np.random.default_rng(1)
    # Features and tracks that are the same all over an excerpt, so that the surroundings tell all.
    level = rng.normal(size=(40, 1, 1)).astype(np.float32)
    heard = [
        (np.tile(np.ones((1, 192), np.float32) * one * np.arange(192) / 50, (EXCERPT, 1)), np.tile(one, (EXCERPT, 84)))
        for one in level
    ]
    task = MaskedTask(module, heard, batch=4, device="cpu")
    optimiser = torch.optim.Adam(module.parameters(), lr=2e-3)
    errors = []
    for step in range(16):
        losses = task.losses(task.draw(np.random.default_rng(step)))
        optimiser.zero_grad()
        losses["total"].backward()
        optimiser.step()
        errors.append(float(losses["hidden"].detach()))

    assert np.mean(errors[-3:]) < 0.7 * np.mean(errors[:3])


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_untrained_text_encoders_are_the_same_every_time(family: str) -> None:
    encoder = TextEncoder.load(f"untrained:{family}")

    vectors = encoder.encode(["I am so happy.", ""])
    assert vectors[0].shape == (5, encoder.hidden_size) and len(vectors[1]) == 0
    assert weights_sha256(f"untrained:{family}") == weights_sha256(f"untrained:{family}")


def test_an_unknown_family_is_named() -> None:
    with pytest.raises(ModelError, match="no untrained encoder of the family gpt"):
        TextEncoder.load("untrained:gpt")
