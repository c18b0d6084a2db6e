"""Two small labelled corpora of generated voices: the second is higher, duller and noisier than the first."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from transformers import Wav2Vec2Config, Wav2Vec2Model

from ml.adaptation.adapt import adapt
from ml.adaptation.plan import AdaptationPlan
from ml.bundles import BundleMeta, save_bundle
from ml.corpora.manifest import Manifest, freeze, read_manifest
from ml.corpora.types import LabelledUtterance
from ml.models.makiuchi.config import SpeechEmotionConfig
from ml.models.makiuchi.speech import SpeechEmotionModel
from ml.profiles.sides import BundleSide
from tests.corpora.sound import SAMPLE_RATE, voice
from tests.unit.tiny_models import SPEECH_ENCODER

FOUR = ("angry", "happy", "neutral", "sad")


def corpus(
    folder: Path, name: str, *, speakers: int, takes: int, shifted: bool = False, labels: tuple[str, ...] = FOUR
) -> list[LabelledUtterance]:
    """Items of `speakers` people, half of them women, saying every emotion `takes` times."""
    items = []
    for person in range(speakers):
        for label in labels:
            for take in range(takes):
                speaker = f"{name}-{person}"
                samples = voice(label, speaker, seconds=0.5, take=f"{take}")
                path = folder / name / f"{person}-{label}-{take}.wav"
                path.parent.mkdir(parents=True, exist_ok=True)
                soundfile.write(path, elsewhere(samples) if shifted else samples, SAMPLE_RATE)
                items.append(
                    LabelledUtterance(
                        corpus=name,
                        item_id=path.stem,
                        speaker=speaker,
                        label=label,
                        language="en",
                        audio_path=path,
                        text="oh no what a day" if label == "sad" else "i am so happy",
                        gender="female" if person % 2 else "male",
                    )
                )
    return items


def elsewhere(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Samples of the same length through another microphone: a tone higher, treble lost, noise added."""
    higher = np.interp(np.arange(len(samples)) * 1.12 % len(samples), np.arange(len(samples)), samples)
    dull = np.convolve(higher, np.ones(6) / 6, mode="same")
    noise = np.random.default_rng(len(samples)).normal(0, 0.02, len(samples))
    return np.asarray(dull + noise, dtype=np.float32)


def manifest(folder: Path, name: str, **how: Any) -> Manifest:
    """A frozen corpus."""
    return freeze(corpus(folder, name, **how), folder / f"{name}.parquet")


def champion(folder: Path, labels: tuple[str, ...] = FOUR) -> dict[str, Any]:
    """The side of a random model with short segments, so that a step takes milliseconds."""
    torch.manual_seed(1)
    encoder = Wav2Vec2Model(Wav2Vec2Config(**SPEECH_ENCODER))
    sizes = {"channels": 16, "bottleneck": 4, "segment_frames": 24, "factor": 12, "hidden": 16}
    head = SpeechEmotionModel(SpeechEmotionConfig(input_size=16, classes=len(labels), **sizes))
    tensors = {f"encoder.{name}": t for name, t in encoder.state_dict().items()}
    tensors |= {f"head.{name}": t for name, t in head.state_dict().items()} | {"layer_weights": torch.ones(3)}
    config = {"encoder": SPEECH_ENCODER, "do_normalize": True, "head": head.to_config()}
    meta = BundleMeta("tiny", "makiuchi-speech", config, labels, (), "CC0-1.0", "random weights", ())
    save_bundle(folder / "champion", meta, tensors)
    return BundleSide(str(folder / "champion")).resolve("speech")


def no_voices(waves: list[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
    """Embeddings that a network of random weights need not wait for."""
    return [torch.nn.functional.normalize(torch.ones(256), dim=0).numpy() for _ in waves]


def waves_of(held: Manifest) -> list[NDArray[np.float32]]:
    """The audio of a corpus."""
    return [soundfile.read(item.audio_path, dtype="float32")[0] for item in held.items]


@dataclass(frozen=True, slots=True)
class World:
    """Two corpora, a model that learned the first, and the second's people whom nothing may learn from."""

    folder: Path
    source: Manifest
    target: Manifest
    tested: Manifest
    #: The target with a class more.
    wider: Manifest
    champion: dict[str, Any]

    @property
    def cache(self) -> Path:
        """Features that runs share."""
        return self.folder / "cache"


def world(folder: Path) -> World:
    """Made in `folder`; the model learns for as many steps as it takes."""
    source = manifest(folder, "here", speakers=4, takes=3)
    target = manifest(folder, "there", speakers=4, takes=3, shifted=True)
    tested = manifest(folder, "others", speakers=4, takes=2, shifted=True)
    wider = manifest(folder, "wider", speakers=2, takes=2, shifted=True, labels=(*FOUR, "fear"))
    plan = AdaptationPlan.of("finetune", head_steps=120, batch=16, head_rate=1e-2, judge_every=30)
    given: dict[str, Any] = {"champion": champion(folder), "target": source, "out": folder / "learned"}
    learned = adapt(plan, **given, embed=no_voices, device="cpu", cache=folder / "cache")
    side = BundleSide(str(learned.bundle)).resolve("speech")
    return World(folder, source, target, tested, wider, side)


def _killed(folder: Path, out: Path) -> None:
    """A run that takes its time, to be killed: `python -m tests.unit.two_domains FOLDER OUT`."""
    torch.set_num_threads(1)
    source, target = (read_manifest(folder / f"{name}.parquet") for name in ("here", "there"))
    side = BundleSide(str(folder / "learned" / "bundle")).resolve("speech")
    plan = AdaptationPlan.of("mmd", "multitask", head_steps=24, encoder_steps=12, batch=8, judge_every=10, save_every=3)
    given: dict[str, Any] = {"champion": side, "target": None, "source": [source], "unlabelled": target.items}
    slow = {"report": lambda _: time.sleep(0.1), "embed": no_voices, "device": "cpu"}
    adapt(plan, **given, **slow, out=out, cache=folder / "cache")


if __name__ == "__main__":
    _killed(Path(sys.argv[1]), Path(sys.argv[2]))
