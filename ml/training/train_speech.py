"""Train the small speech model: `python -m ml.training.train_speech --ravdess … --nemo … --unlabelled … --out …`.

Without labels, from speech of other people: convolutions that find spectrum and pitch (`front_end`), then a small
layer-norm wav2vec 2.0 above them that also guesses what is hidden from it (`speech_loop`). With labels: a classifier of
how an utterance differs from its speaker's usual voice (`voice_fit`), in folds over speakers for the figures and the
temperature, and once more on all speakers for the bundle. Every step resumes where the last run of the same command
ended: what has been made lies in the folder `OUT.work`. One thread, so that the command gives the same weights again.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ml.bundles import BundleMeta, save_bundle
from ml.bundles.meta import CARD
from ml.corpora.nemo import nemo
from ml.corpora.ravdess import ravdess
from ml.emotions import EMOTIONS
from ml.encoders.speech import SpeechEncoder
from ml.features.tracks import Floats, normalise, tracks
from ml.models.voice import VoiceEmotionConfig, VoiceEmotionModel
from ml.reports.speech_card import speech_card
from ml.training.checkpoint import read_checkpoint, write_checkpoint, write_json
from ml.training.front_end import FrameBank, train_front_end
from ml.training.speech_data import Clip, load_clips, unlabelled
from ml.training.speech_loop import Plan, SpeechLoop
from ml.training.speech_model import ENCODER, TrackModel, compact_readout
from ml.training.speech_report import speaker_folds, speech_report
from ml.training.splits import Indices
from ml.training.voice_bank import Ears, VoiceBank, make_bank
from ml.training.voice_fit import KNOWN, FitPlan, fit, judged

REPORT = "report.json"
#: Varied versions of a clip, by corpus: nEMO has many clips of each speaker already.
VERSIONS = {"ravdess": 2, "nemo": 0}


def frame_bank(folders: Sequence[Path]) -> FrameBank:
    """All unlabelled speech below the folders, with its tracks."""
    heard = [samples for folder in folders for _, samples in unlabelled(folder)]
    stored = [np.clip(samples * 32767, -32768, 32767).astype(np.int16) for samples in heard]
    return FrameBank(stored, [tracks(normalise(samples)).astype(np.float16) for samples in heard])


def with_front_end(model: TrackModel, bank: FrameBank, path: Path, *, steps: int, seed: int) -> None:
    """Give the model trained convolutions, from `path` if they lie there."""
    convolutions = model.encoder.feature_extractor
    if not path.is_file():
        convolutions.requires_grad_(True)
        train_front_end(model.encoder, bank, steps=steps, seed=seed)
        write_checkpoint(path, dict(convolutions.state_dict()), {"steps": steps})
    convolutions.load_state_dict(read_checkpoint(path)[0])
    convolutions.requires_grad_(False)


def shipped(values: Tensor) -> Tensor:
    """A tensor as a bundle stores it."""
    return values.detach().half() if values.is_floating_point() else values


class Ingredients:
    """What all folds share: the finished encoder in the precision that ships, and the clips as it hears them."""

    def __init__(self, model: TrackModel, readout: nn.Linear) -> None:
        self.tensors = {f"encoder.{name}": shipped(t) for name, t in model.encoder.state_dict().items()}
        self.tensors["layer_weights"] = shipped(model.layer_weights)
        self.readout = readout
        for parameter in readout.parameters():
            parameter.data = shipped(parameter).float()

    def ears(self) -> Ears:
        """Encoder and read-out as inference has them."""
        own = {n.removeprefix("encoder."): t for n, t in self.tensors.items() if n.startswith("encoder.")}
        head = VoiceEmotionModel(VoiceEmotionConfig(self.readout.in_features))
        head.readout.load_state_dict(self.readout.state_dict())
        weights: Floats = self.tensors["layer_weights"].float().numpy()
        return Ears(SpeechEncoder.from_tensors(ENCODER, own), weights, head)


def label_free(options: argparse.Namespace, work: Path) -> Ingredients:
    """The encoder, from speech without labels."""
    torch.manual_seed(options.seed)
    bank, model = frame_bank(options.unlabelled), TrackModel()
    with_front_end(model, bank, work / "front-end.safetensors", steps=options.front_end_steps, seed=options.seed)
    plan = Plan(steps=options.encoder_steps)
    loop = SpeechLoop(model, plan, seed=options.seed, device="cpu", checkpoint=work / "encoder.safetensors")
    best = loop.run(bank)
    return Ingredients(best, compact_readout(best, bank.standard))


def out_of_fold(
    bank: VoiceBank, folds: Sequence[Indices], readout: nn.Linear, plan: FitPlan, work: Path, *, seed: int
) -> dict[str, NDArray[np.float64]]:
    """Logits [N, classes] of every clip by the model that has not heard its speaker, by what is known of that speaker.

    Folds that are made are kept.
    """
    logits = {known: np.zeros((len(bank.labels), len(EMOTIONS))) for known in KNOWN}
    for number, test in enumerate(folds):
        path = work / f"fold-{number + 1}.safetensors"
        if not path.is_file():
            rest = np.setdiff1d(np.arange(len(bank.labels)), test)
            model = fit(bank, rest, readout, plan, seed=seed + number)
            write_checkpoint(path, {known: torch.from_numpy(judged(model, bank, test, known)) for known in KNOWN}, {})
            print(f"fold {number + 1} of {len(folds)} is done", flush=True)
        for known, values in read_checkpoint(path)[0].items():
            logits[known][test] = values.numpy()
    return logits


def export(
    shared: Ingredients, bank: VoiceBank, plan: FitPlan, report: dict[str, Any], out: Path, *, seed: int
) -> None:
    """Train on all speakers and write the bundle, its card and its report."""
    model = fit(bank, np.arange(len(bank.labels)), shared.readout, plan, seed=seed)
    tensors = shared.tensors | {f"head.{name}": shipped(t) for name, t in model.state_dict().items()}
    meta = BundleMeta(
        name="mini-speech",
        kind="voice-speech",
        config={"encoder": ENCODER, "head": model.to_config(), "do_normalize": True},
        labels=EMOTIONS,
        languages=(),
        licence="CC-BY-NC-SA-4.0",
        notice="trained on RAVDESS and nEMO: non-commercial use only, share alike, with attribution",
        training_data=(
            *(f"{corpus} ({own['speakers']} speakers)" for corpus, own in report["corpora"].items()),
            "LibriSpeech, TIMIT and others (no labels: encoder only)",
        ),
        metrics={name: report[name] for name in ("corpora", "speakers", "calibration_error")},
        temperature=report["temperature"],
    )
    save_bundle(out, meta, tensors)
    write_json(out / REPORT, report)
    (out / CARD).write_text(speech_card(report), encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    """Make every step that is not made yet, then export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ravdess", type=Path, required=True)
    parser.add_argument("--nemo", type=Path, required=True)
    parser.add_argument("--unlabelled", type=Path, nargs="+", required=True, help="folders of other people's speech")
    parser.add_argument("--floor", type=Path, help="made by ml.experiments.speech_floor, for the same folds")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--front-end-steps", type=int, default=1000)
    parser.add_argument("--encoder-steps", type=int, default=Plan().steps)
    parser.add_argument("--steps", type=int, default=FitPlan().steps, help="of the classifier")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    work, plan = options.out.with_suffix(".work"), FitPlan(steps=options.steps)
    shared = label_free(options, work)
    clips: list[Clip] = load_clips([*ravdess(options.ravdess), *nemo(options.nemo)])
    bank = make_bank(shared.ears(), clips, versions=VERSIONS, seed=options.seed, path=work / "bank.safetensors")
    folds = speaker_folds(bank.corpora, bank.speakers, options.folds)
    logits = out_of_fold(bank, folds, shared.readout, plan, work, seed=options.seed)
    floor = json.loads(options.floor.read_text(encoding="utf-8")) if options.floor else None
    command = (
        f"--folds {options.folds} --front-end-steps {options.front_end_steps} "
        f"--encoder-steps {options.encoder_steps} --steps {options.steps} --seed {options.seed}"
    )
    report = speech_report(logits, bank, folds, floor) | {"plan": asdict(plan), "command": command}
    export(shared, bank, plan, report, options.out, seed=options.seed + options.folds)
    print(json.dumps({name: report[name] for name in ("corpora", "calibration_error", "temperature")}))


if __name__ == "__main__":
    main()
