"""Token vectors of labelled texts, made once per encoder."""

from collections.abc import Sequence

import torch

from ml.corpora.types import LabelledUtterance
from ml.experiments.dataset import labels_of
from ml.experiments.encoders import content_hash, text_encoder
from ml.experiments.speech_preparation import Counted, digest
from ml.models.makiuchi.text import TextEmotionCnn, TextEmotionConfig
from ml.training.features import TOKENS, CachePlace, FeatureMissing, TextSet

#: Texts that are encoded at once.
TEXTS_AT_ONCE = 256


def text_config(encoder: str, classes: int, *, faithful: bool, device: str) -> TextEmotionConfig:
    """The CNN over an encoder: the released code's form, or the corrected one with dropout."""
    width = text_encoder(encoder, device).hidden_size
    if faithful:
        return TextEmotionConfig(input_size=width, classes=classes, variant="faithful")
    return TextEmotionConfig(input_size=width, classes=classes, dropout=0.3)


def prepare_text(
    items: Sequence[LabelledUtterance],
    classes: Sequence[str],
    cache: CachePlace,
    *,
    encoder: str,
    config: TextEmotionConfig,
    device: str,
    counted: Counted,
) -> TextSet:
    """Make the token vectors that are missing in the cache, in half precision."""
    model = text_encoder(encoder, device)
    identity = content_hash(model.model.state_dict(), model.model.config.to_dict())
    reader = TextEmotionCnn(config)
    shelf = cache.open().shelf(f"tokens-{identity}-{reader.padded_to or 'real'}")
    texts = [reader.spoken(item.text) for item in items]
    keys = tuple(digest(text) for text in texts)
    lacking = sorted({key: i for i, key in enumerate(keys) if not shelf.has(key)}.values())
    for begin in range(0, len(lacking), TEXTS_AT_ONCE):
        group = lacking[begin : begin + TEXTS_AT_ONCE]
        vectors = model.encode([texts[i] for i in group], padded_to=reader.padded_to)
        for i, own in zip(group, vectors, strict=True):
            if not shelf.put(keys[i], {TOKENS: torch.from_numpy(own).half()}):
                raise FeatureMissing("the cache has no room left for token vectors", hint="Allow more with --cache-gb.")
        counted("texts", begin + len(group), len(lacking))
    return TextSet(labels_of(items, classes), cache, keys, shelf.name)
