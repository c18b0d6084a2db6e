"""A published audio classifier (`AutoModelForAudioClassification`) over utterances of any length and number."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoFeatureExtractor, AutoModelForAudioClassification, PreTrainedModel

from ml.checkpoints.errors import CheckpointUnreadable, CheckpointUnsupported
from ml.encoders.speech import MAX_PASS_S, MIN_SAMPLES, SAMPLE_RATE
from ml.models.hub.loading import HINT, load_classifier

#: Longer utterances are judged in pieces of at most this many samples, unless the model takes less at once.
WINDOW = 30 * SAMPLE_RATE
#: Samples of a frame in spectrograms of AST models.
_AST_HOP = 160
#: Models that a mask makes blind to padding, if their first layers normalise frame by frame.
_MASKED = {"wav2vec2", "hubert", "wavlm", "unispeech-sat"}


class AudioClassifier:
    """A model and its feature extractor."""

    def __init__(self, model: PreTrainedModel, extractor: Any) -> None:
        self.model, self.extractor = model, extractor
        kind = model.config.model_type
        #: Samples that the model pads or cuts every input to; None: it takes inputs as long as they are.
        self._fixed: int | None = None
        if kind == "whisper":
            self._fixed = int(extractor.n_samples)
        elif kind == "audio-spectrogram-transformer":
            self._fixed = int(extractor.max_length) * _AST_HOP
        # Group norm in the first convolution runs over time, so there padding changes every frame.
        self._pads = (
            kind in _MASKED
            and getattr(model.config, "feat_extract_norm", None) == "layer"
            and bool(getattr(extractor, "return_attention_mask", False))
        )

    @classmethod
    def load(cls, folder: Path, *, device: str = "cpu") -> "AudioClassifier":
        """Load a folder in the Hub's format; raises errors of `ml.checkpoints.errors`."""
        model = load_classifier(AutoModelForAudioClassification, folder)
        try:
            extractor = AutoFeatureExtractor.from_pretrained(folder)
        except (OSError, ValueError) as exc:
            raise CheckpointUnreadable(f"the checkpoint in {folder} has no usable preprocessor_config.json") from exc
        if extractor.sampling_rate != SAMPLE_RATE:
            raise CheckpointUnsupported(
                f"the checkpoint in {folder} hears {extractor.sampling_rate} Hz, but audio is analysed at 16000 Hz",
                hint=HINT,
            )
        return cls(model.to(device), extractor)

    @torch.inference_mode()
    def logits(self, waveforms: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """Outputs [pieces, classes] of each waveform [samples] at 16 kHz; no piece below 25 ms.

        Pieces of one utterance are equally long. What shares a pass does not change a result (1e-4, fp32): inputs are
        padded only where the model has a mask for it or pads by itself, else only equal lengths go together.
        """
        window = self._fixed or WINDOW
        cut = [np.array_split(w, -(-len(w) // window)) if len(w) >= MIN_SAMPLES else [] for w in waveforms]
        places = [(owner, number) for owner, pieces in enumerate(cut) for number in range(len(pieces))]
        result = [np.zeros((len(pieces), self.model.config.num_labels), dtype=np.float32) for pieces in cut]
        for group in self._groups(places, cut):
            outputs = self._forward([cut[owner][number] for owner, number in group])
            for (owner, number), row in zip(group, outputs, strict=True):
                result[owner][number] = row
        return result

    def _groups(
        self, places: list[tuple[int, int]], cut: list[list[NDArray[np.float32]]]
    ) -> Iterator[list[tuple[int, int]]]:
        group: list[tuple[int, int]] = []
        length = 0
        for place in sorted(places, key=lambda at: (len(cut[at[0]][at[1]]), at)):
            own = len(cut[place[0]][place[1]])
            too_much = (len(group) + 1) * (self._fixed or own) > MAX_PASS_S * SAMPLE_RATE
            uneven = own != length and not self._pads and self._fixed is None
            if group and (too_much or uneven):
                yield group
                group = []
            group.append(place)
            length = own
        if group:
            yield group

    def _forward(self, pieces: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        padding = {} if self._fixed else {"padding": True}
        inputs = self.extractor(pieces, sampling_rate=SAMPLE_RATE, return_tensors="pt", **padding)
        device = self.model.device
        outputs: NDArray[np.float32] = (
            self.model(**{k: v.to(device) for k, v in inputs.items()}).logits.float().cpu().numpy()
        )
        return outputs
