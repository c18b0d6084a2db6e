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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import Wav2Vec2Config, Wav2Vec2Model

from ml.bundles import BundleMeta, load_bundle, save_bundle
from ml.corpora.nemo import nemo
from ml.corpora.ravdess import ravdess
from ml.emotions import EMOTIONS
from ml.encoders.speech import SpeechEncoder, accumulate_layers, normalise
from ml.models.calibration import fit_temperature
from ml.models.makiuchi.speech import SpeechEmotionConfig, SpeechEmotionModel
from ml.training.front_end import log_mel, train_front_end
from ml.training.metrics import balanced_accuracy, confusion
from ml.training.speech_data import DEV_SPEAKERS, TEST_SPEAKERS, Clip, load_clips, unlabelled, vary

ENCODER: dict[str, Any] = {
    "hidden_size": 160,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 480,
    "conv_dim": [32, 64, 96, 128, 160, 192, 192],
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
    "conv_bias": True,
    "num_conv_pos_embeddings": 32,
    "num_conv_pos_embedding_groups": 8,
    "mask_time_prob": 0.0,
    "layerdrop": 0.0,
}
SEGMENT = 96
#: How often each corpus is drawn in training.
CORPUS_SHARE = {"ravdess": 0.6, "nemo": 0.4}
FOUR = ("angry", "happy", "neutral", "sad")


def samples_of(frames: int) -> int:
    """Samples that give exactly so many frames."""
    return 400 + (frames - 1) * 320


class SpeechModel(nn.Module):
    """Encoder, layer weights and head, trained together."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Wav2Vec2Model(Wav2Vec2Config(**ENCODER))
        self.layer_weights = nn.Parameter(torch.ones(ENCODER["num_hidden_layers"] + 1))
        self.head = SpeechEmotionModel(
            SpeechEmotionConfig(input_size=ENCODER["hidden_size"], channels=256, bottleneck=16)
        )
        self.readout = nn.Linear(ENCODER["conv_dim"][-1], 80)

    def forward(self, waves: Tensor, lengths: Tensor, speakers: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Segment logits [B, S, classes], their real frames [B, S] and predicted log-mel of waves [B, n]."""
        features = self.encoder.feature_extractor(waves).transpose(1, 2)
        counts = ((lengths - 400).clamp(min=0) // 320 + 1).clamp(max=features.shape[1])
        logits, real = self.from_features(features, counts, speakers)
        return logits, real, self.readout(features)

    def from_features(self, features: Tensor, counts: Tensor, speakers: Tensor) -> tuple[Tensor, Tensor]:
        """Segment logits [B, S, classes] and real frames [B, S] of features [B, T, conv], T a multiple of 96."""
        frames = features.shape[1]
        mask = torch.arange(frames)[None] < counts[:, None]
        hidden, _ = self.encoder.feature_projection(features)
        with accumulate_layers(self.encoder, self.layer_weights) as average:
            self.encoder.encoder(hidden, attention_mask=mask)
        assert average.value is not None
        averaged = average.value * mask[:, :, None]
        segments = frames // SEGMENT
        pieces = averaged.reshape(len(features) * segments, SEGMENT, -1)
        logits = self.head(pieces, speakers.repeat_interleave(segments, dim=0))
        real = mask.reshape(len(features), segments, SEGMENT).sum(dim=2)
        return logits.reshape(len(features), segments, -1), real


@dataclass
class Voices:
    """Speaker vectors: means over random subsets in training, over a speaker's first hundred clips in evaluation."""

    by_item: dict[str, NDArray[np.float32]]
    by_speaker: dict[str, NDArray[np.float32]]

    @classmethod
    def read(cls, path: Path, clips: Sequence[Clip]) -> "Voices":
        with np.load(path) as stored:
            by_item = {name: stored[name] for name in stored.files}
        speakers = sorted({clip.speaker for clip in clips})
        grouped = {
            s: np.stack([by_item[c.item_id] for c in clips if c.speaker == s and c.item_id in by_item])
            for s in speakers
        }
        return cls(by_item, grouped)

    def mean(self, speaker: str) -> NDArray[np.float32]:
        return np.asarray(self.by_speaker[speaker][:100].mean(axis=0), dtype=np.float32)

    def drawn(self, speaker: str, rng: np.random.Generator) -> NDArray[np.float32]:
        """A noisy mean of a random subset; half of the time nothing, so that the model does not lean on identity."""
        vectors = self.by_speaker[speaker]
        if rng.random() < 0.5:
            return np.zeros(vectors.shape[1], dtype=np.float32)
        count = int(np.exp(rng.uniform(0, np.log(min(100, len(vectors))))))
        mean = vectors[rng.choice(len(vectors), size=count, replace=False)].mean(axis=0)
        return np.asarray(mean + rng.normal(0, 0.02, mean.shape), dtype=np.float32)


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


def predict_logits(
    model: SpeechModel, clips: Sequence[Clip], voices: Voices, *, with_voice: bool = True
) -> NDArray[np.float64]:
    """Log-probabilities [N, classes] by the path that production takes."""
    encoder = SpeechEncoder(model.encoder)
    weights = model.layer_weights.detach().numpy()
    frames = encoder.encode([clip.samples for clip in clips], weights)
    vectors = np.stack([voices.mean(clip.speaker) for clip in clips]) * float(with_voice)
    return np.log(model.head.eval().predict(frames, vectors.astype(np.float32)) + 1e-9)


def judge(logits: NDArray[np.float64], clips: Sequence[Clip]) -> dict[str, float]:
    """Balanced accuracy per corpus, over all its classes and over four."""
    result: dict[str, float] = {}
    four = [EMOTIONS.index(name) for name in FOUR]
    for corpus in sorted({clip.corpus for clip in clips}):
        rows = np.array([clip.corpus == corpus for clip in clips])
        labels = np.array([clip.label for clip in clips])[rows]
        result[corpus] = balanced_accuracy(labels, logits[rows].argmax(axis=1))
        kept = np.isin(labels, four)
        chosen = np.array(four)[logits[rows][kept][:, four].argmax(axis=1)]
        result[f"{corpus}_4"] = balanced_accuracy(labels[kept], chosen)
    return result


def update_average(average: SpeechModel, model: SpeechModel, decay: float) -> None:
    """Move the averaged weights towards the trained ones; buffers (batch norm statistics) are copied."""
    with torch.no_grad():
        for ours, theirs in zip(average.parameters(), model.parameters(), strict=True):
            ours.lerp_(theirs, 1 - decay)
        for kept, seen in zip(average.buffers(), model.buffers(), strict=True):
            kept.copy_(seen)


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


def sampling_odds(clips: Sequence[Clip]) -> NDArray[np.float64]:
    """Probability of each clip, so that corpora and classes are drawn evenly whatever their sizes."""
    counts = {key: sum((c.corpus, c.label) == key for c in clips) for key in {(c.corpus, c.label) for c in clips}}
    odds = np.array([CORPUS_SHARE[c.corpus] / counts[c.corpus, c.label] for c in clips])
    return np.asarray(odds / odds.sum())


def dev_score(scores: dict[str, float]) -> float:
    """What a model is chosen by: both corpora, all classes and four."""
    return float(np.mean(list(scores.values())))


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


def restore(model: SpeechModel, location: str) -> None:
    """Load an earlier bundle's weights."""
    bundle = load_bundle(location)
    model.encoder.load_state_dict({n: t.float() for n, t in bundle.part("encoder").items()})
    model.head.load_state_dict({n: t.float() if t.is_floating_point() else t for n, t in bundle.part("head").items()})
    with torch.no_grad():
        model.layer_weights.copy_(bundle.tensors["layer_weights"].float())


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
