"""A real browser without a window, for Flower's tests and pictures."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ml.errors import TenorError

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


class BrowserMissing(TenorError):
    """There is no Chromium, or not its driver."""

    code = "browser_missing"
    hint = "Run `sh ops/setup/chromium.sh`, or install the packages chromium and chromium-driver."


@contextmanager
def browser(width: int = 1600, height: int = 1000) -> Iterator["Chrome"]:
    """Headless Chromium; raises `BrowserMissing`."""
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    chromium = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which("chromedriver")
    if chromium is None or driver is None:
        raise BrowserMissing("there is no Chromium with its driver on this machine")
    options = ChromeOptions()
    options.binary_location = chromium
    for argument in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "hide-scrollbars"):
        options.add_argument(f"--{argument}")
    options.add_argument(f"--window-size={width},{height}")
    window = Chrome(options=options, service=Service(driver, log_output=os.devnull))
    try:
        yield window
    finally:
        window.quit()


def with_login(url: str, user: str, password: str) -> str:
    """An address that carries its login, as a browser without a person needs it."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{user}:{password}@{rest}"
