"""The page of metrics over HTTP, by a process of its own, after a real analysis."""

import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from ops.local.home import free_port
from tests.acceptance.house import ROOT, House
from tests.unit.test_monitoring import metrics_asked_for


@pytest.fixture
def page(house: House, analysed: dict[str, Any]) -> Iterator[str]:
    port = free_port()
    served = subprocess.Popen(
        [sys.executable, "-m", "ops.metrics"],
        env=house.environment() | {"TENOR_METRICS_PORT": str(port)},
        cwd=ROOT,
    )
    try:
        yield house.wait(lambda: _page(port), "metrics are served", 60)
    finally:
        served.send_signal(signal.SIGTERM)
        assert served.wait(30) == 0


def test_everything_that_alerts_and_the_dashboard_read_is_served(page: str) -> None:
    served = set(re.findall(r"^# TYPE (\w+)", page, re.MULTILINE))

    assert metrics_asked_for() - served == set()


def test_the_page_says_what_the_analysis_did(page: str, house: House, analysed: dict[str, Any]) -> None:
    figures = dict(line.rsplit(" ", 1) for line in page.splitlines() if not line.startswith("#"))

    # Other tests analysed in this house, too: everything that was done counts.
    heard = house.one(
        "SELECT sum(g.seconds)::float8 FROM stages s JOIN groups g ON g.id = s.group_id WHERE s.state = 'done'"
    )
    scored = house.one(
        "SELECT sum(b.utterances) FROM stages s JOIN batches b ON b.id = s.batch_id"
        " WHERE s.stage = 'fuse' AND s.state = 'done'"
    )
    unreadable = house.one("SELECT count(*) FROM job_recordings WHERE error_code = 'audio_unreadable'")
    assert float(figures['tenor_audio_seconds_total{stage="align"}']) == pytest.approx(heard)
    assert float(figures["tenor_utterances_total"]) == scored > 0
    assert float(figures['tenor_work_seconds_total{stage="extract"}']) > 0
    assert figures['tenor_up{service="postgres"}'] == figures['tenor_up{service="redis"}'] == "1.0"
    assert any(name.startswith("tenor_model_info{") and 'profile="mini"' in name for name in figures)
    assert float(figures['tenor_failed_recordings{code="audio_unreadable"}']) == unreadable > 0


def test_the_command_prints_the_same_page(house: House, analysed: dict[str, Any]) -> None:
    printed = house.run("metrics", "--once").stdout

    assert 'tenor_up{service="postgres"} 1.0' in printed


def _page(port: int) -> str | None:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            return str(answer.read().decode())
    except OSError:
        return None
