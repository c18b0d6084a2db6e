"""What the text model is trained on: corpora, a split without leaks, and texts like transcripts."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import BertTokenizerFast

from ml.bundles import load_bundle
from ml.corpora.goemotions import goemotions
from ml.corpora.meld import meld
from ml.corpora.types import CorpusMissing, LabelledUtterance
from ml.emotions import EMOTIONS
from ml.encoders.text import TextEncoder
from ml.models.makiuchi.text import TextEmotionCnn, TextEmotionConfig
from ml.training.text_data import TextBatches, hold_out, labels_of, odds_of, plain
from ml.training.train_text import SHARES, Bundled, train
from tests.unit import tiny_models


def item(text: str, label: str, corpus: str = "goemotions", item_id: str = "x") -> LabelledUtterance:
    return LabelledUtterance(corpus, item_id, "s", label, "en", text=text, split="train")


def test_goemotions_keeps_comments_with_one_label(tmp_path: Path) -> None:
    (tmp_path / "ekman_labels.txt").write_text("anger\ndisgust\nfear\njoy\nneutral\nsadness\nsurprise")
    (tmp_path / "ekman_train.tsv").write_text("How nice\t3\ta1\nBoth\t0,3\ta2\nOh dear\t5\ta3\n")
    (tmp_path / "ekman_dev.tsv").write_text("So be it\t4\tb1\n")

    found = [(it.item_id, it.label, it.text, it.split) for it in goemotions(tmp_path)]

    assert found == [
        ("a1", "happy", "How nice", "train"),
        ("a3", "sad", "Oh dear", "train"),
        ("b1", "neutral", "So be it", "dev"),
    ]


def test_meld_gives_every_line_with_its_dialogue(tmp_path: Path) -> None:
    head = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID\n"
    (tmp_path / "train_sent_emo.csv").write_text(head + '1,"Well, no.",Ana,disgust,negative,4,2\n', encoding="utf-8")
    (tmp_path / "dev_sent_emo.csv").write_text(head + "1,Hi,Ben,joy,positive,0,0\n", encoding="utf-8")

    first, second = meld(tmp_path)

    assert (first.item_id, first.speaker, first.label, first.text) == ("train-4-2", "meld-Ana", "disgust", "Well, no.")
    assert (second.label, second.split) == ("happy", "dev")


@pytest.mark.parametrize("reader", [goemotions, meld])
def test_a_folder_that_is_no_corpus_is_named(reader: object, tmp_path: Path) -> None:
    with pytest.raises(CorpusMissing, match=str(tmp_path)):
        list(reader(tmp_path))  # type: ignore[operator]


def test_plain_text_is_what_a_transcript_without_punctuation_holds() -> None:
    assert plain("Oh, NO — it’s 5 o'clock!! :)") == "oh no it's 5 o'clock"


def test_a_dialogue_is_never_on_both_sides_of_the_split() -> None:
    lines = [item("a", "sad", "meld", f"train-{dialogue}-{line}") for dialogue in range(200) for line in range(5)]

    training, development = hold_out(lines, one_in=10)

    assert 0.03 < len(development) / len(lines) < 0.2
    dialogues = [{it.item_id.rpartition("-")[0] for it in part} for part in (training, development)]
    assert not dialogues[0] & dialogues[1]
    assert hold_out(lines[::-1], one_in=10)[1] == development[::-1], "whatever the order"


def test_rare_classes_and_small_corpora_are_drawn_more_often() -> None:
    items = [item("a", "neutral")] * 90 + [item("a", "fear")] * 10 + [item("a", "sad", "meld")] * 5
    labels = labels_of(items)
    fear = labels == EMOTIONS.index("fear")

    even = odds_of(items, shares={"goemotions": 0.6, "meld": 0.4}, balance=1.0)
    natural = odds_of(items, shares={"goemotions": 0.6, "meld": 0.4}, balance=0.0)

    assert even.sum() == pytest.approx(1)
    assert even[-5:].sum() == pytest.approx(0.4)
    assert even[fear].sum() == pytest.approx(0.3)
    assert natural[fear].sum() == pytest.approx(0.06)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> TextEncoder:
    return TextEncoder.load(str(tiny_models.text_encoder(tmp_path_factory.mktemp("bert") / "bert")))


def test_batches_hide_words_but_never_the_special_tokens(encoder: TextEncoder) -> None:
    tokenizer: BertTokenizerFast = encoder.tokenizer
    items = [item("I am so happy!", "happy"), item("oh no", "sad")]
    batches = iter(TextBatches(tokenizer, items, np.array([0.5, 0.5]), batch=64, masked=0.5, seed=1))

    ids, mask, labels = next(batches)

    assert ids.shape == mask.shape
    assert (ids[:, 0] == tokenizer.cls_token_id).all()
    assert (ids[torch.arange(64), mask.sum(dim=1) - 1] == tokenizer.sep_token_id).all()
    assert (ids[mask == 0] == tokenizer.pad_token_id).all()
    assert (ids == tokenizer.mask_token_id).any()
    assert set(labels.tolist()) <= {EMOTIONS.index("happy"), EMOTIONS.index("sad")}


def test_training_learns_and_stores_the_best_as_a_delta(encoder: TextEncoder, tmp_path: Path) -> None:
    # Given texts whose words tell their emotion, and an encoder whose upper layer may change
    items = [
        item(text, label, corpus, f"{label}-{n}")
        for n in range(20)
        for corpus in ("goemotions", "meld")
        for text, label in (("I am so happy!", "happy"), ("oh no, not sad...", "sad"))
    ]
    for name, parameter in encoder.model.named_parameters():
        parameter.requires_grad = name.startswith("encoder.layer.1.")
    torch.manual_seed(7)
    head = TextEmotionCnn(TextEmotionConfig(input_size=16, widths=(16, 16, 16, 16)))
    bundled = Bundled(encoder, head, ("encoder.layer.1.",))
    options = SimpleNamespace(balance=0.5, batch=16, masked=0.0, seed=1, steps=150, judge_every=50, begin_step=0)

    # When it is trained
    train(bundled, items, items[:8], tmp_path / "out", options)  # type: ignore[arg-type]

    # Then it tells them apart, and the bundle holds only what changed, as it was measured
    tokens = encoder.encode(["i am so happy", "oh no not sad"])
    assert head.eval().predict(tokens).argmax(axis=1).tolist() == [EMOTIONS.index("happy"), EMOTIONS.index("sad")]
    bundle = load_bundle(str(tmp_path / "out"))
    assert all(name.startswith("encoder.layer.1.") for name in bundle.part("encoder"))
    assert {t.dtype for t in bundle.tensors.values()} == {torch.float16}
    for name, tensor in bundle.part("encoder").items():
        assert torch.equal(encoder.model.state_dict()[name], tensor.float())
    assert SHARES.keys() == {"goemotions", "meld"}
