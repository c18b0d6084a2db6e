"""An archive that is analysed and waits for labels."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from db.engine import make_engine
from ml.emotions import EMOTIONS
from tests.corpora.sound import write_voice
from tests.integration.planting import Plant, distribution


@dataclass
class Archive:
    """Two analysed calls: in `may/1.wav` Anna and Ben speak, in `june/1.wav` Anna alone."""

    folder: Path
    job: int
    sha256: dict[str, str]


def plant_calls(url: str, folder: Path) -> Archive:
    """Write the calls below `folder`, and what their analysis would have stored."""
    hashes: dict[str, str] = {}
    with make_engine(url).begin() as conn:
        plant = Plant(conn)
        version = plant.version(plant.profile(), 1, champion=True)
        number = plant.archive(str(folder))
        job = plant.job(number, version, state="done")
        batch = plant.batch(job, version)
        for path, spoken, fused in (
            (
                "may/1.wav",
                [("Anna", 0.0, 1.0, "no"), ("Ben", 1.0, 2.0, "why"), ("Anna", 2.0, 3.0, "so")],
                [distribution(angry=0.9, sad=0.1), distribution(angry=0.4, sad=0.6), distribution(neutral=1.0)],
            ),
            ("june/1.wav", [("Anna", 0.5, 3.0, "oh")], [distribution(**dict.fromkeys(EMOTIONS, 1 / 7))]),
        ):
            audio = write_voice(folder / path, "angry", path, seconds=3.0)
            hashes[path] = hashlib.sha256(audio.read_bytes()).hexdigest()
            status = audio.stat()
            recording = plant.row(
                "recordings", sha256=hashes[path], size_bytes=status.st_size, duration_s=3.0, channels=1
            )
            file = plant.row(
                "archive_files", archive_id=number, path=path, recording_id=recording,
                size_bytes=status.st_size, mtime_ns=status.st_mtime_ns,
            )  # fmt: skip
            alignment = plant.alignment(recording, file, spoken)
            plant.score(alignment, version, batch, fused)
            plant.link(job, file, "done", recording_id=recording, alignment_id=alignment, profile_version_id=version)
    return Archive(folder, job, hashes)
