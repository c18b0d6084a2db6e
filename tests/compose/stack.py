"""docker-compose.yml, run as it is by podman-compose from a fresh copy of the checkout."""

import ast
import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ops.local.home import free_port
from tests.compose.engine import BASE, Engine, run, say
from tests.waiting import until

ROOT = Path(__file__).parents[2]
STAND_INS = ROOT / "tests" / "compose" / "stand_ins"
IMAGES = {
    "POSTGRES_IMAGE": "localhost/tenor-test-postgres:latest",
    "REDIS_IMAGE": "localhost/tenor-test-redis:latest",
    "PROMETHEUS_IMAGE": "localhost/tenor-test-prometheus:latest",
}
#: Services that run for as long as nobody stops them, without those of the profile `monitoring`.
LASTING = ("postgres", "redis", "ingest", "align", "gpu", "retrain", "maintenance", "beat", "flower")


@dataclass
class Stack:
    """One installation: a copy of the checkout, its secrets, its containers."""

    engine: Engine
    folder: Path
    archives: Path
    name: str = field(default_factory=lambda: f"tenor-test-{secrets.token_hex(3)}")
    flower_port: int = field(default_factory=free_port)
    prometheus_port: int = field(default_factory=free_port)

    @property
    def environment(self) -> dict[str, str]:
        """What an installation would write into `.env`."""
        return self.engine.environment | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "ARCHIVES": str(self.archives),
            "FLOWER_PORT": str(self.flower_port),
            "PROMETHEUS_PORT": str(self.prometheus_port),
            "PYTHON_IMAGE": BASE,
            **IMAGES,
        }

    def compose(
        self, *arguments: str, options: Sequence[str] = (), check: bool = True, timeout_s: float = 600, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Call podman-compose in the copy."""
        files = ["-f", "docker-compose.yml", "-f", "tests/compose/settings.yml"]
        command = [sys.executable, "-m", "podman_compose", "-p", self.name, *files, *options, *arguments]
        return run(command, self.environment | variables, check=check, timeout_s=timeout_s, cwd=self.folder)

    def build(self) -> None:
        """Make the secrets and the images."""
        run(["sh", "ops/docker/secrets.sh"], self.environment, cwd=self.folder)
        for variable, image in IMAGES.items():
            self.engine.build(image, STAND_INS, variable.removesuffix("_IMAGE").lower())
        say("building Tenor's image; pip installs 2 GB when pyproject.toml is new")
        settings, mounts = pip_settings(self.folder)
        given = ["--format", "docker", "--layers", "--volume", f"{settings}:/etc/pip.conf:ro"]
        given += [part for place in mounts for part in ("--volume", f"{place}:{place}:ro")]
        # Where pip was told where to look, it looks nowhere else.
        torch = {"TORCH_INDEX": ""} if mounts else {}
        built = self.compose(
            "build", "gpu", options=[f"--podman-build-args={' '.join(given)}"], timeout_s=3600, **torch
        )
        assert "COMMIT" in built.stdout + built.stderr, built.stdout

    def up(self, *services: str, scale: Sequence[str] = (), profile: str | None = None) -> None:
        """Start services and wait until they are healthy, as `docker compose up --wait` would.

        Podman 4 neither waits for the health that `depends_on` names nor starts what depends on a container that has
        done its work, so that what others depend on is started first, and without it.
        """
        options = ["--profile", profile] if profile else []
        if not services:
            self._start("postgres", "redis")
            self.healthy("postgres", "redis")
            self._start("migrate")
            assert self.engine.podman("wait", self.containers("migrate")[0]).stdout.strip() == "0", self.logs("migrate")
            services = LASTING
        self._start(*services, options=options, scale=scale)
        self.healthy(*services)

    def _start(self, *services: str, options: Sequence[str] = (), scale: Sequence[str] = ()) -> None:
        chosen = [part for each in scale for part in ("--scale", each)]
        how = ("-d", "--no-build", "--no-recreate", "--no-deps")
        self.compose("up", *how, *chosen, *services, options=options)

    def down(self, *arguments: str) -> None:
        # Those of a second copy of a service are orphans to podman-compose.
        self.compose("--profile=monitoring", "--profile=cli", "down", "--remove-orphans", *arguments, check=False)

    def containers(self, service: str) -> list[str]:
        """Names of a service's containers, running or not."""
        filters = [f"label=com.docker.compose.project={self.name}", f"label=com.docker.compose.service={service}"]
        chosen = [part for each in filters for part in ("--filter", each)]
        return self.engine.podman("ps", "-a", "--format", "{{.Names}}", "--sort", "names", *chosen).stdout.split()

    def inspect(self, container: str) -> Any:
        return json.loads(self.engine.podman("inspect", container).stdout)[0]

    def healthy(self, *services: str, timeout_s: float = 240) -> None:
        """Wait until every container's own health check passes (podman leaves calling it to systemd, or to us)."""
        for service in services:
            assert self.containers(service), f"{service} has no container"
            for container in self.containers(service):
                self.wait(
                    lambda name=container: self._check(name) == 0,  # type: ignore[misc]
                    f"{container} is healthy",
                    timeout_s,
                )

    def _check(self, container: str) -> int:
        return self.engine.podman("healthcheck", "run", container, check=False).returncode

    def tenor(self, *arguments: str, check: bool = True, timeout_s: float = 600) -> subprocess.CompletedProcess[str]:
        """The command `tenor` in a container of its own: docker compose run --rm cli …"""
        return self.compose(
            *("run", "--rm", "-T", "--no-deps", "cli", *arguments),
            options=["--profile", "cli"],
            check=check,
            timeout_s=timeout_s,
        )

    def sql(self, query: str) -> list[dict[str, Any]]:
        """Rows that an analyst sees."""
        said = self.tenor("sql", query, "--format", "json").stdout
        return list(json.loads(said[said.index("[") :]))

    def truth(self, query: str) -> str:
        """One value, past the views, as the owner sees it from within Postgres' container."""
        psql = ["psql", "-U", "tenor_owner", "-d", "tenor", "-Atc", query]
        return self.engine.podman("exec", self.containers("postgres")[0], *psql).stdout.strip()

    def inside(self, service: str, *command: str, check: bool = False) -> subprocess.CompletedProcess[str]:
        """Run a program in a service's first container."""
        return self.engine.podman("exec", self.containers(service)[0], *command, check=check)

    def process(self, container: str) -> int:
        """The first process of a container, by its number on this machine."""
        return int(self.inspect(container)["State"]["Pid"])

    def wait(self, condition: Callable[[], Any], what: str, timeout_s: float = 240) -> Any:
        return until(condition, what, timeout_s, lambda: self.logs(*LASTING), every_s=0.2)

    def logs(self, *services: str) -> str:
        """The end of every container's log, for a failing test."""
        parts = []
        for service in services:
            for container in self.containers(service):
                said = self.engine.podman("logs", "--tail", "30", container, check=False)
                parts.append(f"--- {container}\n{said.stdout}{said.stderr}")
        return "\n".join(parts)


@contextmanager
def installed(engine: Engine, folder: Path, archives: Path) -> Iterator[Stack]:
    """A stack whose images are built; its containers, networks and volumes are gone afterwards, its images stay."""
    copy_checkout(folder)
    stack = Stack(engine, folder, archives)
    try:
        stack.build()
        yield stack
    finally:
        say("removing containers, networks and volumes")
        stack.down("--volumes", "--timeout", "5")
        for kind, remove in (("container", ["rm", "--force"]), ("network", ["rm"]), ("volume", ["rm", "--force"])):
            listed = "{{.Names}}" if kind == "container" else "{{.Name}}"
            everything = ["--all"] if kind == "container" else []
            names = engine.podman(kind, "ls", *everything, "--format", listed, check=False).stdout.split()
            for name in names:
                if name.startswith(stack.name):
                    engine.podman(kind, *remove, name, check=False)


def copy_checkout(folder: Path) -> None:
    """What a clone would hold, and what is new here; no secrets, no `.env`, no environment."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in listed.stdout.decode().split("\0"):
        if name and (ROOT / name).is_file() and not name.startswith("."):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    shutil.copy2(ROOT / ".dockerignore", folder)


def pip_settings(folder: Path) -> tuple[Path, list[str]]:
    """A pip.conf with what this machine's pip was told, and the places of this machine that it names."""
    told = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    ).stdout
    settings: dict[str, str] = {}
    for line in sorted(told.splitlines(), key=lambda line: line.startswith(":env:")):
        name, _, value = line.partition("=")
        settings[name.rpartition(".")[2]] = str(ast.literal_eval(value))
    file = folder / "pip.conf"
    file.write_text("[global]\n" + "".join(f"{name} = {value}\n" for name, value in settings.items()))
    places = (word.removeprefix("file://") for value in settings.values() for word in value.split())
    return file, sorted(
        {place.removesuffix("/simple") for place in places if place.startswith("/") and Path(place).exists()}
    )
