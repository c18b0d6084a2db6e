"""Flower as a person sees it, in a real browser, while a job runs; and what it refuses."""

import base64
import os
import re
import signal
import socket
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from selenium.webdriver.support.ui import WebDriverWait
from sqlalchemy import text

from db.engine import make_engine
from ops.flower.browser import with_login
from ops.flower.words import tasks_url
from tests.acceptance.house import SAMPLES, House
from workers.jobs.versions import add_version
from workers.queues import QUEUES

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

#: A machine that does other things as well takes minutes for the job.
pytestmark = pytest.mark.timeout(600)
ENDED_S = 400
#: As workers name themselves.
HOST = socket.gethostname()
CHAIN = ["fuse.batch", "ter.batch", "ser.batch", "extract.batch", "align.group", "ingest.archive"]


@pytest.fixture(scope="module")
def job(house: House) -> int:
    """The sample calls, just enqueued."""
    return int(house.json("enqueue", str(SAMPLES))["job_id"])


@pytest.fixture(scope="module")
def running(house: House, job: int) -> Iterator[dict[str, Any]]:
    """An alignment of several recordings that has told how far it is, held in the middle while tests look at it."""
    told = (
        "SELECT s.id, s.attempt, CAST(s.task_id AS text) AS task_id, s.owner FROM stages s"
        " WHERE s.job_id = :j AND s.stage = 'align' AND s.state = 'running' AND s.progress ~ '^[1-9]'"
    )
    (found,) = house.wait(lambda: house.rows(told, j=job), "an alignment tells how far it is", ENDED_S)
    process = int(found["owner"].split("/")[2])
    os.kill(process, signal.SIGSTOP)
    yield {**found, "process": process}
    os.kill(process, signal.SIGCONT)


@pytest.fixture(scope="module")
def ended(house: House, job: int, running: dict[str, Any]) -> int:
    """The job, done."""
    os.kill(running["process"], signal.SIGCONT)
    assert house.ended(job, ENDED_S) == "done"
    return job


def test_status_leads_to_the_running_job_in_flower_which_shows_how_far_it_is(
    house: House, job: int, running: dict[str, Any], browser: "Chrome"
) -> None:
    status = house.json("status", str(job))
    services = house.services

    browser.get(with_login(status["flower"], services.flower_user, services.flower_password))
    row = house.wait(lambda: _row(browser, "PROGRESS"), "Flower shows a task's progress", 60)

    assert re.search(rf"align\.group PROGRESS job {job}, group \d+, \d+ recordings?, [\d.]+ min", row)
    assert re.search(r"\d+ of \d+ recordings, [\d.]+ of [\d.]+ min", row), "how far it is"
    assert [one["stage"] for one in status["running"] if one["task_id"] == running["task_id"]] == ["align"]
    assert any("recordings" in (one["progress"] or "") for one in status["running"])
    assert f"/tasks?name=nothing%20OR%20kwargs:job={job}" in house.run("status", str(job)).stdout


def test_nobody_can_touch_a_running_task(house: House, job: int, running: dict[str, Any], browser: "Chrome") -> None:
    from flower.urls import handlers

    task, url = running["task_id"], str(house.services.flower_url)
    login = (house.services.flower_user, house.services.flower_password)
    patterns = [handler.regex.pattern if hasattr(handler, "regex") else handler[0] for handler in handlers]
    named = {
        "worker": f"align@{HOST}",
        "task": task,
        "apply": "align.group",
        "send-task": "align.group",
    }

    answers = {}
    for pattern in patterns:
        if not pattern.startswith("/api/"):
            continue
        kind = next((name for name in ("send-task", "apply") if name in pattern), pattern.split("/")[2])
        path = re.sub(r"\(.+\)$", urllib.parse.quote(named.get(kind, "")), pattern.rstrip("$"))
        answers[path] = _status(url + path, login, data=b"terminate=true&n=1&workername=x&signal=SIGKILL")
    browser.get(f"{with_login(url, *login)}/task/{task}")
    page = browser.find_element("tag name", "body").text
    buttons = [button.get_attribute("id") or "" for button in browser.find_elements("css selector", "button")]

    assert sum("/revoke/" in path or "/shutdown/" in path for path in answers) == 2
    assert {path: answer for path, answer in answers.items() if answer not in {403, 405}} == {}
    assert {path for path, answer in answers.items() if answer == 405} == {
        path for path in answers if re.search(r"/api/(workers|tasks|task/(types|info|result)|queues/length)", path)
    }, "what only reads takes no POST"
    assert "align.group" in page
    assert not [button for button in buttons if re.search("terminate|revoke", button)]

    now = house.rows("SELECT state, attempt, owner FROM stages WHERE id = :i", i=running["id"])
    assert now == [{"state": "running", "attempt": running["attempt"], "owner": running["owner"]}]


def test_a_task_that_somebody_tried_to_revoke_ends_as_if_nothing_had_been_asked(
    house: House, ended: int, running: dict[str, Any]
) -> None:
    (row,) = house.rows("SELECT state, attempt, summary FROM stages WHERE id = :i", i=running["id"])

    assert (row["state"], row["attempt"]) == ("done", running["attempt"])
    assert re.fullmatch(r"\d+ recordings, \d+ utterances, [\d.]+ min, [\d.]+ s", row["summary"])


def test_a_task_leads_to_its_parents_and_its_root(house: House, ended: int, address: str, browser: "Chrome") -> None:
    job = ended
    fused = house.one(
        "SELECT CAST(max(CAST(task_id AS text)) AS text) FROM stages WHERE job_id = :j AND stage = 'fuse'", j=job
    )

    browser.get(f"{address}/task/{fused}")
    first = _details(browser)
    names = [first["Name"]]
    while len(names) < len(CHAIN):
        _follow(browser, "Parent id")
        names.append(_details(browser)["Name"])
    browser.get(f"{address}/task/{fused}")
    _follow(browser, "Root id")
    root = _details(browser)

    assert names == CHAIN
    assert root["Name"] == "ingest.archive" and root["Keyword arguments"] == f"job {job}"
    assert re.fullmatch(rf"job {job}, batch \d+, \d+ recordings?, [\d.]+ min", first["Keyword arguments"])
    assert re.fullmatch(r"\d+ utterances, [\d.]+ min, [\d.]+ s, mini v1", first["Result"]), "one line, without quotes"


def test_a_task_that_scores_again_leads_to_the_task_that_began_its_batch(
    house: House, ended: int, address: str, browser: "Chrome"
) -> None:
    with make_engine(house.services.database_url).begin() as conn:
        profile, spec = conn.execute(
            text("""
                SELECT v.profile_id, v.spec FROM profile_versions v JOIN jobs j ON j.profile_version_id = v.id
                 WHERE j.id = :j
            """),
            {"j": ended},
        ).one()
        add_version(conn, profile, {**spec, "fusion": {"kind": "score", "w_speech": 0.9, "w_text": 0.1}})
    job = house.json("rescore", str(ended), "--version", "2")["job_id"]
    assert house.ended(job, ENDED_S) == "done"
    fused = house.one(
        "SELECT CAST(max(CAST(task_id AS text)) AS text) FROM stages WHERE job_id = :j AND stage = 'fuse'", j=job
    )

    browser.get(f"{address}/task/{fused}")
    batch = re.search(r"batch \d+", _details(browser)["Keyword arguments"])
    _follow(browser, "Root id")
    root = _details(browser)

    assert root["Name"] == "extract.batch"
    assert batch is not None and batch[0] in root["Keyword arguments"]


def test_a_search_for_a_job_finds_its_tasks_and_no_others(
    house: House, ended: int, address: str, browser: "Chrome"
) -> None:
    job = ended
    expected = house.one("SELECT count(*) FROM stages WHERE job_id = :j", j=job)

    browser.get(f"{address}/tasks")
    footer = f"Showing 1 to {min(expected, 15)} of {expected} tasks"
    for search, found in (("name:maintenance", "maintenance.sweep"), (f"kwargs:job={job}", footer)):
        field = browser.find_element("css selector", "#tasks-table_filter input")
        # The page remembers what was searched for last.
        field.clear()
        field.send_keys(search)
        house.wait(lambda: found in browser.find_element("tag name", "body").text, found, 30)  # noqa: B023
    names = set(_cells(browser, "#tasks-table tbody td:first-child"))

    assert names <= set(CHAIN)
    browser.get(tasks_url(address, job=job + 1000))
    house.wait(lambda: "No tasks match" in browser.find_element("tag name", "body").text, "another job has none", 30)


def test_queues_have_names_and_no_password_is_shown(house: House, address: str, browser: "Chrome") -> None:
    password = str(urllib.parse.urlsplit(house.services.broker_url).password)
    secrets = {password, house.services.flower_password}

    browser.get(f"{address}/broker")
    queues = house.wait(lambda: set(_cells(browser, "#queue-table tbody td:first-child")), "queues are listed", 30)
    pages = [browser.page_source]
    worker = f"{address}/worker/gpu@{HOST}"

    def configuration() -> str | None:
        # Flower asks the worker anew for each page, and shows none of it where no answer came in time.
        browser.get(worker)
        return browser.page_source if "visibility_timeout" in browser.page_source else None

    pages.append(house.wait(configuration, "the worker's configuration is on its page", 90))

    assert queues == set(QUEUES)
    assert not [secret for secret in secrets for page in pages if secret in page]


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/workers", "/workers?json=1", "/tasks", "/broker", "/metrics", "/worker/gpu@here", "/task/1234"),
        *("/api/workers", "/api/tasks", "/api/task/types", "/api/queues/length", "/api/task/info/1234"),
    ],
)
def test_a_visitor_without_the_login_gets_401(house: House, path: str) -> None:
    url = str(house.services.flower_url)
    house.wait(lambda: _status(f"{url}/healthcheck") == 200, "Flower answers", 60)

    assert _status(url + path) == 401
    assert _status(url + path, (house.services.flower_user, "guessed")) == 401


def test_a_visitor_without_the_login_can_neither_list_nor_revoke(house: House) -> None:
    url = str(house.services.flower_url)

    assert _status(f"{url}/tasks/datatable", data=b"draw=1&start=0&length=1") == 401
    assert _status(f"{url}/api/task/revoke/1234", data=b"terminate=true") == 401


def test_a_page_of_another_site_cannot_use_the_browsers_login(house: House) -> None:
    login = (house.services.flower_user, house.services.flower_password)
    url = f"{house.services.flower_url}/tasks/datatable"
    asked = b"draw=1&start=0&length=1&order[0][column]=0&order[0][dir]=asc&columns[0][data]=name"

    assert _status(url, login, data=asked) == 200
    assert _status(url, login, data=asked, headers={"Origin": "https://elsewhere.example"}) == 403
    assert _status(url, login, data=asked, headers={"Sec-Fetch-Site": "cross-site"}) == 403


def _request(
    url: str, login: tuple[str, str] | None, data: bytes | None, headers: dict[str, str]
) -> urllib.request.Request:
    request = urllib.request.Request(url, data=data, headers=headers)
    if login:
        request.add_header("Authorization", "Basic " + base64.b64encode(":".join(login).encode()).decode())
    return request


def _status(
    url: str,
    login: tuple[str, str] | None = None,
    *,
    data: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> int | None:
    try:
        with urllib.request.urlopen(_request(url, login, data, headers or {}), timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code
    except OSError:
        return None


def _row(browser: "Chrome", wanted: str) -> str | None:
    """The first row of the list with a text in it, after loading it anew."""
    browser.refresh()
    rows = WebDriverWait(browser, 30).until(lambda window: _cells(window, "#tasks-table tbody tr"))
    return next((row for row in rows if wanted in row), None)


def _cells(browser: "Chrome", selector: str) -> list[str]:
    """Texts as they are at one moment: tables redraw themselves."""
    script = "return [...document.querySelectorAll(arguments[0])].map(e => e.innerText.replace(/\\s+/g, ' ').trim())"
    return [str(text) for text in browser.execute_script(script, selector)]


def _details(browser: "Chrome") -> dict[str, str]:
    """A task's page as a table: what stands left, and what right."""
    names = _cells(browser, ".task-details-card .detail-row dt")
    return dict(zip(names, _cells(browser, ".task-details-card .detail-row dd"), strict=True))


def _follow(browser: "Chrome", name: str) -> None:
    """Click on the link that stands right of a name."""
    link = browser.find_element("xpath", f"//dt[.='{name}']/following-sibling::dd/a")
    browser.execute_script("arguments[0].click()", link)
