"""Where head and workers meet: a folder, or anything fsspec reaches (S3 and its like).

Nothing here needs a file lock. A whole file appears at once or not at all, and `create` lets
exactly one of many win, where the store can do that (see `create`).
"""

from __future__ import annotations

import errno
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from synth.errors import RunError

__all__ = ["Store"]

TRIES = 5
"""Times a file is written whose folder another process takes away, and a folder emptied that it fills."""
SETTLE = 0.5
"""Seconds to wait before reading back what was written without an atomic create."""


class Store:
    """Files under a URL or a path, by names with slashes. Raises `RunError` where it does not answer."""

    def __init__(self, url: str, in_place: bool | None = None) -> None:
        self.url = url.rstrip("/")
        self.local: Path | None = None
        self.in_place = False
        """Whether shards' journals are files that head and workers open: on a disk of their one machine."""
        if "://" not in self.url or self.url.startswith("file://"):
            self.local = Path(self.url.removeprefix("file://")).absolute()
            self.url = str(self.local)
            self.in_place = in_place is not False
            return
        try:
            import fsspec

            with self._asked("open"):
                self._fs, self._root = fsspec.core.url_to_fs(self.url, use_listings_cache=False)
        except (ImportError, ValueError) as error:
            raise RunError(
                f"{self.url} cannot be used: {error}", "install what reads it, such as s3fs"
            ) from error

    def read(self, name: str) -> bytes | None:
        """A file's content, None if it is not there."""
        with self._asked(name):
            try:
                if self.local is not None:
                    return (self.local / name).read_bytes()
                return self._fs.cat_file(f"{self._root}/{name}")  # type: ignore[no-any-return]
            except FileNotFoundError:
                return None

    def write(self, name: str, data: bytes) -> None:
        """Replace a file whole."""
        with self._asked(name):
            if self.local is None:
                self._fs.pipe_file(f"{self._root}/{name}", data)
                return
            for tries_left in reversed(range(TRIES)):
                part = self._part(name, data)
                try:
                    part.replace(self.local / name)
                    return
                except FileNotFoundError:
                    if not tries_left:
                        raise self._emptied(part.parent) from None
                except OSError:
                    with suppress(OSError):
                        part.unlink()
                    raise

    def upload(self, path: Path, name: str) -> None:
        """Replace a file by the one at `path`, however large. Raises `FileNotFoundError` if that is gone."""
        with self._asked(name):
            if self.local is None:
                self._fs.put_file(str(path), f"{self._root}/{name}")
                return
            part = self._part(name, b"")
            shutil.copyfile(path, part)
            part.replace(self.local / name)

    def download(self, name: str, path: Path) -> None:
        """Put a copy of a file to `path`."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._asked(name):
            if self.local is None:
                self._fs.get_file(f"{self._root}/{name}", str(path))
            else:
                shutil.copyfile(self.local / name, path)

    def create(self, name: str, data: bytes) -> bool:
        """Write a file that is not there yet; False if another was first. Exactly one of many wins.

        A store that has no such operation is written to and read back after `SETTLE` seconds, when
        the last writer has won; that holds as long as writes become visible within that time.
        """
        with self._asked(name):
            if self.local is not None:
                return self._link(name, data)
            path = f"{self._root}/{name}"
            try:
                self._fs.pipe_file(path, data, mode="create")
                return True
            except FileExistsError:
                return False
            except (NotImplementedError, TypeError):
                return self._settled(path, data)

    def names(self, folder: str) -> list[str]:
        """Names of the files of a folder, in order; none if it is not there."""
        with self._asked(folder):
            try:
                if self.local is not None:
                    found = [path.name for path in (self.local / folder).iterdir()]
                else:
                    paths = self._fs.ls(f"{self._root}/{folder}", detail=False, refresh=True)
                    found = [str(path).rstrip("/").rpartition("/")[2] for path in paths]
            except (FileNotFoundError, NotADirectoryError):
                return []
        return sorted(name for name in found if name and not name.endswith(".part"))

    def delete(self, name: str) -> None:
        """Take a file or a folder away; nothing if it is not there."""
        with self._asked(name), suppress(FileNotFoundError):
            if self.local is None:
                self._fs.rm(f"{self._root}/{name}".rstrip("/"), recursive=True)
            elif (self.local / name).is_dir():
                self._remove(self.local / name)
            else:
                (self.local / name).unlink()

    @staticmethod
    def _remove(folder: Path) -> None:
        """The folder with all in it, though another process may be writing into it."""
        for tries_left in reversed(range(TRIES)):
            try:
                return shutil.rmtree(folder)
            except OSError as error:
                passing = error.errno in (errno.ENOTEMPTY, errno.ENOENT)
                if not (passing and tries_left and folder.exists()):
                    raise

    def _link(self, name: str, data: bytes) -> bool:
        """A link to a whole file is atomic, on network file systems too."""
        assert self.local is not None
        part = self._part(name, data)
        try:
            os.link(part, self.local / name)
            return True
        except FileExistsError:
            return False
        finally:
            part.unlink()

    def _settled(self, path: str, data: bytes) -> bool:
        if self._fs.exists(path):
            return False
        self._fs.pipe_file(path, data)
        time.sleep(SETTLE)
        return bool(self._fs.cat_file(path) == data)

    def _part(self, name: str, data: bytes) -> Path:
        """The data in a file beside its place, whose folder another process may be taking away."""
        assert self.local is not None
        path = self.local / name
        part = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.part")
        for tries_left in reversed(range(TRIES)):
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                part.write_bytes(data)
                break
            except (FileNotFoundError, FileExistsError):
                if not tries_left:
                    raise self._emptied(path.parent) from None
            except OSError:
                with suppress(OSError):
                    part.unlink()
                raise
        return part

    @staticmethod
    def _emptied(folder: Path) -> RunError:
        return RunError(f"{folder} is taken away as fast as it is made", "stop what empties it")

    @contextmanager
    def _asked(self, name: str) -> Iterator[None]:
        """Whatever a store's own library raises becomes one error with a cure."""
        try:
            yield
        except (FileNotFoundError, FileExistsError, NotImplementedError, ImportError, RunError):
            raise
        except Exception as error:
            raise RunError(
                f"the store {self.url} cannot be used ({name}): {_said(error)}",
                "mend its permissions, space or credentials; the same command then goes on",
            ) from error


def _said(error: Any) -> str:
    return f"{type(error).__name__}: {error}"
