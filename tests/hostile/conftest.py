"""The corpus, written once."""

from pathlib import Path

import pytest

from tests.hostile.corpus import write_corpus

Outcomes = dict[str, tuple[str, ...]]


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcomes]:
    """The folder, and what has to become of each file in it."""
    folder = tmp_path_factory.mktemp("hostile") / "corpus"
    return folder, write_corpus(folder)
