"""A promoted model on a machine that shares no folder with the one that trained it."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import s3fs

from ml.bundles import BundleCorrupt, BundleMissing
from ml.inference.engine import Engine, UtteranceAudio
from ml.profiles.profile import SPEC_VERSION
from tests.s3 import Server, serving
from tests.unit.two_domains import FOUR, champion
from workers.retraining.promote import publish
from workers.settings import Settings

BUCKET = "objects"


@pytest.fixture(scope="module")
def s3() -> Iterator[Server]:
    with serving() as server:
        server.put(BUCKET, {})
        yield server


@pytest.fixture
def spec(tmp_path: Path) -> dict[str, Any]:
    """What a run that passed the gate leaves below TENOR_MODELS_DIR."""
    trained = tmp_path / "home" / "models" / "runs" / "7"
    trained.mkdir(parents=True)
    fusion = {"kind": "score", "w_speech": 1.0, "w_text": 0.0}
    return {"labels": list(FOUR), "speech": champion(trained), "fusion": fusion, "spec_version": SPEC_VERSION}


def frames(spec: dict[str, Any]) -> np.ndarray[Any, Any]:
    sound = np.random.default_rng(1).normal(0, 0.1, 16_000).astype(np.float32)
    return Engine.load(spec).extract([UtteranceAudio(sound)]).frames[0]


def test_a_promoted_model_is_loaded_from_the_store_and_only_as_it_was_promoted(
    spec: dict[str, Any], s3: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    here = frames(spec)

    published = publish(spec, Settings(home=tmp_path / "home", artifacts_url=f"s3://{BUCKET}/tenor"), 7)
    shutil.rmtree(tmp_path / "home")

    assert np.array_equal(frames(published), here)
    (weights,) = [key for key in s3.keys(BUCKET) if key.endswith(".safetensors")]
    content = s3.client().get_object(Bucket=BUCKET, Key=weights)["Body"].read()
    s3.put(BUCKET, {weights: content[:-1] + bytes([content[-1] ^ 1])})
    # As another process would, which has not met the object before.
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(BundleCorrupt, match=r"not those that its bundle\.json names"):
        frames(published)


def test_a_folder_that_machines_share_takes_promoted_models_too_unless_they_lie_in_it(
    spec: dict[str, Any], tmp_path: Path
) -> None:
    home, shared = tmp_path / "home", tmp_path / "shared"
    here = frames(spec)

    published = publish(spec, Settings(home=home, artifacts_url=f"file://{shared}"), 7)
    inside = Settings(home=home, artifacts_url=f"file://{tmp_path}")
    assert publish(spec, inside, 7) == spec == publish(spec, Settings(home=home), 7)
    with pytest.raises(BundleMissing, match="elsewhere"):
        frames({**spec, "speech": {**spec["speech"], "location": "/elsewhere/models/runs/7"}})

    shutil.rmtree(home)
    assert np.array_equal(frames(published), here)
