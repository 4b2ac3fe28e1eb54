"""Two networks of this machine with a router between them that can be made to drop everything.

Needs root and `ip` (iproute2); `possible` says whether such networks can be made here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

__all__ = ["Networks", "networks", "possible"]

SIDES = {"near": "10.213.1", "far": "10.213.2"}


def possible() -> bool:
    """Whether network namespaces with virtual cables can be made here."""
    if shutil.which("ip") is None or os.geteuid() != 0:
        return False
    name = f"synth-try-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False).returncode == 0
    cable = ["ip", "-n", name, "link", "add", "name", "one", "type", "veth", "peer", "name", "two"]
    cabled = made and subprocess.run(cable, capture_output=True, check=False).returncode == 0
    if made:
        _ip("netns", "del", name)
    return cabled


@dataclass(frozen=True)
class Networks:
    """`near` and `far`, each with one machine, whose address is `address(side)`."""

    mark: str

    def inside(self, side: str) -> list[str]:
        """What goes before a command that is to run there."""
        return ["ip", "netns", "exec", f"{self.mark}-{side}"]

    @staticmethod
    def address(side: str) -> str:
        return f"{SIDES[side]}.2"

    def connect(self, up: bool) -> None:
        """Pass packets between the two, or drop them without a word."""
        setting = f"net.ipv4.ip_forward={int(up)}"
        subprocess.run([*self.inside("router"), "sysctl", "-qw", setting], check=True)


@contextmanager
def networks() -> Iterator[Networks]:
    """The two, connected. Whatever still runs in them at the end has lost its network."""
    made = Networks(f"synth-{os.getpid()}")
    names = [f"{made.mark}-{side}" for side in ("router", *SIDES)]
    try:
        for name in names:
            _ip("netns", "add", name)
        router = names[0]
        for side, net in SIDES.items():
            name = f"{made.mark}-{side}"
            _ip(
                *("-n", router, "link", "add", "name", side, "type", "veth"),
                *("peer", "name", "eth0", "netns", name),
            )
            _ip("-n", router, "addr", "add", f"{net}.1/24", "dev", side)
            _ip("-n", router, "link", "set", side, "up")
            _ip("-n", name, "addr", "add", f"{net}.2/24", "dev", "eth0")
            for device in ("lo", "eth0"):
                _ip("-n", name, "link", "set", device, "up")
            _ip("-n", name, "route", "add", "default", "via", f"{net}.1")
        made.connect(True)
        yield made
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
