"""Weights: pickle is refused, and what packages bring in formats of their own is what was tested."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ml import pinned
from ml.alignment import g2p, speakers, sphinx
from ml.audio import vad
from ml.bundles.errors import BundleCorrupt, BundlePickled
from ml.bundles.store import load_bundle
from ml.checkpoints import require_weights
from ml.checkpoints.errors import CheckpointPickled
from ml.encoders.loading import load_whole
from ml.encoders.source import encoder_folder
from ml.transcripts import language

SHIPPED = Path(pinned.__file__).parent / "bundles" / "shipped" / "mini-speech"


def trap(marker: Path) -> bytes:
    """A pickle that makes a folder when somebody reads it."""
    # By hand, so that nothing here has to import what nothing here may.
    return b"cos\nmkdir\n(V" + str(marker).encode() + b"\ntR."


def test_the_trap_would_spring(tmp_path: Path) -> None:
    import pickle

    pickle.loads(trap(tmp_path / "sprung"))

    assert (tmp_path / "sprung").is_dir()


def test_a_bundle_that_holds_pickle_is_refused_though_its_hash_fits(tmp_path: Path) -> None:
    # Given a bundle whose author wrote pickle where weights belong, and its hash into the description
    bundle, marker = tmp_path / "bundle", tmp_path / "sprung"
    shutil.copytree(SHIPPED, bundle)
    content = trap(marker)
    (bundle / "weights.safetensors").write_bytes(content)
    described = json.loads((bundle / "bundle.json").read_text())
    described["sha256"] = hashlib.sha256(content).hexdigest()
    (bundle / "bundle.json").write_text(json.dumps(described))

    with pytest.raises(BundleCorrupt, match="cannot be parsed"):
        load_bundle(str(bundle))

    assert not marker.exists()


@pytest.mark.parametrize("name", ["weights.pkl", "pytorch_model.bin", "optimiser.pt"])
def test_a_bundle_with_pickle_beside_its_weights_is_refused(tmp_path: Path, name: str) -> None:
    bundle, marker = tmp_path / "bundle", tmp_path / "sprung"
    shutil.copytree(SHIPPED, bundle)
    load_bundle(str(bundle))
    (bundle / name).write_bytes(trap(marker))

    with pytest.raises(BundlePickled, match=name):
        load_bundle(str(bundle))

    assert not marker.exists()


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt"])
def test_a_checkpoint_without_safetensors_is_refused_though_a_profile_names_it(tmp_path: Path, name: str) -> None:
    folder, marker = tmp_path / "checkpoint", tmp_path / "sprung"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "bert"}))
    (folder / name).write_bytes(trap(marker))

    with pytest.raises(CheckpointPickled):
        require_weights(folder)
    with pytest.raises(CheckpointPickled):
        encoder_folder(str(folder))

    assert not marker.exists()


def test_pickle_under_the_name_of_safetensors_is_not_run(tmp_path: Path) -> None:
    from transformers import AutoModel

    folder, marker = tmp_path / "checkpoint", tmp_path / "sprung"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", "num_hidden_layers": 1}))
    (folder / "model.safetensors").write_bytes(trap(marker))

    with pytest.raises(Exception, match=r"safetensors|header|cannot be loaded|invalid"):
        load_whole(AutoModel, folder)

    assert not marker.exists()


@pytest.mark.parametrize("one", pinned.ALL, ids=lambda one: one.package)
def test_what_packages_bring_is_what_was_tested(one: pinned.Pinned) -> None:
    assert all(path.is_file() for path in pinned.verify(one))


#: Package → (what opens its weights, what has to be forgotten for it to open them again).
OPENERS: dict[str, tuple[Callable[[], Any], Any]] = {
    "silero_vad": (vad.preload, vad._network),
    "resemblyzer": (speakers.voice_encoder, speakers.voice_encoder),
    "g2p_en": (g2p.preload, g2p._network),
    "py3langid": (lambda: language.reads_as("What language is this?"), language._loaded),
    "pocketsphinx": (lambda: sphinx._decoder(sphinx._BEAMS[0]), sphinx._decoder),
}


@pytest.mark.parametrize("one", pinned.ALL, ids=lambda one: one.package)
def test_other_weights_are_not_opened(one: pinned.Pinned, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given that the package's weights are not what they were
    open_weights, kept = OPENERS[one.package]
    for name in list(one.files):
        monkeypatch.setitem(one.files, name, ("0" * 64,))
    kept.cache_clear()
    try:
        with pytest.raises(pinned.WeightsChanged, match=one.package):
            open_weights()
    finally:
        kept.cache_clear()
