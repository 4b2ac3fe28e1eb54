"""How far a download is: a callback, what feeds it, and a bar for the terminal."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["Progress", "bar", "watching"]

Progress = Callable[[int, int, str], None]
"""`progress(done_bytes, total_bytes, label)`; may be called from another thread."""

PERIOD = 0.2


@contextmanager
def watching(folder: Path, total: int, label: str, progress: Progress | None) -> Iterator[None]:
    """Report the growth of `folder` towards `total` bytes while the block runs."""
    if progress is None:
        yield
        return
    done = threading.Event()

    def report() -> None:
        while not done.wait(PERIOD):
            progress(min(_size(folder), total), total, label)

    progress(min(_size(folder), total), total, label)
    thread = threading.Thread(target=report, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    progress(total, total, label)


@contextmanager
def bar() -> Iterator[Progress]:
    """A progress bar on the terminal for each label that is reported."""
    from rich.progress import BarColumn, DownloadColumn, TaskID, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    tasks: dict[str, TaskID] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with Bars(*columns) as bars:

        def report(done: int, total: int, label: str) -> None:
            if label not in tasks:
                tasks[label] = bars.add_task(label, total=total)
            bars.update(tasks[label], completed=done, total=total)

        yield report


def _size(folder: Path) -> int:
    """Bytes below `folder`; files that vanish meanwhile count nothing."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() and not path.is_symlink() else 0
        except OSError:
            continue
    return total
