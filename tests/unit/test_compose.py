"""docker-compose.yml says what the code needs; no Docker is at hand where tests run, so it is read."""

import re
from pathlib import Path
from typing import Any

import yaml

from workers.queues import QUEUES
from workers.settings import Settings

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]


def test_every_queue_that_has_tasks_has_a_worker() -> None:
    read = set()
    for service in SERVICES.values():
        command = service.get("command", [])
        if "-Q" in command:
            read |= set(command[command.index("-Q") + 1].split(","))
    assert read == set(QUEUES)


def test_every_variable_is_a_setting() -> None:
    known = {f"TENOR_{name.upper()}" for name in Settings.model_fields}
    for service in SERVICES.values():
        named = {name for name in service.get("environment", {}) if name.startswith("TENOR_")}
        assert named <= known


def test_no_password_has_a_default_and_nothing_listens_to_the_world() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    for variable in re.findall(r"\$\{([A-Z_]*PASSWORD)([^}]*)\}", text):
        assert variable[1].startswith(":?"), f"{variable[0]} must be required"
    for service in SERVICES.values():
        assert all(str(port).startswith("127.0.0.1:") for port in service.get("ports", []))


def test_services_wait_for_what_they_need_and_stop_in_peace() -> None:
    for name, service in SERVICES.items():
        for needed, condition in (service.get("depends_on") or {}).items():
            assert needed in SERVICES
            if condition["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[needed], f"{name} waits for the health of {needed}"
    for name in ("ingest", "align", "gpu", "maintenance"):
        # TERM must let stages end, and Docker must wait for longer than that.
        environment = SERVICES[name]["environment"]
        assert environment["REMAP_SIGTERM"] == "SIGQUIT"
        assert SERVICES[name]["stop_grace_period"] == "2m" and float(environment["TENOR_GRACE_S"]) < 110
