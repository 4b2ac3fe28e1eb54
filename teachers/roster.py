"""A list of servers that come and go: addresses in a file, or in the files of a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from synth.config.roles import check_address

__all__ = ["Roster"]


class Roster:
    """The addresses under `path`, read anew each time.

    A file holds one address a line, and `#` begins a remark. In a folder every server keeps a file
    of its own and takes it away when it ends, so that none writes what another one reads. A list
    that cannot be read, or is empty, is not believed: what it said before holds.
    """

    def __init__(self, path: Path, say: Callable[[str], None] = lambda text: None) -> None:
        self.path = path
        self._say = say
        self._before: tuple[str, ...] = ()
        self._faults: set[str] = set()

    def addresses(self) -> tuple[str, ...]:
        """The addresses by now, each once."""
        try:
            found = tuple(dict.fromkeys(url for url in self._lines() if self._fit(url)))
        except OSError as error:
            self._fault(f"{self.path} cannot be read ({error.strerror}); its servers stay as they were")
            found = ()
        self._before = found or self._before
        return self._before

    def _lines(self) -> list[str]:
        files = sorted(self.path.iterdir()) if self.path.is_dir() else [self.path]
        texts = [file.read_text(encoding="utf-8") for file in files if not file.name.startswith(".")]
        lines = (line.partition("#")[0].strip() for text in texts for line in text.splitlines())
        return [line.rstrip("/") for line in lines if line]

    def _fit(self, url: str) -> bool:
        try:
            check_address(url)
        except ValueError as error:
            self._fault(f"{self.path}: {str(error).partition(';')[0]}")
            return False
        return True

    def _fault(self, text: str) -> None:
        """Said once."""
        if text not in self._faults:
            self._faults.add(text)
            self._say(text)
