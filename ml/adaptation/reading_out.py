"""A read-out for an encoder that has none: what signal processing finds in some recordings, by its frames."""

import numpy as np
import torch
from torch import nn

from ml.adaptation.errors import ModelUnsupported
from ml.adaptation.gathering import Gathered
from ml.adaptation.network import Champion
from ml.corpora.sound import waveform
from ml.features.tracks import WINDOW, normalise, tracks
from ml.features.voice import compact

#: Utterances that it is fitted on, at most.
UTTERANCES = 100
#: Penalty of the map, in frames.
_RIDGE = 10.0


@torch.inference_mode()
def fit_readout(champion: Champion, gathered: Gathered, seed: int) -> None:
    """Least squares from frames to tracks; no label is looked at. For heads of kind voice-speech."""
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.permutation(len(gathered.items))[:UTTERANCES])
    pairs = []
    for number in chosen:
        wave = waveform(gathered.items[number])
        if len(wave) < WINDOW:
            continue
        frames, wanted = champion.frames([wave])[0], compact(torch.from_numpy(tracks(normalise(wave))))
        count = min(len(frames), len(wanted))
        pairs.append((torch.from_numpy(frames[:count]), wanted[:count]))
    readout = getattr(champion.network.head, "readout", None)
    if not pairs or not isinstance(readout, nn.Linear):
        raise ModelUnsupported("a read-out can be fitted to a voice-speech model and recordings only")
    seen, wanted = (torch.cat(own).double() for own in zip(*pairs, strict=True))
    centred, middle = seen - seen.mean(dim=0), wanted.mean(dim=0)
    penalty = _RIDGE * torch.eye(centred.shape[1], dtype=torch.float64) * centred.square().mean()
    weight = torch.linalg.solve(centred.T @ centred + penalty, centred.T @ (wanted - middle)).T
    readout.weight.copy_(weight)
    readout.bias.copy_(middle - weight @ seen.mean(dim=0))
