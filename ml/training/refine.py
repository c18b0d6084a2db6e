"""Second step of the small speech model: many cheap steps above fixed convolutions."""

import copy
import math
import time
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ml.encoders.speech import normalise
from ml.training.speech_data import Clip, vary
from ml.training.speech_model import (
    ENCODER,
    SEGMENT,
    SpeechModel,
    Voices,
    dev_score,
    judge,
    predict_logits,
    sampling_odds,
    update_average,
)


def refine(
    model: SpeechModel,
    clips: Sequence[Clip],
    dev: Sequence[Clip],
    voices: Voices,
    *,
    minutes: float,
    batch: int,
    seed: int,
) -> SpeechModel:
    """Train what stands above the convolutions, on their stored output for several versions of every clip.

    The convolutions cost most of a step; without them several times as many steps fit into the same minutes.
    """
    rng = np.random.default_rng(seed)
    bank = feature_bank(model, clips, rng)
    optimiser = torch.optim.AdamW(
        [
            {
                "params": [*model.encoder.feature_projection.parameters(), *model.encoder.encoder.parameters()],
                "lr": 4e-4,
            },
            {"params": [model.layer_weights], "lr": 5e-3},
            {"params": model.head.parameters(), "lr": 7e-4},
        ],
        weight_decay=0.05,
    )
    peaks = [group["lr"] for group in optimiser.param_groups]
    average, best = copy.deepcopy(model), copy.deepcopy(model)
    best_score = dev_score(judge(predict_logits(model, dev, voices), dev))
    odds = sampling_odds(clips)
    start, step, judged = time.monotonic(), 0, 0.0
    while (spent := (time.monotonic() - start) / 60) < minutes:
        for group, peak in zip(optimiser.param_groups, peaks, strict=True):
            group["lr"] = peak * min(1.0, (step + 1) / 100) * 0.5 * (1 + math.cos(math.pi * spent / minutes))
        model.train()
        picked = rng.choice(len(clips), size=batch, p=odds)
        features = torch.zeros(batch, SEGMENT, ENCODER["conv_dim"][-1])
        counts = torch.zeros(batch, dtype=torch.long)
        for row, index in enumerate(picked):
            version = bank[index][int(rng.integers(len(bank[index])))]
            first = int(rng.integers(max(1, len(version) - SEGMENT + 1)))
            piece = version[first : first + SEGMENT].float()
            hidden = int(rng.integers(0, max(1, len(piece) // 4)))
            begin = int(rng.integers(0, max(1, len(piece) - hidden)))
            piece[begin : begin + hidden] = 0
            features[row, : len(piece)], counts[row] = piece, len(piece)
        speakers = torch.from_numpy(np.stack([voices.drawn(clips[i].speaker, rng) for i in picked]))
        labels = torch.tensor([clips[i].label for i in picked])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits, _ = model.from_features(features, counts, speakers)
        loss = nn.functional.cross_entropy(logits[:, 0].float(), labels, label_smoothing=0.05)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 2.0)
        optimiser.step()
        update_average(average, model, min(0.998, (step + 1) / (step + 10)))
        step += 1
        if spent - judged > 2.0:
            judged = spent
            scores = judge(predict_logits(average, dev, voices), dev)
            print(f"refining {spent:5.1f} min, step {step}, loss {loss.item():.3f}, dev {scores}", flush=True)
            if dev_score(scores) > best_score:
                best, best_score = copy.deepcopy(average), dev_score(scores)
    return best


#: Versions of every clip whose features are stored.
VERSIONS = 6


@torch.inference_mode()
def feature_bank(model: SpeechModel, clips: Sequence[Clip], rng: np.random.Generator) -> list[list[Tensor]]:
    """Convolution features [T, conv], half precision, of every clip as it is and in varied versions."""
    model.eval()
    bank = []
    for clip in clips:
        versions = [clip.samples, *(vary(clip.samples, rng) for _ in range(VERSIONS - 1))]
        bank.append(
            [
                model.encoder.feature_extractor(torch.from_numpy(normalise(wave))[None])[0].T.half().clone()
                for wave in versions
            ]
        )
    return bank
