"""Models of a few thousand random weights, as bundles and a profile in a folder."""

from pathlib import Path

import torch
from transformers import BertConfig, BertModel, BertTokenizerFast, Wav2Vec2Config, Wav2Vec2Model

from ml.bundles import BundleMeta, save_bundle
from ml.emotions import EMOTIONS
from ml.encoders.source import weights_sha256
from ml.models.makiuchi.config import CrossRepresentationConfig, SpeechEmotionConfig
from ml.models.makiuchi.cross import CrossRepresentation
from ml.models.makiuchi.speech import SpeechEmotionModel
from ml.models.makiuchi.text import TextEmotionCnn, TextEmotionConfig

SENTENCE = "i am so happy sad about the dog and you are not at all what a day it was ' s , . ? ! oh no"
SPEECH_ENCODER = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "conv_dim": [8] * 7,
    "do_stable_layer_norm": True,
    "feat_extract_norm": "layer",
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
}


def _meta(kind: str, config: dict[str, object], labels: tuple[str, ...], languages: tuple[str, ...]) -> BundleMeta:
    return BundleMeta(
        name=f"tiny-{kind}",
        kind=kind,
        config=config,
        labels=labels,
        languages=languages,
        licence="CC0-1.0",
        notice="random weights",
        training_data=(),
        temperature=0.5,
    )


def speech_bundle(folder: Path, labels: tuple[str, ...] = EMOTIONS) -> BundleMeta:
    """A random speech model."""
    torch.manual_seed(1)
    encoder = Wav2Vec2Model(Wav2Vec2Config(**SPEECH_ENCODER))
    head = SpeechEmotionModel(SpeechEmotionConfig(input_size=16, channels=12, bottleneck=4, classes=len(labels)))
    tensors = {f"encoder.{name}": t for name, t in encoder.state_dict().items()}
    tensors |= {f"head.{name}": t for name, t in head.state_dict().items()}
    tensors["layer_weights"] = torch.tensor([1.0, 2.0, 0.5])
    config = {"encoder": SPEECH_ENCODER, "do_normalize": True, "head": head.to_config()}
    return save_bundle(folder, _meta("makiuchi-speech", config, labels, ()), tensors)


def text_encoder(folder: Path) -> Path:
    """A random BERT with a tokenizer of a few words."""
    torch.manual_seed(2)
    folder.mkdir(parents=True)
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *dict.fromkeys(SENTENCE.split())]
    (folder / "vocab.txt").write_text("\n".join(vocabulary))
    BertTokenizerFast(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=128,
    )
    BertModel(config).save_pretrained(folder)
    return folder


def text_bundle(folder: Path, encoder: Path, *, variant: str = "corrected") -> BundleMeta:
    """A random text model that changes one tensor of its encoder; English only."""
    torch.manual_seed(3)
    head = TextEmotionCnn(TextEmotionConfig(input_size=16, widths=(8, 8, 8, 8), variant=variant))  # type: ignore[arg-type]
    tensors = {f"head.{name}": t for name, t in head.state_dict().items()}
    tensors["encoder.encoder.layer.1.output.dense.weight"] = torch.randn(16, 24).half()
    config = {"encoder": {"source": str(encoder), "sha256": weights_sha256(str(encoder))}, "head": head.to_config()}
    return save_bundle(folder, _meta("makiuchi-text", config, EMOTIONS, ("en",)), tensors)


def mel_bundle(folder: Path) -> BundleMeta:
    """A random speech model over mel frames."""
    torch.manual_seed(5)
    head = SpeechEmotionModel(SpeechEmotionConfig.named("mel", channels=12))
    tensors = {f"head.{name}": tensor for name, tensor in head.state_dict().items()}
    config = {"encoder": {"source": "mel"}, "head": head.to_config()}
    return save_bundle(folder, _meta("makiuchi-speech", config, EMOTIONS, ()), tensors)


FOUR = ("angry", "happy", "neutral", "sad")


def faithful_bundles(folder: Path) -> None:
    """Random models of source A's faithful profile: `speech` and `text` over encoders that they name, not hold."""
    torch.manual_seed(4)
    Wav2Vec2Model(Wav2Vec2Config(**SPEECH_ENCODER)).save_pretrained(folder / "wav2vec2")
    sizes = {"input_size": 16, "channels": 12, "classes": 4}
    speech = CrossRepresentation(CrossRepresentationConfig.named("small", faithful=True, layers=3, **sizes))
    # Random heads are so small that every class seems equally likely.
    torch.nn.init.normal_(speech.emotion.classifier[-1].weight, std=3.0)
    ears = {"source": str(folder / "wav2vec2"), "sha256": weights_sha256(str(folder / "wav2vec2"))}
    config = {"encoder": ears, "do_normalize": True, "centred": True, "head": speech.emotion.to_config()}
    save_bundle(folder / "speech", _meta("makiuchi-speech", config, FOUR, ()), speech.inference_tensors())
    bert = str(text_encoder(folder / "bert"))
    text = TextEmotionCnn(TextEmotionConfig(input_size=16, classes=4, variant="faithful"))
    torch.nn.init.normal_(text.classifier.weight, std=3.0)
    config = {"encoder": {"source": bert, "sha256": weights_sha256(bert)}, "head": text.to_config()}
    tensors = {f"head.{name}": tensor for name, tensor in text.state_dict().items()}
    save_bundle(folder / "text", _meta("makiuchi-text", config, FOUR, ("en",)), tensors)


def profile(folder: Path, *, variant: str = "corrected") -> Path:
    """A profile over both, with its bundles beside it."""
    speech_bundle(folder / "speech")
    text_bundle(folder / "text", text_encoder(folder / "bert"), variant=variant)
    path = folder / "tiny.toml"
    path.write_text('speech.bundle = "speech"\ntext.bundle = "text"\n[fusion]\nw_speech = 0.6\nw_text = 0.4\n')
    return path
