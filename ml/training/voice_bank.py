"""Statistics of every labelled clip by the finished encoder, computed once: what is trained above them is cheap.

Nothing here has seen a label, and the encoder has not heard these people, so all folds share it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ml.encoders.speech import SpeechEncoder
from ml.features.speaker import STATISTICS
from ml.features.tracks import Floats
from ml.features.voice import wave_statistics
from ml.models.voice import VoiceEmotionModel
from ml.training.checkpoint import read_checkpoint, write_checkpoint
from ml.training.speech_data import Clip, Noise, vary

#: The classes that both corpora and most others have.
FOUR = ("angry", "happy", "neutral", "sad")
#: Samples of silence that make a recording another version than its speech.
_SILENCE = 3200
_TOGETHER = 32


@dataclass(frozen=True, slots=True)
class VoiceBank:
    """What N clips sound like."""

    corpora: NDArray[np.str_]
    speakers: NDArray[np.str_]
    labels: NDArray[np.int64]
    #: [N, STATISTICS] that the encoder hears in the recordings as they are published.
    recorded: Floats
    #: [N, STATISTICS] by signal processing, which speakers' vectors are made of.
    measured: Floats
    #: [R ≥ N, STATISTICS] to train on: recordings, and where they have silence around or were varied, these versions.
    versions: Floats
    #: Whose version each is [R], and how many octaves higher.
    owners: NDArray[np.int64]
    octaves: Floats

    def of(self, speaker: str) -> NDArray[np.int64]:
        """Positions of a speaker's clips."""
        return np.flatnonzero(self.speakers == speaker)


class Ears:
    """Encoder and read-out as inference has them."""

    def __init__(self, encoder: SpeechEncoder, layer_weights: Floats, head: VoiceEmotionModel) -> None:
        self._encoder, self._layer_weights, self._head = encoder, layer_weights, head

    @torch.inference_mode()
    def hear(self, waves: Sequence[Floats]) -> Floats:
        """Statistics [N, STATISTICS] of waveforms [n ≥ 400]."""
        rows = [
            self._head.heard(torch.from_numpy(frames)).numpy()
            for frames in self._encoder.encode(waves, self._layer_weights)
        ]
        return np.stack(rows)


def make_bank(ears: Ears, clips: Sequence[Clip], *, versions: dict[str, int], seed: int, path: Path) -> VoiceBank:
    """The bank of clips with so many varied versions by corpus, from `path` if it lies there.

    The same for the same seed. Stored in half precision, and used as stored, so that a run that was killed goes on to
    the same figures.
    """
    if not path.is_file():
        write_checkpoint(path, _computed(ears, clips, versions, seed), {})
    stored = {name: tensor.numpy() for name, tensor in read_checkpoint(path)[0].items()}
    full = {name: values.astype(np.float32) for name, values in stored.items() if name != "owners"}
    return VoiceBank(
        np.array([clip.corpus for clip in clips]),
        np.array([clip.speaker for clip in clips]),
        np.array([clip.label for clip in clips]),
        owners=stored["owners"],
        **full,
    )


def _computed(ears: Ears, clips: Sequence[Clip], versions: dict[str, int], seed: int) -> dict[str, torch.Tensor]:
    rng, noise = np.random.default_rng(seed), Noise()
    waves: list[Floats] = []
    owners: list[int] = []
    octaves: list[float] = []
    rows: list[Floats] = []

    def flush() -> None:
        if waves:
            rows.append(ears.hear(waves))
            waves.clear()

    for number, clip in enumerate(clips):
        own = [(clip.recorded, 0.0)]
        if len(clip.recorded) > len(clip.samples) + _SILENCE:
            own.append((clip.samples, 0.0))
        own += [vary(clip.samples, rng, noise) for _ in range(versions.get(clip.corpus, 0))]
        for samples, higher in own:
            waves.append(samples)
            owners.append(number)
            octaves.append(higher)
        if len(waves) >= _TOGETHER:
            flush()
    flush()
    heard = np.concatenate(rows)
    first = np.searchsorted(owners, np.arange(len(clips)))
    measured = [wave_statistics(clip.recorded) for clip in clips]
    silent = np.zeros(STATISTICS, dtype=np.float32)
    arrays = {
        "recorded": heard[first],
        "measured": np.stack([silent if values is None else values for values in measured]),
        "versions": heard,
        "octaves": np.array(octaves),
    }
    tensors = {name: torch.from_numpy(np.asarray(values)).half() for name, values in arrays.items()}
    return tensors | {"owners": torch.tensor(owners)}
