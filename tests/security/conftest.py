"""A running home that logs all it can, and the databases of the integration tests."""

from collections.abc import Iterator

import pytest

from tests.acceptance.house import House
from tests.integration.conftest import (  # noqa: F401 - fixtures
    admin_url,
    calls,
    database,
    database_url,
    server,
    template,
    walker,
)


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A home with its services and workers."""
    made = House(tmp_path_factory.mktemp("tenor") / "home", {"TENOR_LOG_FORMAT": "json", "TENOR_LOG_LEVEL": "DEBUG"})
    made.run("up")
    yield made
    made.down()
