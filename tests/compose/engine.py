"""Podman on a Debian machine without an image registry, with storage, networks and settings of its own.

Everything lies in one folder outside the checkout, so that a second run finds its images and nothing of what the
machine has for podman is touched: not /etc/containers, not the images and containers of others.
"""

import os
import platform
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

#: Podman and what it is only said to recommend; debootstrap makes the image that all others begin with.
PACKAGES = (
    "podman buildah runc netavark aardvark-dns iptables catatonit fuse-overlayfs uidmap debootstrap ca-certificates"
)
BASE = "localhost/tenor-test-base:bookworm"
STORE_BYTES = 20_000_000_000

#: runc, since crun fails on limits where both versions of cgroups are mounted; no systemd is asked for anything; and no
#: container gets more files and processes than this process may have.
CONTAINERS_CONF = """
[containers]
default_ulimits = ["nofile={files}:{files}", "nproc={processes}:{processes}"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
network_backend = "netavark"
network_config_dir = "{store}/networks"
"""
STORAGE_CONF = """
[storage]
driver = "overlay"
graphroot = "{store}/images"
runroot = "{store}/run"
"""


class MachineUnfit(Exception):
    """This machine cannot run the containers; the message says what it lacks."""


def say(sentence: str) -> None:
    """A line of progress, past pytest."""
    print(f"   {time.strftime('%H:%M:%S')} {sentence}", file=sys.__stderr__, flush=True)


@dataclass(frozen=True)
class Engine:
    """Podman, with everything of its own under `store`."""

    store: Path

    @staticmethod
    def prepared() -> "Engine":
        """Install what is missing and make the base image; raises `MachineUnfit`."""
        check_machine()
        install()
        engine = Engine(_store())
        for folder in ("networks", "images", "run", "tmp"):
            (engine.store / folder).mkdir(parents=True, exist_ok=True)
        files, processes = (_at_most(kind, 4096) for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC))
        (engine.store / "containers.conf").write_text(
            CONTAINERS_CONF.format(store=engine.store, files=files, processes=processes)
        )
        (engine.store / "storage.conf").write_text(STORAGE_CONF.format(store=engine.store))
        engine.make_base()
        return engine

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which podman, and whatever calls it, keeps to the store."""
        plain = {k: v for k, v in os.environ.items() if not k.startswith(("TENOR_", "COMPOSE_", "PODMAN_"))}
        return plain | {
            "CONTAINERS_CONF": str(self.store / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(self.store / "storage.conf"),
            "TMPDIR": str(self.store / "tmp"),
        }

    def podman(self, *arguments: str, check: bool = True, timeout_s: float = 300) -> subprocess.CompletedProcess[str]:
        """Run podman; an unexpected failure is an error with what it said."""
        return run(["podman", *arguments], self.environment, check=check, timeout_s=timeout_s)

    def make_base(self) -> None:
        """A minimal Debian with its Python, from Debian's packages, unless a run before this one made it."""
        if self.podman("image", "exists", BASE, check=False).returncode == 0:
            return
        say("making the base image with debootstrap")
        root = self.store / "tmp" / "root"
        shutil.rmtree(root, ignore_errors=True)
        packages = "--include=ca-certificates,python3,python3-venv,python3-pip"
        mirror = os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian")
        bootstrap = ["debootstrap", "--variant=minbase", packages, "bookworm", str(root), mirror]
        run(bootstrap, self.environment, timeout_s=1800)
        packed = subprocess.Popen(["tar", "-C", str(root), "-c", "."], stdout=subprocess.PIPE)
        subprocess.run(
            ["podman", "import", "-", BASE], stdin=packed.stdout, env=self.environment, capture_output=True, check=True
        )
        if packed.wait():
            raise MachineUnfit("the base image could not be packed")
        shutil.rmtree(root)

    def build(self, image: str, folder: Path, target: str) -> None:
        """Build a target of a folder's Dockerfile upon the base image."""
        say(f"building {image}")
        self.podman(
            *("build", "--format", "docker", "--layers", "--build-arg", f"BASE={BASE}", "--target", target),
            *("--tag", image, str(folder)),
            timeout_s=1800,
        )


def run(
    command: Sequence[str],
    environment: dict[str, str],
    *,
    check: bool = True,
    timeout_s: float = 300,
    cwd: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; with `check`, exit status 0 is demanded, else an AssertionError tells what it said."""
    done = subprocess.run(command, env=environment, cwd=cwd, capture_output=True, text=True, timeout=timeout_s)
    if check and done.returncode:
        end = "\n".join((done.stdout + done.stderr).splitlines()[-60:])
        raise AssertionError(f"{' '.join(command)}\nexit status {done.returncode}\n{end}")
    return done


def check_machine() -> None:
    """Raise `MachineUnfit` where containers cannot be run as these tests run them."""
    if os.geteuid() != 0:
        raise MachineUnfit("`make test-compose` starts containers and installs podman: run it as root.")
    if platform.machine() != "x86_64" or shutil.which("apt-get") is None:
        raise MachineUnfit("`make test-compose` makes its images of Debian's packages: run it on Debian, x86-64.")
    store = _store()
    store.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(store).free
    if free < STORE_BYTES and not (store / "images" / "overlay").exists():
        raise MachineUnfit(
            f"`make test-compose` needs 20 GB for images in {store}, which has {free / 1e9:.1f} GB free; "
            "CONTAINERS_CACHE names another folder."
        )


def install() -> None:
    """Debian's packages that are not there yet."""
    known = "dpkg-query -W -f '${Package} ${db:Status-Status}\\n'"
    listed = subprocess.run(f"{known} {PACKAGES}", shell=True, capture_output=True, text=True).stdout
    installed = {line.split()[0] for line in listed.splitlines() if line.endswith(" installed")}
    if not (missing := [package for package in PACKAGES.split() if package not in installed]):
        return
    say(f"installing {' '.join(missing)}")
    plain = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "install", "-y", "--no-install-recommends", *missing]
    if run(command, plain, check=False, timeout_s=900).returncode:
        try:
            run(["apt-get", "update"], plain, timeout_s=900)
            run(command, plain, timeout_s=900)
        except AssertionError as exc:
            raise MachineUnfit(f"Debian's packages for `make test-compose` could not be installed.\n{exc}") from exc


def _at_most(kind: int, wanted: int) -> int:
    """A limit of this process, where it is lower than what is wanted."""
    highest = resource.getrlimit(kind)[1]
    return wanted if highest == resource.RLIM_INFINITY else min(wanted, highest)


def _store() -> Path:
    if named := os.environ.get("CONTAINERS_CACHE"):
        return Path(named).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tenor-test-compose"
