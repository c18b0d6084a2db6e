"""A report opened from disk as a person opens it."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.report_pages import content, said, short_call, shown

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

#: Of an element: whether all of its height can be seen.
SEEN = "const r = arguments[0].getBoundingClientRect(); return r.top >= 0 && r.bottom <= innerHeight"


@pytest.fixture
def opened(browser: "Chrome", tmp_path: Path) -> Callable[[str], "Chrome"]:
    """Writes a page, opens it, and has the window."""

    def open_it(html: str) -> "Chrome":
        place = tmp_path / "a report.html"
        place.write_text(html, encoding="utf-8")
        browser.get_log("browser")
        browser.get(place.as_uri())
        return browser

    return open_it


def at(window: "Chrome", selector: str) -> Any:
    return window.find_element("css selector", selector)


def test_a_click_on_an_utterance_leads_to_its_row(opened: Callable[[str], "Chrome"]) -> None:
    window = opened(shown(short_call()))

    at(window, "#b1 rect.hit").click()
    row = at(window, "tr:target")
    there = window.current_url
    at(window, "tr:target td.time a").click()

    assert (there.rpartition("#")[2], row.get_attribute("id")) == ("u1", "u1")
    assert window.execute_script("return document.querySelector(':target').id") == "b1"
    assert window.get_log("browser") == []


def test_a_transcript_cannot_run_and_the_style_applies(opened: Callable[[str], "Chrome"]) -> None:
    window = opened(shown(short_call()))

    assert window.execute_script("return window.hacked === undefined && document.scripts.length === 0")
    assert "window.hacked = 1" in at(window, "main").text
    assert at(window, ".picture").value_of_css_property("border-radius") == "10px"
    assert window.get_log("browser") == [], "nothing was refused, since nothing was tried"


def test_probabilities_by_voice_and_by_words_can_be_chosen(opened: Callable[[str], "Chrome"]) -> None:
    both = {"fused": {"angry": 1.0}, "speech": {"sad": 1.0}, "text": {"fear": 1.0}}
    window = opened(shown(content(said(0, "A", 0, 2, "no", sides=both), duration_s=3)))

    def drawn() -> list[str]:
        groups = window.find_elements("css selector", ".picture g")
        return [str(one.get_attribute("class")) for one in groups if one.is_displayed()]

    seen = [drawn()]
    for side in ("speech", "text", "fused"):
        at(window, f"#side-{side}").click()
        seen.append(drawn())

    assert seen == [["fused"], ["speech"], ["text"], ["fused"]]


def test_three_hours_open_and_a_part_is_one_click_away(opened: Callable[[str], "Chrome"]) -> None:
    many = [said(n, f"speaker {n % 2}", 3.6 * n, 3.6 * n + 3, "so it is") for n in range(3000)]
    window = opened(shown(content(*many, duration_s=10_800)))

    at(window, 'a[href="#at30"] rect').click()

    assert window.current_url.endswith("#at30")
    assert window.execute_script(SEEN, at(window, "#at30 h3"))
    assert window.get_log("browser") == []
