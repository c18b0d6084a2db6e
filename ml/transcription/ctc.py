"""Recognition with any `Wav2Vec2ForCTC`: the likeliest token of every frame, repetitions and blanks left out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from transformers import Wav2Vec2CTCTokenizer

from ml.alignment.ctc.checkpoint import preprocessing
from ml.alignment.ctc.emissions import WINDOW_S, CtcEncoder
from ml.checkpoints.errors import CheckpointUnreadable
from ml.quiet import quiet
from ml.transcription.transcriber import Heard, spoken_words


class CtcTranscriber:
    """A checkpoint that writes letters. It knows one language and does not say which."""

    max_s = WINDOW_S

    def __init__(self, encoder: CtcEncoder, tokenizer: Any) -> None:
        self._encoder, self._tokenizer = encoder, tokenizer
        #: An alphabet of capitals alone carries no case, and "I AM HERE" is no shouting.
        self._capitals = not any(len(token) == 1 and token.islower() for token in tokenizer.get_vocab())
        #: Never written. Left to the tokenizer, they would take the blanks with them, and with the blanks the times.
        self._special = sorted(
            set(tokenizer.all_special_ids) - {tokenizer.pad_token_id, tokenizer.word_delimiter_token_id}
        )

    @classmethod
    def load(cls, folder: Path) -> "CtcTranscriber":
        """Load a folder in the Hub's format, in float32; raises `CheckpointUnreadable`."""
        import torch

        normalised = bool(preprocessing(folder).get("do_normalize", True))
        try:
            with quiet():
                tokenizer = Wav2Vec2CTCTokenizer.from_pretrained(folder, local_files_only=True)
            # Letters are chosen frame by frame, so that rounding would show in the text.
            return cls(CtcEncoder.load(folder, do_normalize=normalised, dtype=torch.float32), tokenizer)
        except (OSError, ValueError, KeyError, TypeError) as exc:
            raise CheckpointUnreadable(f"the checkpoint in {folder} cannot be loaded ({type(exc).__name__})") from exc

    def knows(self, language: str) -> bool:
        """Whoever names the checkpoint knows its language."""
        return True

    def detect(self, waveforms: Sequence[NDArray[np.float32]]) -> str | None:
        """It cannot tell."""
        return None

    def transcribe(self, waveforms: Sequence[NDArray[np.float32]], language: str | None) -> list[Heard]:
        """Text and words of waveforms [samples]; words begin and end with the frames of their letters (20 ms)."""
        return [self._written(scores) for scores in self._encoder.emissions(waveforms)]

    def _written(self, scores: Tensor) -> Heard:
        """`scores`: log-probabilities [frames, tokens]."""
        if not len(scores):
            return Heard()
        best, ids = scores.index_fill(1, scores.new_tensor(self._special).long(), float("-inf")).max(dim=-1)
        sure = best.exp().cpu().numpy()
        found = self._tokenizer.decode(ids.cpu().numpy(), output_word_offsets=True)
        step = self._encoder.frame_s
        words = [
            word
            for part in found["word_offsets"]
            for word in spoken_words(
                self._cased(part["word"]),
                part["start_offset"] * step,
                part["end_offset"] * step,
                float(sure[part["start_offset"] : part["end_offset"]].mean()),
            )
        ]
        return Heard(" ".join(self._cased(found["text"]).split()), tuple(words))

    def _cased(self, text: str) -> str:
        return text.lower() if self._capitals else text
