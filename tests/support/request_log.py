"""What a scripted server was asked: one entry a request, kept in memory and appended to a file.

The file is written with one system call an entry, so it survives the end of the server
and of the client, and several runs of either add to it.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from tests.support.faults import ANSWERED

__all__ = ["Entry", "RequestLog", "paid_twice", "read_log"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One chat request. `status` is 0 where the connection was cut and 499 where the client left."""

    at: float
    """Unix seconds at which the outcome was known."""
    body: str
    """Hash of the request body, keys sorted."""
    key: str
    """The `X-Request-Id` header, if the client sent one."""
    attempt: int
    """How often the same body was asked before."""
    status: int
    fault: str
    seconds: float
    """From arrival to outcome."""

    @property
    def paid(self) -> bool:
        """Whether the client got a whole 200 reply."""
        return self.status == 200 and self.fault in ANSWERED


class RequestLog:
    """Entries in memory, and in a file where a path is given."""

    def __init__(self, path: Path | None = None) -> None:
        self.entries: list[Entry] = []
        self._file = None if path is None else os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def add(self, entry: Entry) -> None:
        """Keep one entry; it is in the file when this returns."""
        self.entries.append(entry)
        if self._file is not None:
            os.write(self._file, orjson.dumps(asdict(entry)) + b"\n")

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def read_log(path: Path) -> list[Entry]:
    """All entries of a log file, in order of outcome."""
    return [Entry(**orjson.loads(line)) for line in path.read_bytes().splitlines()]


def paid_twice(entries: Iterable[Entry], by: str = "body") -> dict[str, int]:
    """Requests answered in full more than once, with how often: by `body` hash or by `key`.

    Sampling the same body several times is not a fault: use `by="key"` where the client
    sends an `X-Request-Id`, or a `seed` a sample.
    """
    counts = Counter(str(getattr(entry, by)) for entry in entries if entry.paid)
    return {key: times for key, times in counts.items() if times > 1}
