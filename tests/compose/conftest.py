"""One installation for all tests of the folder; where it cannot be had they fail, never skip."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile

from tests.compose.engine import Engine, MachineUnfit
from tests.compose.stack import ROOT, Stack, installed

SAMPLES = ROOT / "ops" / "samples" / "archive"
#: Sound that Tenor cannot read, on purpose.
CORRUPT = "voicemail.ogg"


@pytest.fixture(scope="session")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of archives: `calls` is the samples; `more` and `others` hold them several times, each time quieter."""
    folder = tmp_path_factory.mktemp("archives")
    # Containers have a user of their own, who reads what everybody may read.
    folder.chmod(0o755)
    for name, loudness in (("calls", [1.0]), ("more", [0.9, 0.8, 0.7]), ("others", [0.6, 0.5, 0.4])):
        (folder / name).mkdir()
        for factor in loudness:
            _copy(folder / name, factor)
    return folder


def _copy(folder: Path, loudness: float) -> None:
    for source in sorted(SAMPLES.glob("*.ogg")):
        if source.name == CORRUPT:
            continue
        samples, rate = soundfile.read(source, dtype="float32")
        name = f"{source.stem}-{loudness:.0%}".removesuffix("%")
        soundfile.write(folder / f"{name}.flac", samples * loudness, rate)
        if (transcript := source.with_suffix(".txt")).exists():
            (folder / f"{name}.txt").write_bytes(transcript.read_bytes())


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, archives: Path) -> Iterator[Stack]:
    """Images built, nothing started."""
    try:
        engine = Engine.prepared()
    except MachineUnfit as exc:
        pytest.exit(str(exc), returncode=1)
    with installed(engine, tmp_path_factory.mktemp("checkout"), archives) as stack:
        yield stack
