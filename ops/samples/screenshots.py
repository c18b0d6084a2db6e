"""`make screenshots`: the documentation's pictures, of Flower while the sample calls are analysed, of the demo and of a
report."""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from db.engine import make_engine, reading
from ml.profiles import load_profile
from ops import access, jobs
from ops.drawing import save_picture
from ops.flower.browser import browser, with_login
from ops.flower.words import tasks_url
from ops.follow import follow
from ops.local import down
from ops.progress import Quiet
from ops.report.making import report
from ops.samples import ARCHIVE
from ops.samples.demo import FEATURED, rows
from workers.settings import Settings

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
#: Flower's tables end at the window's edge.
WIDTH, HEIGHT = 1600, 860
#: Down to the links to parent and root.
TASK_SIZE = (1200, 1640)
#: More than a short call's report, of which only the page itself is taken.
REPORT_SIZE = (1280, 2600)
#: For what Flower shows to arrive there.
PATIENCE_S = 120.0


def screenshots(console: Console, folder: Path = PICTURES) -> list[Path]:
    """Analyse the sample archive in a home of its own and write the pictures; returns them."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="tenor-pictures-") as home:
        settings = Settings(home=Path(home))
        try:
            return _taken(settings, console, folder)
        finally:
            down(settings)


def _taken(settings: Settings, console: Console, folder: Path) -> list[Path]:
    reached = access.start(settings, lambda line: console.print(line, highlight=False))
    from workers.jobs.enqueue import JobOptions

    engine = make_engine(reached.database_url)
    flower = with_login(str(reached.flower_url), str(reached.flower_user), str(reached.flower_password))
    with browser(WIDTH, HEIGHT) as window:
        _until(lambda: _answers(window, flower), "Flower answers")
        job = jobs.enqueue(engine, ARCHIVE, load_profile("mini"), JobOptions())
        _until(lambda: _shown(window, tasks_url(flower, job=job), "of 5 recordings"), "Flower shows progress")
        pictures = [_save(window, folder / "flower-tasks.png")]
        follow(engine, job, Quiet(console))
        with reading(engine) as conn:
            fused = _fused(conn, job)
        window.set_window_size(*TASK_SIZE)
        _until(lambda: _shown(window, f"{flower}/task/{fused}", "utterances"), "Flower has the task's result")
        pictures.append(_save(window, folder / "flower-task.png"))
        window.set_window_size(*REPORT_SIZE)
        made = report(engine, settings, FEATURED, job=job, out=settings.home / "report.html")
        window.get(str(made.place and made.place.as_uri()))
        window.find_element("tag name", "main").screenshot(str(folder / "report.png"))
        pictures.append(folder / "report.png")
    where = f"profile = 'mini' and recording = '{FEATURED}'"
    bins = rows(reached.analyst_url, f"select * from emotion_timeline where {where} order by bin_start_s")
    save_picture(bins, f"{FEATURED}: who felt what, when", folder / "timeline.png")
    return [*pictures, folder / "timeline.png"]


def _fused(conn: Any, job: int) -> str:
    from sqlalchemy import text

    query = "SELECT CAST(task_id AS text) FROM stages WHERE job_id = :job AND stage = 'fuse' ORDER BY id DESC LIMIT 1"
    return str(conn.execute(text(query), {"job": job}).scalar_one())


def _answers(window: "Chrome", flower: str) -> bool:
    from selenium.common.exceptions import WebDriverException

    try:
        window.get(f"{flower}/workers")
    except WebDriverException:
        return False
    return "Online" in window.find_element("tag name", "body").text


def _shown(window: "Chrome", url: str, wanted: str) -> bool:
    """Whether a page has a text, once its table has been filled."""
    window.get(url)
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        if wanted in window.find_element("tag name", "body").text:
            return True
        time.sleep(0.1)
    return False


def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {PATIENCE_S:.0f} s")
        time.sleep(0.1)


def _save(window: "Chrome", path: Path) -> Path:
    window.save_screenshot(str(path))
    return path


def main() -> int:
    """Write the pictures and say where."""
    console = Console(stderr=True)
    for path in screenshots(console):
        console.print(f"{path} ({path.stat().st_size // 1000} kB)", highlight=False, soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
