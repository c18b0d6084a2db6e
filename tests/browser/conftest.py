"""A running home in which Flower answers, and a browser to look with.

Left out of `make test` (`norecursedirs`): `make test-browser` sees to a Chromium first. Without one these tests fail.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from ops.flower.browser import browser as open_browser
from ops.flower.browser import with_login
from tests.acceptance.house import House

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

#: A task that is held on purpose keeps its lease; and few tasks, so that all of a job stand on one page.
SETTINGS = {"TENOR_LEASE_S": "600", "TENOR_BATCH_S": "600"}


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A running home."""
    made = House(tmp_path_factory.mktemp("tenor") / "home", SETTINGS)
    made.run("up")
    yield made
    made.down()


@pytest.fixture(scope="session")
def address(house: House) -> str:
    """Flower's address with its login."""
    services = house.services
    return with_login(str(services.flower_url), services.flower_user, services.flower_password)


@pytest.fixture(scope="session")
def browser() -> "Iterator[Chrome]":
    """A browser window."""
    with open_browser() as window:
        yield window
