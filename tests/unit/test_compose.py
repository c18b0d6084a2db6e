"""docker-compose.yml says what the code needs. Here it is read; `make test-compose` runs it."""

import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import yaml

from ops.local.programs import WORKERS
from ops.local.redis import COMMANDS
from workers.queues import QUEUES
from workers.settings import Settings

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, Any] = COMPOSE["services"]
GPU: dict[str, Any] = yaml.safe_load((ROOT / "ops" / "docker" / "compose.gpu.yml").read_text())
OURS = {name: service for name, service in SERVICES.items() if str(service["image"]).startswith("tenor:")}


def secrets_of(service: dict[str, Any]) -> set[str]:
    """The secrets that a service sees, by the names of their files."""
    return {each if isinstance(each, str) else each["source"] for each in service.get("secrets", [])}


def test_every_queue_that_has_tasks_has_a_worker() -> None:
    read = set()
    for service in SERVICES.values():
        command = service.get("command", [])
        if "-Q" in command:
            read |= set(command[command.index("-Q") + 1].split(","))
    assert read == set(QUEUES)


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_runs_as_it_does_without_containers(name: str) -> None:
    command = SERVICES[name]["command"]
    assert command[:4] == ["celery", "-A", "workers.app", "worker"] and "-E" in command
    assert command[command.index("-Q") + 1] == WORKERS[name].queue
    own = list(WORKERS[name].options)
    if name == "align":
        own[1] = "${ALIGN_PROCESSES:-2}"
    assert " ".join(own) in " ".join(command)


def test_every_variable_is_a_setting() -> None:
    known = {f"TENOR_{name.upper()}" for name in Settings.model_fields} | {"TENOR_SECRETS_DIR"}
    for service in [*SERVICES.values(), *GPU["services"].values()]:
        named = {name for name in service.get("environment", {}) if name.startswith("TENOR_")}
        assert named <= known


def test_passwords_are_files_and_nothing_else() -> None:
    assert not re.search(r"(?i)(password|secret|auth)[A-Z_]*:-?[^ \n]", TEXT.replace("REDISCLI_AUTH", ""))
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            if re.search("PASSWORD|AUTH", variable):
                assert variable.endswith("_FILE") and str(value).startswith("/run/secrets/"), (name, variable)
    assert {secret for service in SERVICES.values() for secret in secrets_of(service)} == set(COMPOSE["secrets"])


def test_only_the_migration_has_the_owners_login() -> None:
    owners = {"tenor_owner_url", "postgres_password"}
    assert {name for name, service in SERVICES.items() if owners & secrets_of(service)} == {"migrate", "postgres"}


def test_the_exporter_reads_as_an_analyst_does() -> None:
    assert "tenor_database_url" not in secrets_of(SERVICES["exporter"])


def test_nothing_listens_to_the_world() -> None:
    for service in SERVICES.values():
        assert all(str(port).startswith("127.0.0.1:") for port in service.get("ports", []))
        assert "network_mode" not in service and not service.get("privileged")


def test_who_needs_neither_postgres_nor_redis_is_not_on_their_networks() -> None:
    on = {name: set(service["networks"]) for name, service in SERVICES.items()}
    assert all(COMPOSE["networks"][name]["internal"] for name in ("database", "broker", "metrics"))
    assert on["postgres"] == {"database"} and on["redis"] == {"broker"}
    assert {name for name, networks in on.items() if not networks & {"database", "broker"}} == {"prometheus", "grafana"}
    # Who is reached from outside reaches no database by itself.
    assert not any("database" in on[name] for name, service in SERVICES.items() if service.get("ports"))


def test_monitoring_is_asked_for() -> None:
    asked = {name: service["profiles"] for name, service in SERVICES.items() if "profiles" in service}
    assert asked == {
        "cli": ["cli"],
        "exporter": ["monitoring"],
        "prometheus": ["monitoring"],
        "grafana": ["monitoring"],
    }


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_bounded_comes_back_and_says_how_it_is(name: str) -> None:
    service = SERVICES[name]
    assert service["mem_limit"] and service["logging"]["options"]["max-size"]
    assert "no-new-privileges:true" in service["security_opt"]
    if name in {"migrate", "cli"}:
        assert service["restart"] == "no"
    else:
        assert service["restart"] == "unless-stopped" and service["healthcheck"]["test"]
        # It would start a Python, and a worker that computes in its main process could not answer.
        assert "inspect" not in str(service["healthcheck"])
    image = str(service["image"])
    assert ":latest" not in image and re.search(r":v?\d+\.\d+", image), f"{image} is not pinned"


@pytest.mark.parametrize("name", OURS)
def test_our_containers_may_write_where_they_must_and_nowhere_else(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] and service["cap_drop"] == ["ALL"]
    places = {volume.split(":")[-1]: volume for volume in service["volumes"] if not volume.endswith(":ro")}
    assert set(places) == {"/artifacts", "/models", "/scratch"}
    assert any(volume.endswith(":/archives:ro") for volume in service["volumes"])
    # TERM must let stages end, and Docker must wait for longer than that.
    assert service["environment"]["REMAP_SIGTERM"] == "SIGQUIT"
    assert service["stop_grace_period"] == "2m" and float(service["environment"]["TENOR_GRACE_S"]) < 110


def test_services_wait_for_what_they_need() -> None:
    for name, service in SERVICES.items():
        needed = service.get("depends_on") or {}
        for other, condition in needed.items() if isinstance(needed, dict) else ():
            if condition["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other], f"{name} waits for the health of {other}"


def test_the_gpu_file_changes_the_gpu_worker_alone() -> None:
    assert set(GPU["services"]) == {"gpu"} < set(SERVICES)
    over = GPU["services"]["gpu"]
    targets = re.findall(r"^FROM \S+ AS (\S+)$", (ROOT / "ops/docker/Dockerfile").read_text(), re.MULTILINE)
    assert {over["build"]["target"], SERVICES["gpu"]["build"]["target"]} <= set(targets)
    (device,) = over["deploy"]["resources"]["reservations"]["devices"]
    assert device["capabilities"] == ["gpu"] and over["environment"]["TENOR_DEVICE"] == "cuda"
    # Without the file a worker takes what there is.
    assert "TENOR_DEVICE" not in SERVICES["gpu"]["environment"]


def config(folder: Path, *options: str, **variables: str) -> dict[str, Any]:
    """The services as podman-compose reads them."""
    # It asks for podman's version before it reads.
    (folder / "podman").write_text("#!/bin/sh\necho podman version 4.3.1\n")
    (folder / "podman").chmod(0o755)
    read = subprocess.run(
        [sys.executable, "-m", "podman_compose", "-f", "docker-compose.yml", *options, "config"],
        cwd=ROOT,
        env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", **variables},
        capture_output=True,
        text=True,
    )
    assert read.returncode == 0, read.stderr
    services: dict[str, Any] = yaml.safe_load(read.stdout)["services"]
    return services


@pytest.mark.parametrize(
    ("given", "link"),
    [
        ({}, "http://127.0.0.1:5555"),
        ({"FLOWER_PORT": "6666"}, "http://127.0.0.1:6666"),
        ({"FLOWER_PORT": "6666", "FLOWER_URL": "https://flower.example/"}, "https://flower.example/"),
    ],
)
def test_links_to_flower_lead_where_it_is_published(given: dict[str, str], link: str, tmp_path: Path) -> None:
    services = config(tmp_path, "--profile", "cli", **given)
    assert services["cli"]["environment"]["TENOR_FLOWER_URL"] == link
    if "FLOWER_URL" not in given:
        assert services["flower"]["ports"] == [f"{link.removeprefix('http://')}:5555"]


def test_who_reads_archives_or_objects_sees_the_credentials_of_s3_and_nobody_else() -> None:
    place = "/run/secrets/aws_credentials"
    assert all(service["environment"]["AWS_SHARED_CREDENTIALS_FILE"] == place for service in OURS.values())
    seen = {name for name, service in SERVICES.items() if "aws_credentials" in secrets_of(service)}
    assert seen == {*WORKERS, "cli"}
    assert all("outside" in SERVICES[name]["networks"] for name in seen)


def test_the_file_of_credentials_says_nothing_until_it_is_filled_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    file = tmp_path / "aws_credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    subprocess.run(["sh", str(ROOT / "ops/docker/secrets.sh"), str(tmp_path)], check=True)
    assert botocore.session.Session().full_config["profiles"] == {}

    filled = re.sub(r"(?m)^# ", "", file.read_text()).replace("…       (of a store that is not Amazon's)", "s3.test")
    file.write_text(filled)
    client = botocore.session.Session().create_client("s3")
    assert (client.meta.endpoint_url, client.meta.region_name) == ("https://s3.test", "eu-central-1")
    assert client._request_signer._credentials.access_key == "…"


def test_both_files_merge(tmp_path: Path) -> None:
    gpu = config(tmp_path, "-f", "ops/docker/compose.gpu.yml")["gpu"]
    assert gpu["image"] == "tenor:0.1.0-cuda" and gpu["build"]["target"] == "cuda"
    assert gpu["build"]["dockerfile"] == "ops/docker/Dockerfile" and gpu["command"] == SERVICES["gpu"]["command"]
    assert {"TENOR_DEVICE", "TENOR_SECRETS_DIR", "REMAP_SIGTERM"} <= set(gpu["environment"])


def test_secrets_are_made_once_and_for_their_owner(tmp_path: Path) -> None:
    def make() -> dict[str, str]:
        subprocess.run(["sh", str(ROOT / "ops/docker/secrets.sh"), str(tmp_path / "secrets")], check=True)
        return {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()}

    made = make()

    assert set(made) == set(COMPOSE["secrets"]) == {Path(each["file"]).name for each in COMPOSE["secrets"].values()}
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700
    passwords = [made["redis_password"], made["postgres_password"], made["grafana_password"]]
    assert len(set(passwords)) == 3 and all(len(password) == 32 for password in passwords)
    assert made["redis_password"] not in made["redis_users.acl"] and "user default off" in made["redis_users.acl"]
    allowed = made["redis_users.acl"].split("-@all ")[1].split()
    assert allowed == ["+client", "-@admin", *(each for each in COMMANDS.split() if not each.startswith("+client|"))]
    settings = Settings(
        database_url=made["tenor_database_url"],
        owner_url=made["tenor_owner_url"],
        analyst_url=made["tenor_analyst_url"],
        broker_url=made["tenor_broker_url"],
    )
    assert made["postgres_password"] in str(settings.owner_url) and made["redis_password"] in str(settings.broker_url)
    assert make() == made


def test_secrets_and_environments_never_reach_the_builder_or_git() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignored and not any("secrets" in line for line in ignored if line.startswith("!"))
    assert "/secrets/" in (ROOT / ".gitignore").read_text().splitlines()
