"""Ports of this machine for servers of our own."""

from __future__ import annotations

import socket

from synth.errors import ServerError

__all__ = ["PORT_TAKEN", "free_port", "refuse_taken"]

PORT_TAKEN = ("address already in use", "errno 98")
"""What a server's log says, in small letters, of a port that another program has."""


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def refuse_taken(port: int) -> None:
    """Raises `ServerError` for a port that somebody listens on."""
    with socket.socket() as wanted:
        wanted.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            wanted.bind(("127.0.0.1", port))
        except OSError as error:
            raise ServerError(
                f"port {port} is in use by another program",
                "leave server.port out so that a free one is taken, or stop that program",
            ) from error
