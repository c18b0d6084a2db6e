"""Small `Wav2Vec2ForCTC` checkpoints in the Hub's layout: of random weights, and one that can hear whistled letters."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import (
    Wav2Vec2Config,
    Wav2Vec2CTCTokenizer,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForCTC,
    Wav2Vec2Processor,
)

RATE = 16_000
LATIN = "abcdefghijklmnopqrstuvwxyz'"
NORMS: dict[str, dict[str, Any]] = {
    "layer": {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True},
    "group": {"feat_extract_norm": "group", "do_stable_layer_norm": False},
}
SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "conv_dim": (16,) * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
}


def save_vocabulary(folder: Path, letters: str | list[str], *, do_normalize: bool = True, mask: bool = True) -> int:
    """A processor's files; returns the number of tokens: five special ones (0 is the blank, 4 the space), letters."""
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = {token: number for number, token in enumerate(["<pad>", "<s>", "</s>", "<unk>", "|", *letters])}
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    tokenizer = Wav2Vec2CTCTokenizer(str(folder / "vocab.json"), word_delimiter_token="|")
    extractor = Wav2Vec2FeatureExtractor(do_normalize=do_normalize, return_attention_mask=mask)
    Wav2Vec2Processor(extractor, tokenizer).save_pretrained(folder)
    return len(vocabulary)


def random_model(tokens: int, *, norm: str = "layer", seed: int = 1, **changes: Any) -> Wav2Vec2ForCTC:
    """A model of a few thousand random weights."""
    torch.manual_seed(seed)
    model = Wav2Vec2ForCTC(
        Wav2Vec2Config(**{**SMALL, **NORMS[norm], "vocab_size": tokens, "pad_token_id": 0, **changes})
    )
    # The usual head is so small that every token seems equally likely.
    torch.nn.init.normal_(model.lm_head.weight, std=1.0)
    return model.eval()


def random_checkpoint(folder: Path, letters: str | list[str] = LATIN, **options: Any) -> Path:
    """A folder with a random model that writes these letters."""
    vocabulary = {name: options.pop(name) for name in ("do_normalize", "mask") if name in options}
    tokens = save_vocabulary(folder, letters, **vocabulary)
    random_model(tokens, **options).save_pretrained(folder)
    return folder


@dataclass(frozen=True)
class Whistled:
    """Samples, and the times (seconds) of each word and of each of its letters."""

    samples: NDArray[np.float32]
    words: list[tuple[float, float]]
    letters: list[list[tuple[float, float]]]


def whistle(words: list[str], alphabet: str, seed: int = 0, *, lead_s: float = 0.2) -> Whistled:
    """Every letter is a tone of 80 to 160 ms; 40 ms of silence between letters, 160 to 300 ms between words."""
    rng = np.random.default_rng(seed)
    parts = [np.zeros(round(lead_s * RATE))]
    at = lead_s
    times: list[list[tuple[float, float]]] = []
    for word in words:
        own = []
        for letter in word:
            length = int(rng.integers(1280, 2560))
            pitch = 150 * 1.17 ** alphabet.index(letter)
            parts += [0.3 * np.sin(2 * np.pi * pitch * np.arange(length) / RATE), np.zeros(640)]
            own.append((at, at + length / RATE))
            at += (length + 640) / RATE
        pause = int(rng.integers(1920, 4160))
        parts.append(np.zeros(pause))
        at += pause / RATE
        times.append(own)
    samples = np.concatenate(parts) + rng.normal(0, 0.002, sum(map(len, parts)))
    return Whistled(samples.astype(np.float32), [(own[0][0], own[-1][1]) for own in times], times)


def hearing_checkpoint(folder: Path, alphabet: str, *, norm: str = "layer") -> Path:
    """A checkpoint that writes what is whistled: a random model whose head has learned the frames of random words."""
    tokens = save_vocabulary(folder, list(alphabet))
    wide = {"hidden_size": 128, "conv_dim": (64,) * 7, "num_hidden_layers": 1}
    model = random_model(tokens, norm=norm, **wide)
    rng = np.random.default_rng(3)
    features, labels = [], []
    for item in range(30):
        words = ["".join(rng.choice(list(alphabet), rng.integers(1, 5))) for _ in range(6)]
        said = whistle(words, alphabet, seed=item)
        wave = torch.from_numpy((said.samples - said.samples.mean()) / said.samples.std())
        with torch.no_grad():
            features.append(model.wav2vec2(wave[None]).last_hidden_state[0])
        labels.append(torch.from_numpy(_frame_labels(said, words, alphabet, len(said.samples))))
    seen, wanted = torch.cat(features), torch.cat(labels)
    optimiser = torch.optim.LBFGS(model.lm_head.parameters(), max_iter=60, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        value = torch.nn.functional.cross_entropy(model.lm_head(seen), wanted)
        value = value + 1e-4 * model.lm_head.weight.square().sum()
        value.backward()
        return value

    optimiser.step(loss)
    model.save_pretrained(folder)
    return folder


def _frame_labels(said: Whistled, words: list[str], alphabet: str, samples: int) -> NDArray[np.int64]:
    """The token of each frame: letters while they sound, | in the middle of a pause, else blank."""
    centres = (np.arange((samples - 400) // 320 + 1) * 320 + 200) / RATE
    labels = np.zeros(len(centres), dtype=np.int64)
    for word, times in zip(words, said.letters, strict=True):
        for letter, (start, end) in zip(word, times, strict=True):
            labels[(centres >= start) & (centres < end)] = 5 + alphabet.index(letter)
    for (_, end), (start, _) in zip(said.words, said.words[1:], strict=False):
        labels[(centres >= end + 0.06) & (centres < start - 0.06)] = 4
    return labels
