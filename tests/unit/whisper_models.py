"""Small Whisper checkpoints of random weights in the Hub's layout, with a byte-level tokenizer of their own."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    GenerationConfig,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperTokenizer,
)

#: Seconds that the encoder hears at once, instead of Whisper's thirty.
WINDOW_S = 4
#: Words that are one token; everything else is spelt in bytes. "Ġ" is how byte-level tokenizers write a blank.
MERGED = ("Ġyes", "Ġno", "Ġoh")
LANGUAGES = ("en", "ko", "pl", "zh")


def save_tokenizer(folder: Path, languages: tuple[str, ...]) -> WhisperTokenizer:
    """Bytes, a few merged words and Whisper's special tokens."""
    vocabulary = {letter: number for number, letter in enumerate(sorted(ByteLevel.alphabet()))}
    merges: list[tuple[str, str]] = []
    for word in MERGED:
        for end in range(1, len(word)):
            pair = (word[:end], word[end])
            if pair not in merges:
                merges.append(pair)
                vocabulary.setdefault("".join(pair), len(vocabulary))
    vocabulary["<|endoftext|>"] = len(vocabulary)
    tokenizer = WhisperTokenizer(vocab=vocabulary, merges=merges)
    named = ["<|startoftranscript|>", *(f"<|{code}|>" for code in languages), "<|translate|>", "<|transcribe|>"]
    tokenizer.add_tokens([*named, "<|nospeech|>", "<|notimestamps|>"], special_tokens=True)
    tokenizer.save_pretrained(folder)
    return tokenizer


def whisper_checkpoint(
    folder: Path,
    *,
    languages: tuple[str, ...] = LANGUAGES,
    heads: bool = True,
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
) -> Path:
    """A folder with a random model; what it writes is noise, but other noise for other sound."""
    tokenizer = save_tokenizer(folder, languages)
    WhisperFeatureExtractor(feature_size=16, chunk_length=WINDOW_S).save_pretrained(folder)
    ids = tokenizer.convert_tokens_to_ids
    end, start = ids("<|endoftext|>"), ids("<|startoftranscript|>")
    # Only letters, blanks and words, so that what is written can be read.
    spoken = {end, *ids([*"abcdefghijklmnopqrstuvwxyz", "Ġ", *MERGED])}
    torch.manual_seed(seed)
    model = WhisperForConditionalGeneration(
        WhisperConfig(
            vocab_size=len(tokenizer), num_mel_bins=16, d_model=32, encoder_layers=2, decoder_layers=2,
            encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32,
            max_source_positions=WINDOW_S * 50, max_target_positions=24, pad_token_id=end, bos_token_id=end,
            eos_token_id=end, decoder_start_token_id=start, suppress_tokens=None, begin_suppress_tokens=None,
        )
    )  # fmt: skip
    with torch.no_grad():
        for name, weight in model.named_parameters():
            # The usual beginnings are so small that every sound is heard alike.
            if "encoder_attn" in name:
                weight.mul_(20.0)
            elif "encoder.layers" in name or "conv" in name:
                weight.mul_(5.0)
    model.generation_config = GenerationConfig(
        pad_token_id=end, bos_token_id=end, eos_token_id=end, decoder_start_token_id=start, max_length=24,
        is_multilingual=bool(languages), no_timestamps_token_id=ids("<|notimestamps|>"),
        suppress_tokens=[n for n in range(len(tokenizer)) if n not in spoken], begin_suppress_tokens=[end],
        **({"lang_to_id": {f"<|{code}|>": ids(f"<|{code}|>") for code in languages}} if languages else {}),
        **({"task_to_id": {task: ids(f"<|{task}|>") for task in ("translate", "transcribe")}} if languages else {}),
        **({"alignment_heads": [[1, 0], [1, 1]]} if heads else {}),
        **(settings or {}),
    )  # fmt: skip
    model.save_pretrained(folder)
    return folder
