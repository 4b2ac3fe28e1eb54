"""A run from Python: of a flow file, or of the same as a dictionary with functions in it."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synth.errors import SynthError

if TYPE_CHECKING:
    from synth.config import Loaded
    from synth.measure.gate import Decision
    from synth.progress import Progress
    from synth.records import Rejection, Sample
    from synth.scale.plan import Scale

__all__ = ["Program", "Run", "execute", "run"]

GIVEN = Path("dictionary")
"""Where messages say that something stands which no file holds."""


@dataclass(frozen=True)
class Program:
    """A function in a model's place: messages (and the sample's number, if it takes `sample`) in, text
    out. It has to stand at the top level of a module, a script or a notebook."""

    function: Callable[..., Any]


@dataclass(frozen=True)
class Run:
    """What came of a run, and where it lies. `decisions` are the gate's, a round each."""

    path: Path
    decisions: list[Decision]

    @property
    def report(self) -> Path:
        """The report, one HTML file."""
        return self.path / "report.html"

    def samples(self, round: int | None = None) -> Iterator[Sample]:
        """The training data, of all rounds unless one is named."""
        from synth.export.read import read_samples, rounds_with_data

        return iter(read_samples(self.path, rounds_with_data(self.path, round), "student"))

    def rejections(self) -> Iterator[Rejection]:
        """What was dropped, each with its reason."""
        from synth.records import Rejection

        for path in sorted(self.path.glob("rounds/*/data/rejected.jsonl")):
            with path.open(encoding="utf-8") as lines:
                yield from (Rejection.model_validate_json(line) for line in lines)

    def dataset(self, **options: Any) -> Any:
        """The training data as a `datasets.Dataset` (see `synth.dataset`)."""
        from synth.export import dataset

        return dataset(self.path, **options)


def run(
    flow: str | PathLike[str] | Mapping[str, Any],
    *,
    overrides: Sequence[str] = (),
    profile: str | None = None,
    name: str | None = None,
    runs: str | PathLike[str] = "runs",
    fresh: bool = False,
    replay: str | PathLike[str] | None = None,
    scale: Scale | None = None,
    mirror: str | None = None,
    quiet: bool = False,
) -> Run:
    """Run a flow to its end, or go on where it stopped: `synth run` from a script or a notebook.

    `flow` is a flow file, or a dictionary of the same keys, where functions may stand for their
    names: `{"flow": build, "models": {"writer": Program(answer)}, ...}`. The other arguments are
    the command's options. Raises `SynthError`; whatever was finished is kept, and the same call
    goes on.
    """
    from synth.engine.folder import RunFolder
    from synth.flowfiles import load, parse, run_name
    from synth.progress import make_progress

    offline = replay is not None
    if isinstance(flow, Mapping):
        loaded = parse(_text(flow), GIVEN, overrides, profile, offline)
        name = name or str(flow.get("name") or loaded.flow.flow.rpartition(":")[2])
    else:
        loaded = load(Path(flow), overrides, profile, offline)
    folder = RunFolder(Path(runs) / (name or run_name(loaded, overrides, profile)))

    async def work() -> list[Decision]:
        with make_progress(quiet) as progress:
            return await execute(
                loaded, folder.path, progress, fresh=fresh, replay=replay, scale=scale, mirror=mirror
            )

    return Run(folder.path, _finished(work))


async def execute(
    loaded: Loaded,
    folder: Path,
    progress: Progress,
    *,
    fresh: bool = False,
    replay: str | PathLike[str] | None = None,
    scale: Scale | None = None,
    mirror: str | None = None,
) -> list[Decision]:
    """What the command and `run` share: nothing in this process may send what it does anywhere."""
    from synth.engine.folder import RunFolder
    from synth.rounds.loop import run as go
    from synth.scale.mirror import mirrored

    os.environ["LANGSMITH_TRACING"] = os.environ["LANGCHAIN_TRACING_V2"] = "false"
    recorded = None if replay is None else Path(replay)
    copy = mirrored(mirror, folder, progress.log, fresh=fresh) if mirror else contextlib.nullcontext()
    async with copy:
        return await go(loaded, RunFolder(folder), progress, fresh=fresh, replay=recorded, scale=scale)


def _finished(work: Callable[[], Coroutine[Any, Any, list[Decision]]]) -> list[Decision]:
    """The work's result; where an event loop is running already, as in a notebook, from a thread."""
    from synth.engine.tuning import run_loop

    try:
        asyncio.get_running_loop()
        inside = True
    except RuntimeError:
        inside = False
    if not inside:
        return run_loop(work())
    with ThreadPoolExecutor(1, "synth-run") as aside:
        return aside.submit(run_loop, work()).result()


def _text(flow: Mapping[str, Any]) -> str:
    """The dictionary as the text of a flow file."""
    import yaml

    return yaml.safe_dump(_plain(flow), sort_keys=False, allow_unicode=True)


def _plain(value: Any) -> Any:
    """The value with functions replaced by their names, paths by text."""
    if isinstance(value, Program):
        return {"program": _reference(value.function)}
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, PathLike):
        return os.fspath(value)
    if callable(value):
        return _reference(value)
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return [_plain(one) for one in value]
    return value


def _reference(function: Callable[..., Any]) -> str:
    """`module:function`, by which the run and every later start of it finds the function."""
    name = getattr(function, "__qualname__", "")
    if not name.isidentifier():
        raise SynthError(
            f"{name or function!r} cannot be found again by its name",
            "define it with `def` at the top level of a module, a script or a notebook",
        )
    return f"{function.__module__}:{name}"
