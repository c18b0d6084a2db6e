"""One call in one archive, planted by hand."""

from dataclasses import dataclass
from typing import Any

import pytest

from tests.integration.planting import Plant, distribution

ANGRY, HAPPY, SAD = distribution(angry=1.0), distribution(happy=1.0), distribution(sad=1.0)


@dataclass
class Call:
    """One call in one archive, aligned, and a job with a batch to score it in."""

    archive: int
    recording: int
    file: int
    alignment: int
    profile: int
    version: int
    job: int
    batch: int


@pytest.fixture
def call(plant: Plant) -> Call:
    """Anna speaks 2 s and 6 s, Ben speaks 4 s in between."""
    profile = plant.profile()
    version = plant.version(profile, 1, champion=True)
    archive = plant.archive()
    recording = plant.recording(60.0)
    file = plant.file(archive, "a/one.wav", recording, metadata='{"agent": "7"}')
    spoken = [("Anna", 0.0, 2.0, "hello"), ("Ben", 3.0, 7.0, "what is it"), ("Anna", 8.0, 14.0, "you know that")]
    alignment = plant.alignment(recording, file, spoken)
    job = plant.job(archive, version)
    return Call(archive, recording, file, alignment, profile, version, job, plant.batch(job, version))


def versions(plant: Plant) -> list[tuple[Any, ...]]:
    """(recording, profile, version, utterance, label) as the public view has them."""
    return [
        tuple(row.values())
        for row in plant.rows(
            "SELECT recording, profile, version, utterance_no, label FROM utterance_emotions"
            " ORDER BY recording, profile, utterance_no"
        )
    ]
