"""Homes for acceptance tests; the one that most tests share is analysed once."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.house import SAMPLES, House


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A running home; its path has a space and a letter that is not ASCII in it."""
    made = House(tmp_path_factory.mktemp("tenor") / "a höme")
    made.run("up")
    yield made
    made.down()


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sample archive that tests may look at but not change."""
    folder = tmp_path_factory.mktemp("archive") / "calls"
    shutil.copytree(SAMPLES, folder)
    return folder


@pytest.fixture(scope="session")
def analysed(house: House, archive: Path) -> dict[str, object]:
    """The archive analysed once by the command; what it printed with --json."""
    result: dict[str, object] = house.json("analyze", str(archive))
    return result
