"""Machines in one machine: network namespaces on one bridge, each with an address of its own. Needs root."""

import ctypes
import os
import secrets
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_NEW_NETWORK = 0x40000000
#: Exists only inside of the namespaces, so that it meets nobody's.
_SUBNET = "10.213.47"


def ip(*arguments: str) -> None:
    """The command `ip`; what it says is the error."""
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")


class Network:
    """The namespace of the servers, with a bridge, and those of the hosts, each plugged into it."""

    def __init__(self, hosts: Sequence[str]) -> None:
        mark = secrets.token_hex(3)
        self.servers = f"tenor-{mark}-servers"
        self.hosts = {name: f"tenor-{mark}-{name}" for name in hosts}
        self.address = f"{_SUBNET}.1"
        self._made: list[str] = []

    def make(self) -> None:
        """Make all of it; `remove` takes away what there is, also after half of it."""
        for space in (self.servers, *self.hosts.values()):
            ip("netns", "add", space)
            self._made.append(space)
            ip("-n", space, "link", "set", "lo", "up")
        ip("-n", self.servers, "link", "add", "br0", "type", "bridge")
        ip("-n", self.servers, "address", "add", f"{self.address}/24", "dev", "br0")
        ip("-n", self.servers, "link", "set", "br0", "up")
        for number, (name, space) in enumerate(self.hosts.items(), start=11):
            plug = ("link", "add", name, "netns", self.servers, "type", "veth", "peer", "name", "eth0", "netns", space)
            ip(*plug)
            ip("-n", self.servers, "link", "set", name, "master", "br0", "up")
            ip("-n", space, "address", "add", f"{_SUBNET}.{number}/24", "dev", "eth0")
            ip("-n", space, "link", "set", "eth0", "up")

    def remove(self) -> None:
        """Links and bridge go with their namespaces."""
        while self._made:
            subprocess.run(["ip", "netns", "del", self._made.pop()], capture_output=True)

    def pull(self, host: str) -> None:
        """Pull a host's cable out at the bridge: nobody is told, packets just do not arrive."""
        ip("-n", self.servers, "link", "set", host, "down")

    def plug(self, host: str) -> None:
        """Put it in again."""
        ip("-n", self.servers, "link", "set", host, "up")

    def on(self, host: str) -> list[str]:
        """What stands before a command that is to run on a host, under the host's own name."""
        named = f'hostname {host} && exec "$0" "$@"'
        return ["ip", "netns", "exec", self.hosts[host], "unshare", "--uts", "sh", "-c", named]

    @contextmanager
    def among_servers(self) -> Iterator[None]:
        """This thread, and processes that it starts, are in the servers' namespace."""
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        inside = os.open(Path("/run/netns") / self.servers, os.O_RDONLY)
        try:
            _enter(inside)
            yield
        finally:
            _enter(before)
            os.close(inside)
            os.close(before)


def _enter(space: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(space, _NEW_NETWORK):
        raise OSError(ctypes.get_errno(), "setns")
