"""The sound of a labelled utterance, or an error that names the file."""

import numpy as np
from numpy.typing import NDArray

from ml.corpora.types import LabelledUtterance
from ml.errors import RecordingError, TenorError


class RecordingUnusable(TenorError):
    """A recording of a corpus is damaged, empty or silent."""

    code = "recording_unusable"
    hint = "Replace the file, or take it out of the corpus."


def waveform(item: LabelledUtterance) -> NDArray[np.float32]:
    """Samples [n] at 16 kHz, one channel, of what an item says is its stretch; raises `RecordingUnusable`."""
    from ml.audio.decode import channel_samples, decode  # here, so that a GPU machine with frames needs no decoder

    assert item.audio_path is not None
    stretch = () if item.start_s is None else (item.start_s, item.end_s)
    try:
        return channel_samples(decode(item.audio_path, *stretch), None)
    except RecordingError as exc:
        raise RecordingUnusable(f"{item.audio_path}: {exc}") from exc
