"""What the text model is trained on: corpora, a split without leaks, and texts like transcripts."""

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import BertTokenizerFast

from ml.corpora.goemotions import goemotions
from ml.corpora.meld import meld
from ml.corpora.types import CorpusMissing, LabelledUtterance
from ml.emotions import EMOTIONS
from ml.encoders.text import TextEncoder
from ml.models.makiuchi.text import TextEmotionConfig
from ml.training.checkpoint import CheckpointUnreadable
from ml.training.text_data import TextBatches, hold_out, labels_of, odds_of, plain, preceding
from ml.training.text_loop import Stage, TextLoop
from ml.training.text_model import TextModel, stored
from ml.training.train_text import as_frequent_as_in, fitted_temperature, learn
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
    batches = TextBatches(tokenizer, items, batch=64, masked=0.5)

    batch = batches.draw(np.array([0.5, 0.5]), seed=1, step=0)

    assert batch.ids.shape == batch.mask.shape
    assert (batch.ids[:, 0] == tokenizer.cls_token_id).all()
    assert (batch.ids[torch.arange(64), batch.mask.sum(dim=1) - 1] == tokenizer.sep_token_id).all()
    assert (batch.ids[batch.mask == 0] == tokenizer.pad_token_id).all()
    assert (batch.ids == tokenizer.mask_token_id).any()
    assert set(batch.labels.tolist()) <= {EMOTIONS.index("happy"), EMOTIONS.index("sad")}


def test_a_steps_texts_do_not_depend_on_the_steps_before(encoder: TextEncoder) -> None:
    items = [item(" ".join(["so happy", *["dog"] * n]), "happy") for n in range(40)]
    odds = np.full(40, 1 / 40)
    running, fresh = (TextBatches(encoder.tokenizer, items, batch=4, masked=0.2) for _ in range(2))

    for step in range(20):
        last = running.draw(odds, seed=3, step=step)

    assert torch.equal(last.ids, fresh.draw(odds, seed=3, step=19).ids)
    assert not torch.equal(last.ids, running.draw(odds, seed=4, step=19).ids)


DIALOGUE = [
    LabelledUtterance("meld", f"train-1-{n}", who, "sad", "en", text=text, dialogue="d1")
    for n, (who, text) in enumerate([("a", "oh no"), ("b", "I am sad!"), ("b", "so happy"), ("a", "not")])
]


def test_what_came_before_is_of_the_same_dialogue_newest_first_and_says_who_spoke() -> None:
    other = replace(DIALOGUE[0], dialogue="d2", text="dog")

    found = preceding([*DIALOGUE[:2], other, *DIALOGUE[2:], item("a comment", "sad")], 2)

    assert found == [
        "",
        "other: oh no",
        "",
        "same: I am sad! other: oh no",
        "other: so happy other: I am sad!",
        "",
    ]
    assert set(preceding(DIALOGUE, 0)) == {""}


def test_a_text_without_anything_before_it_is_read_as_if_context_did_not_exist(encoder: TextEncoder) -> None:
    alone, plain_ids = (TextBatches(encoder.tokenizer, DIALOGUE[:1], batch=2, masked=0.0, context=n) for n in (2, 0))
    odds = np.ones(1)

    with_none, without = alone.draw(odds, seed=1, step=0), plain_ids.draw(odds, seed=1, step=0)

    assert torch.equal(with_none.ids, without.ids) and not with_none.context.any()


def test_context_is_seen_by_the_encoder_and_never_by_the_head_or_the_mask(own_encoder: TextEncoder) -> None:
    tokenizer = own_encoder.tokenizer
    batches = TextBatches(tokenizer, DIALOGUE, batch=4, masked=0.9, context=2)
    batch = batches.draw(np.array([0.0, 0.0, 1.0, 0.0]), seed=1, step=0)
    ends = (batch.context.argmax(dim=1) - 1)[:, None]
    assert batch.context.any(dim=1).all()
    assert (batch.ids.gather(1, ends) == tokenizer.sep_token_id).all(), "where the text ends is not hidden"
    model = small_model(own_encoder)
    seen: list[int] = []
    model.head.register_forward_pre_hook(lambda _, inputs: seen.append(int(inputs[1].sum())))

    alone, after = (model.log_probabilities_in_context(["so happy"], [before]) for before in ("", "other: oh no"))

    assert seen == [2, 2]
    assert not np.allclose(alone, after, atol=1e-6)
    np.testing.assert_allclose(alone, model.log_probabilities(["so happy"]), atol=1e-5)


ITEMS = [
    item(text, label, corpus, f"{label}-{n}")
    for n in range(20)
    for corpus in ("goemotions", "meld")
    for text, label in (("I am so happy!", "happy"), ("oh no, not sad...", "sad"))
]
STAGE = Stage(steps=100, rate=1e-3, head_rate=1e-2, goemotions=0.5, batch=8, masked=0.0, warm=5, save_every=10)


def small_model(encoder: TextEncoder) -> TextModel:
    torch.manual_seed(7)
    return TextModel(encoder, TextEmotionConfig(input_size=16, widths=(16, 16, 16, 16)), layers=1)


@pytest.fixture
def own_encoder(encoder: TextEncoder) -> TextEncoder:
    return TextEncoder(copy.deepcopy(encoder.model), encoder.tokenizer)


def test_training_tells_texts_apart_and_changes_the_upper_layers_alone(
    own_encoder: TextEncoder, tmp_path: Path
) -> None:
    model = small_model(own_encoder)
    before = {name: p.detach().clone() for name, p in model.bert.named_parameters()}

    learn(model, ITEMS, {"both": STAGE, "last": replace(STAGE, steps=20)}, seed=1, device="cpu", work=tmp_path)
    learned = stored(model.learned())
    model.restore(learned)

    said = model.log_probabilities(["i am so happy", "oh no not sad"]).argmax(axis=1)
    assert said.tolist() == [EMOTIONS.index("happy"), EMOTIONS.index("sad")]
    changed = {name for name, p in model.bert.named_parameters() if not torch.equal(p, before[name])}
    assert changed
    assert all(name.startswith("encoder.layer.1.") for name in changed)
    assert {name.removeprefix("encoder.") for name in learned if name.startswith("encoder.")} >= changed


def test_training_that_was_killed_goes_on_to_the_same_weights(own_encoder: TextEncoder, tmp_path: Path) -> None:
    start = small_model(own_encoder).learned()

    def run(path: Path, kill_after: int | None = None) -> dict[str, torch.Tensor]:
        model = small_model(own_encoder)
        model.restore(start)
        loop = TextLoop(model, replace(STAGE, steps=30), seed=1, device="cpu", checkpoint=path)

        def report(_: str) -> None:
            if loop.done == kill_after:
                raise KeyboardInterrupt

        loop.run(ITEMS, report)
        return model.learned()

    whole = run(tmp_path / "whole.safetensors")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut.safetensors", kill_after=20)
    resumed = run(tmp_path / "cut.safetensors")

    assert any(not torch.equal(whole[name], start[name]) for name in whole)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_a_checkpoint_of_other_settings_is_refused(own_encoder: TextEncoder, tmp_path: Path) -> None:
    model, path = small_model(own_encoder), tmp_path / "x.safetensors"
    short = replace(STAGE, steps=2)
    TextLoop(model, short, seed=1, device="cpu", checkpoint=path).run(ITEMS, lambda _: None)

    with pytest.raises(CheckpointUnreadable, match="other settings"):
        TextLoop(model, short, seed=2, device="cpu", checkpoint=path).run(ITEMS, lambda _: None)


def test_lower_layers_learn_more_slowly(own_encoder: TextEncoder) -> None:
    model = TextModel(own_encoder, TextEmotionConfig(input_size=16, widths=(16, 16, 16, 16)), layers=2)

    rates = [group["lr"] for group in model.groups(rate=1e-4, head_rate=1e-3, decay=0.5)]

    assert rates == [5e-5, 1e-4, 1e-3]


def test_the_temperature_comes_from_dialogue_alone(own_encoder: TextEncoder) -> None:
    model = small_model(own_encoder)
    lines = [it for it in ITEMS if it.corpus == "meld"]

    assert fitted_temperature(model, ITEMS) == fitted_temperature(model, lines)


def test_confidence_is_that_of_classes_as_frequent_as_they_are() -> None:
    # Given a classifier that cannot tell anything, from an even draw of classes one of which is nine times as frequent
    lines = [item("a", "neutral", "meld")] * 90 + [item("a", "fear", "meld")] * 10 + [item("a", "sad")] * 50
    bias = "head.classifier.bias"

    corrected = as_frequent_as_in({bias: torch.zeros(7), "other": torch.ones(2)}, lines, balance=1.0)

    odds = corrected[bias].exp()
    assert odds[EMOTIONS.index("neutral")] / odds[EMOTIONS.index("fear")] == pytest.approx(9)
    assert corrected["other"].tolist() == [1, 1]
