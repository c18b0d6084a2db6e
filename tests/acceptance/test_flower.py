"""Flower as a person sees it, in a real browser."""

import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.house import House

selenium = pytest.importorskip("selenium")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")


@pytest.fixture
def browser() -> Iterator[Any]:
    if not CHROMIUM or not DRIVER:
        pytest.skip("no Chromium with its driver on this machine: install chromium and chromium-driver")
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    options = ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--window-size=1600,1000",
    ):
        options.add_argument(argument)
    driver = Chrome(options=options, service=Service(DRIVER, log_output=os.devnull))
    yield driver
    driver.quit()


def test_flower_asks_for_the_password(house: House) -> None:
    assert house.wait(lambda: _status(str(house.services.flower_url)), "Flower answers", 60) == 401


def test_flower_shows_readable_names_arguments_and_results(
    house: House, analysed: dict[str, Any], browser: Any
) -> None:
    services = house.services
    address = str(services.flower_url).replace("http://", f"http://{services.flower_user}:{services.flower_password}@")

    house.wait(lambda: _status(str(services.flower_url)), "Flower answers", 60)
    browser.get(f"{address}/tasks")
    house.wait(lambda: _body(browser, "fuse.batch"), "Flower lists the newest tasks", 30)
    browser.find_element("css selector", "select[name$=_length] option[value='100']").click()
    body = house.wait(lambda: _body(browser, "ingest.archive"), "Flower lists all tasks", 30)

    assert "align.group" in body and "ter.batch" in body
    assert f"job {analysed['job_id']}" in body, "arguments read as words"
    assert "utterances scored" in body, "results are one line"
    assert "gpu@" in body and "SUCCESS" in body


def _status(url: str) -> int | None:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code
    except OSError:
        return None


def _body(browser: Any, wanted: str) -> str | None:
    text: str = browser.find_element("tag name", "body").text
    return text if wanted in text else None
