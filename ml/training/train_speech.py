"""Train the small speech model: `python -m ml.training.train_speech --ravdess … --nemo … --voices … --out …`.

A layer-norm wav2vec 2.0 and source A's Small classifier, made in steps of minutes on a CPU each: the convolutions learn
tracks of pitch and spectrum from all speech (`front_end`); a linear map learns what is usual for a voice
(`speaker_baseline`); the rest learns measures of the voice, then emotion from how they differ from the usual
(`speech_loop`). Development speakers give the temperature, test speakers the figures. Every step resumes where the last
run of the same command ended: what has been made lies in the folder `OUT.work`.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ml.bundles import BundleMeta, save_bundle
from ml.corpora.nemo import nemo
from ml.corpora.ravdess import ravdess
from ml.device import torch_device
from ml.emotions import EMOTIONS
from ml.training.checkpoint import read_checkpoint, write_checkpoint
from ml.training.feature_bank import feature_bank
from ml.training.front_end import train_front_end
from ml.training.speech_batches import Batches
from ml.training.speech_corpus import SpeechCorpus, gather
from ml.training.speech_data import load_clips
from ml.training.speech_judging import Shipped, evaluate, judge, shipped_tensors
from ml.training.speech_loop import Plan, SpeechLoop
from ml.training.speech_model import ENCODER, SpeechModel, folded


def with_front_end(model: SpeechModel, corpus: SpeechCorpus, path: Path, *, steps: int, seed: int, device: str) -> None:
    """Give the model trained convolutions, from `path` if they lie there."""
    convolutions = model.encoder.feature_extractor
    if not path.is_file():
        convolutions.requires_grad_(True)
        readout = train_front_end(model.encoder.to(device), corpus.frames, steps=steps, seed=seed, device=device)
        tensors = {f"convolutions.{name}": t for name, t in convolutions.state_dict().items()}
        tensors |= {f"tracks.{name}": t for name, t in readout.state_dict().items()}
        write_checkpoint(path, tensors, {"steps": steps})
    tensors, _ = read_checkpoint(path)
    for part, prefix in ((convolutions, "convolutions."), (model.tracks, "tracks.")):
        part.load_state_dict({n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)})
        part.requires_grad_(False)


def export(model: SpeechModel, corpus: SpeechCorpus, out: Path) -> dict[str, Any]:
    """Write the bundle with what it is worth; returns the figures."""
    head = folded(model, torch.from_numpy(corpus.voices.baseline)).to_config()
    tensors = shipped_tensors(model, corpus.voices.baseline)
    shipped = Shipped.of(tensors, head)
    scores = shipped.scores(corpus.development, corpus.voices)
    temperature = scores.fitted_temperature(np.array([clip.label for clip in corpus.development]))
    metrics = {
        "dev": judge(scores.probabilities(temperature), corpus.development),
        "test": evaluate(shipped.scores(corpus.test, corpus.voices), corpus.test, temperature),
    }
    meta = BundleMeta(
        name="mini-speech",
        kind="makiuchi-speech",
        config={"encoder": ENCODER, "head": head, "do_normalize": True},
        labels=EMOTIONS,
        languages=(),
        licence="CC-BY-NC-SA-4.0",
        notice="trained on RAVDESS and nEMO: non-commercial use only, share alike, with attribution",
        training_data=(
            "RAVDESS (actors 01-14)",
            "nEMO (4 of 9 speakers)",
            "LibriSpeech, TIMIT (no labels: front end and speaker baseline only)",
        ),
        metrics=metrics,
        temperature=temperature,
    )
    save_bundle(out, meta, tensors)
    return metrics


def main(arguments: Sequence[str] | None = None) -> None:
    """Make every step that is not made yet, then export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ravdess", type=Path, required=True)
    parser.add_argument("--nemo", type=Path, required=True)
    parser.add_argument("--voices", type=Path, required=True, help="made by ml.corpora.voices")
    parser.add_argument("--unlabelled", type=Path, help="a folder of more speech, the one that --voices was made with")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--front-end-steps", type=int, default=1000)
    parser.add_argument("--measure-steps", type=int, default=Plan().measure_steps)
    parser.add_argument("--emotion-steps", type=int, default=Plan().emotion_steps)
    parser.add_argument("--cycles", type=int, default=Plan().cycles)
    parser.add_argument("--versions", type=int, default=1, help="varied ones of every clip")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    device, seed, work = torch_device(), options.seed, options.out.with_suffix(".work")
    torch.manual_seed(seed)
    clips = load_clips([*ravdess(options.ravdess), *nemo(options.nemo)])
    corpus = gather(clips, options.voices, options.unlabelled, seed=seed)
    print(f"{len(corpus.training)} training, {len(corpus.development)} development, {len(corpus.test)} test utterances")
    model = SpeechModel()
    steps = options.front_end_steps
    with_front_end(model, corpus, work / "front-end.safetensors", steps=steps, seed=seed, device=device)
    bank = feature_bank(model.encoder, corpus.training, versions=options.versions, seed=seed, device=device)
    plan = Plan(options.measure_steps, options.emotion_steps, options.cycles)
    loop = SpeechLoop(model, plan, seed=seed, device=device, checkpoint=work / "model.safetensors")
    best = loop.run(Batches(corpus.training, bank, corpus.measures, corpus.voices), corpus.measures.frame)
    print(json.dumps(export(best.cpu(), corpus, options.out)))


if __name__ == "__main__":
    main()
