"""Small checkpoints of random weights in the Hub's layout: text encoders of several families, and classifiers."""

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    ASTConfig,
    ASTFeatureExtractor,
    ASTForAudioClassification,
    AutoConfig,
    AutoModel,
    AutoModelForSequenceClassification,
    HubertConfig,
    HubertForSequenceClassification,
    PreTrainedTokenizerFast,
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForSequenceClassification,
    WavLMConfig,
    WavLMForSequenceClassification,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForAudioClassification,
)

_SENTENCE = "i am so happy sad about the dog and you are not at all what a day it was oh no"
WORDS = tuple(_SENTENCE.split())
#: First and last special token of a text, and what pads; XLNet has both at the end, and pads in front.
FAMILIES = {
    "bert": ("[CLS]", "[SEP]", "[PAD]"),
    "distilbert": ("[CLS]", "[SEP]", "[PAD]"),
    "electra": ("[CLS]", "[SEP]", "[PAD]"),
    "roberta": ("<s>", "</s>", "<pad>"),
    "xlnet": ("<cls>", "<sep>", "<pad>"),
}
_SIZES: dict[str, dict[str, Any]] = {
    "distilbert": {"dim": 16, "hidden_dim": 24, "n_layers": 2, "n_heads": 2},
    "xlnet": {"d_model": 16, "d_inner": 24, "n_layer": 2, "n_head": 2},
}
_USUAL = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
EMOTION_NAMES = ("joy", "anger", "calm", "neutral", "boredom")


def tokenizer(family: str) -> PreTrainedTokenizerFast:
    """One token per word, with the special tokens where the family has them."""
    first, last, pad = FAMILIES[family]
    vocabulary = {token: number for number, token in enumerate([pad, "[UNK]", first, last, *WORDS])}
    inner = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    order = f"$A {last} {first}" if family == "xlnet" else f"{first} $A {last}"
    inner.post_processor = processors.TemplateProcessing(
        single=order, special_tokens=[(token, vocabulary[token]) for token in (first, last)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, cls_token=first, sep_token=last, pad_token=pad, unk_token="[UNK]",
        padding_side="left" if family == "xlnet" else "right", model_max_length=126,
        model_input_names=["input_ids", "attention_mask"],
    )  # fmt: skip


def _configuration(family: str, **more: Any) -> Any:
    vocabulary = len(WORDS) + 4
    positions = {} if family == "xlnet" else {"max_position_embeddings": 130, "pad_token_id": 0}
    sizes = {**_SIZES.get(family, _USUAL), "vocab_size": vocabulary, **positions, **more}
    return AutoConfig.for_model(family, **sizes)


def text_encoder(folder: Path, family: str) -> Path:
    """An encoder without a head."""
    torch.manual_seed(7)
    tokenizer(family).save_pretrained(folder)
    AutoModel.from_config(_configuration(family)).save_pretrained(folder)
    return folder


def _labels(names: tuple[str, ...]) -> dict[str, Any]:
    return {"id2label": dict(enumerate(names)), "label2id": {name: number for number, name in enumerate(names)}}


def _loud(model: torch.nn.Module) -> torch.nn.Module:
    """Random heads are so small that every class seems equally likely."""
    for name, parameter in model.named_parameters():
        if "classifier" in name or "projector" in name or "proj_out" in name:
            torch.nn.init.normal_(parameter, std=1.0)
    return model


def text_classifier(folder: Path, family: str = "bert", names: tuple[str, ...] = EMOTION_NAMES, **more: Any) -> Path:
    """A text classifier with these labels."""
    torch.manual_seed(8)
    tokenizer(family).save_pretrained(folder)
    model = AutoModelForSequenceClassification.from_config(_configuration(family, **_labels(names), **more))
    _loud(model).save_pretrained(folder)
    return folder


_SPEECH = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24, "conv_dim": (8,) * 7,
    "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2, "classifier_proj_size": 12,
}  # fmt: skip
_NORMS = {
    "layer": {"feat_extract_norm": "layer", "do_stable_layer_norm": True},
    "group": {"feat_extract_norm": "group", "do_stable_layer_norm": False},
}
_WAVE_MODELS = {
    "wav2vec2": (Wav2Vec2Config, Wav2Vec2ForSequenceClassification),
    "hubert": (HubertConfig, HubertForSequenceClassification),
    "wavlm": (WavLMConfig, WavLMForSequenceClassification),
}


def audio_classifier(
    folder: Path, kind: str = "wav2vec2", norm: str = "layer", names: tuple[str, ...] = EMOTION_NAMES, **more: Any
) -> Path:
    """An audio classifier: wav2vec2, hubert, wavlm (of a norm), whisper or ast."""
    torch.manual_seed(9)
    labels = _labels(names)
    if kind == "whisper":
        extractor: Any = WhisperFeatureExtractor(feature_size=16, chunk_length=2)
        model: Any = WhisperForAudioClassification(
            WhisperConfig(
                num_mel_bins=16, d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
                decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16, max_source_positions=100,
                vocab_size=60, pad_token_id=0, bos_token_id=0, eos_token_id=0, decoder_start_token_id=0,
                classifier_proj_size=12, **labels, **more,
            )
        )  # fmt: skip
    elif kind == "ast":
        extractor = ASTFeatureExtractor(max_length=100, num_mel_bins=32)
        model = ASTForAudioClassification(
            ASTConfig(
                hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, max_length=100,
                num_mel_bins=32, **labels, **more,
            )
        )  # fmt: skip
    else:
        configuration, architecture = _WAVE_MODELS[kind]
        extractor = Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=norm == "layer")
        model = architecture(configuration(**_SPEECH, **_NORMS[norm], **labels, **more))
    extractor.save_pretrained(folder)
    _loud(model).save_pretrained(folder)
    return folder


def profile(folder: Path, *, speech: str = "", text: str = "") -> Path:
    """A profile over two classifiers beside it; `speech` and `text` are further lines of their tables."""
    audio_classifier(folder / "ears")
    text_classifier(folder / "words")
    path = folder / "mine.toml"
    labels = 'labels = { joy = "happy", anger = "angry", calm = "neutral", neutral = "neutral", boredom = "" }'
    path.write_text(
        f'labels = ["angry", "happy", "neutral"]\n'
        f'[speech]\ncheckpoint = "ears"\n{labels}\n{speech}\n'
        f'[text]\ncheckpoint = "words"\nlanguages = ["en"]\n{labels}\n{text}\n'
        f"[fusion]\nw_speech = 0.6\nw_text = 0.4\n"
    )
    return path
