"""Train the small speech model: `python -m ml.training.train_speech --ravdess … --nemo … --voices … --out …`.

A small layer-norm wav2vec 2.0 and source A's Small head, end to end: first the convolutions learn a log-mel spectrum
(`front_end`), then everything learns emotion on random crops of varied clips. An exponential moving average of the
weights is judged on the development speakers after every few epochs; the best one is kept, its temperature fitted
there, and the test speakers are looked at once.
"""

import argparse
import copy
import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ml.bundles import BundleMeta, save_bundle
from ml.corpora.nemo import nemo
from ml.corpora.ravdess import ravdess
from ml.emotions import EMOTIONS
from ml.encoders.speech import normalise
from ml.models.calibration import fit_temperature
from ml.training.front_end import log_mel, train_front_end
from ml.training.metrics import balanced_accuracy, confusion
from ml.training.refine import refine
from ml.training.speech_data import DEV_SPEAKERS, TEST_SPEAKERS, Clip, load_clips, unlabelled, vary
from ml.training.speech_model import (
    ENCODER,
    SEGMENT,
    SpeechModel,
    Voices,
    dev_score,
    judge,
    predict_logits,
    restore,
    samples_of,
    sampling_odds,
    update_average,
)


def make_batch(
    clips: Sequence[Clip], voices: Voices, frames: int, rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Waves [B, n] of varied random crops, true lengths, speaker vectors and labels."""
    total = samples_of(frames)
    waves, lengths = np.zeros((len(clips), total), dtype=np.float32), []
    for row, clip in enumerate(clips):
        # A little more than needed: a higher speed shortens it.
        spare = int(total * 1.15)
        start = int(rng.integers(max(1, len(clip.samples) - spare + 1)))
        crop = normalise(vary(clip.samples[start : start + spare], rng))[:total]
        waves[row, : len(crop)] = crop
        lengths.append(len(crop))
    speakers = np.stack([voices.drawn(clip.speaker, rng) for clip in clips])
    labels = torch.tensor([clip.label for clip in clips])
    return torch.from_numpy(waves), torch.tensor(lengths), torch.from_numpy(speakers), labels


def train(
    model: SpeechModel,
    clips: Sequence[Clip],
    dev: Sequence[Clip],
    voices: Voices,
    *,
    minutes: float,
    batch: int,
    seed: int,
) -> SpeechModel:
    """Train for a number of minutes; returns the averaged model that was best on the development speakers."""
    rng = np.random.default_rng(seed)
    groups = [
        {"params": model.encoder.feature_extractor.parameters(), "lr": 3e-4},
        {
            "params": [*model.encoder.feature_projection.parameters(), *model.encoder.encoder.parameters()],
            "lr": 6e-4,
        },
        {"params": [model.layer_weights], "lr": 1e-2},
        {"params": [*model.head.parameters(), *model.readout.parameters()], "lr": 1e-3},
    ]
    optimiser = torch.optim.AdamW(groups, weight_decay=0.03)
    peaks = [group["lr"] for group in optimiser.param_groups]
    average, best, best_score = copy.deepcopy(model), copy.deepcopy(model), 0.0
    odds = sampling_odds(clips)
    start, step, judged = time.monotonic(), 0, 0.0
    while (spent := (time.monotonic() - start) / 60) < minutes:
        progress = spent / minutes
        for group, peak in zip(optimiser.param_groups, peaks, strict=True):
            group["lr"] = peak * min(1.0, (step + 1) / 200) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress)))
        model.train()
        picked = [clips[i] for i in rng.choice(len(clips), size=batch, p=odds)]
        waves, lengths, speakers, labels = make_batch(picked, voices, SEGMENT * (1 if rng.random() < 0.75 else 2), rng)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits, real, mel = model(waves, lengths, speakers)
        targets = labels[:, None].expand(-1, logits.shape[1])
        losses = nn.functional.cross_entropy(
            logits.float().flatten(0, 1), targets.flatten(), reduction="none", label_smoothing=0.05
        )
        weight = real.flatten().float() / SEGMENT
        mel_loss = nn.functional.mse_loss(mel.float(), log_mel(waves, mel.shape[1]))
        loss = (losses * weight).sum() / weight.sum() + 0.3 * (1 - progress) * mel_loss
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 2.0)
        optimiser.step()
        update_average(average, model, min(0.998, (step + 1) / (step + 10)))
        step += 1
        if spent - judged > 2.0:
            judged = spent
            scores = judge(predict_logits(average, dev, voices), dev)
            blind = judge(predict_logits(average, dev, voices, with_voice=False), dev)
            score = dev_score(scores)
            print(
                f"{spent:5.1f} min, step {step}, loss {loss.item():.3f}, dev {scores}, without voice {blind}",
                flush=True,
            )
            if score > best_score:
                best, best_score = copy.deepcopy(average), score
    return best


def evaluate(model: SpeechModel, clips: Sequence[Clip], voices: Voices) -> dict[str, Any]:
    """Test figures: per corpus, per speaker, confusion matrices."""
    logits = predict_logits(model, clips, voices)
    labels = np.array([clip.label for clip in clips])
    result: dict[str, Any] = {"balanced_accuracy": judge(logits, clips), "speakers": {}, "confusion": {}}
    for speaker in sorted({clip.speaker for clip in clips}):
        rows = np.array([clip.speaker == speaker for clip in clips])
        result["speakers"][speaker] = {
            "utterances": int(rows.sum()),
            "accuracy": float((logits[rows].argmax(axis=1) == labels[rows]).mean()),
            "balanced_accuracy": balanced_accuracy(labels[rows], logits[rows].argmax(axis=1)),
        }
    for corpus in sorted({clip.corpus for clip in clips}):
        rows = np.array([clip.corpus == corpus for clip in clips])
        result["confusion"][corpus] = confusion(labels[rows], logits[rows].argmax(axis=1), len(EMOTIONS)).tolist()
    return result


def export(model: SpeechModel, out: Path, temperature: float, metrics: dict[str, Any]) -> None:
    """Write the bundle; weights are stored in half precision."""
    tensors = {f"encoder.{name}": t for name, t in model.encoder.state_dict().items()}
    tensors |= {f"head.{name}": t for name, t in model.head.state_dict().items()}
    tensors["layer_weights"] = model.layer_weights.detach()
    stored = {name: t.half() if t.is_floating_point() else t for name, t in tensors.items()}
    meta = BundleMeta(
        name="mini-speech",
        kind="makiuchi-speech",
        config={"encoder": ENCODER, "head": model.head.to_config(), "do_normalize": True},
        labels=EMOTIONS,
        languages=(),
        licence="CC-BY-NC-SA-4.0",
        notice="trained on RAVDESS and nEMO: non-commercial use only, share alike, with attribution",
        training_data=(
            "RAVDESS (actors 01-14)",
            "nEMO (4 of 9 speakers)",
            "LibriSpeech (front end only, no labels)",
        ),
        metrics=metrics,
        temperature=temperature,
    )
    save_bundle(out, meta, stored)


def main() -> None:
    """Train, calibrate on the development speakers, test once, export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ravdess", type=Path, required=True)
    parser.add_argument("--nemo", type=Path, required=True)
    parser.add_argument("--voices", type=Path, required=True, help="made by ml.corpora.voices")
    parser.add_argument("--librispeech", type=Path, help="more speech for the front end")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=35.0)
    parser.add_argument("--refine-minutes", type=float, default=25.0)
    parser.add_argument("--start", help="a bundle to refine instead of training from the beginning")
    parser.add_argument("--front-end-steps", type=int, default=1200)
    parser.add_argument("--batch", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    clips = load_clips([*ravdess(options.ravdess), *nemo(options.nemo)])
    voices = Voices.read(options.voices, clips)
    held = TEST_SPEAKERS | DEV_SPEAKERS
    training = [clip for clip in clips if clip.speaker not in held]
    dev = [clip for clip in clips if clip.speaker in DEV_SPEAKERS]
    test = [clip for clip in clips if clip.speaker in TEST_SPEAKERS]
    print(f"{len(training)} training, {len(dev)} development, {len(test)} test utterances", flush=True)
    model = SpeechModel()
    waveforms = [clip.samples for clip in training] + unlabelled(options.librispeech)
    chosen: dict[str, Any] = {"batch": options.batch, "seed": options.seed}
    if options.start:
        restore(model, options.start)
    else:
        model.readout = train_front_end(model.encoder, waveforms, steps=options.front_end_steps, seed=options.seed)
        model = train(model, training, dev, voices, minutes=options.minutes, **chosen)
    best = refine(model, training, dev, voices, minutes=options.refine_minutes, **chosen)
    temperature = fit_temperature(predict_logits(best, dev, voices), np.array([clip.label for clip in dev]))
    metrics = {"dev": judge(predict_logits(best, dev, voices), dev), "test": evaluate(best, test, voices)}
    export(best, options.out, temperature, metrics)
    print(json.dumps(metrics["test"]))


if __name__ == "__main__":
    main()
