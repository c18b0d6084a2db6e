"""The text model goes on from its weights on texts of a new corpus."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ml.adaptation.errors import DataLacking, Stopped
from ml.adaptation.text import TextPlan, adapt_text
from ml.bundles import load_bundle
from ml.corpora.manifest import Manifest, freeze
from ml.corpora.types import LabelledUtterance
from ml.emotions import EMOTIONS
from ml.inference.makiuchi import MakiuchiText
from ml.profiles.sides import BundleSide
from tests.unit.tiny_models import text_bundle, text_encoder

SAID = {"happy": "i am so happy", "sad": "oh no you are sad", "angry": "what a dog !"}


def texts(folder: Path, *, language: str = "en") -> Manifest:
    """Sentences that say what they mean, of four dialogues."""
    items = [
        LabelledUtterance("chat", f"{label}-{n}", f"speaker-{n % 4}", label, language, text=f"{said} {'oh ' * (n % 3)}")
        for label, said in SAID.items()
        for n in range(12)
    ]
    return freeze(items, folder / "chat.parquet")


def test_the_text_model_learns_what_a_corpus_says_and_keeps_its_encoder(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    text_bundle(tmp_path / "text", text_encoder(tmp_path / "bert"))
    side = BundleSide(str(tmp_path / "text")).resolve("text")
    plan, target = TextPlan(steps=150, batch=12, rate=1e-2), texts(tmp_path)

    with pytest.raises(Stopped):
        adapt_text(plan, champion=side, target=target, out=tmp_path / "out", stop=lambda: True, device="cpu")
    adapted = adapt_text(plan, champion=side, target=target, out=tmp_path / "out", device="cpu")
    whole = adapt_text(plan, champion=side, target=target, out=tmp_path / "whole", device="cpu")

    assert adapted.meta.sha256 == whole.meta.sha256, "a run that was stopped ends as one that was not"
    model = MakiuchiText.load(BundleSide(str(adapted.bundle)).resolve("text"), "cpu")
    said = model.scores(model.tokens([model.spoken(text) for text in SAID.values()]))
    assert [EMOTIONS[row.argmax()] for row in said] == list(SAID)
    np.testing.assert_allclose(said.sum(axis=1), 1)
    delta = [load_bundle(str(path)).part("encoder") for path in (tmp_path / "text", adapted.bundle)]
    assert all(torch.equal(delta[0][name], delta[1][name]) for name in delta[0])


def test_texts_in_a_language_that_the_model_does_not_read_teach_it_nothing(tmp_path: Path) -> None:
    text_bundle(tmp_path / "text", text_encoder(tmp_path / "bert"))
    side = BundleSide(str(tmp_path / "text")).resolve("text")

    with pytest.raises(DataLacking):
        adapt_text(TextPlan(), champion=side, target=texts(tmp_path, language="pl"), out=tmp_path / "out", device="cpu")
