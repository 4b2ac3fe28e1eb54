"""What is known of a night while it lasts, in one file: a killed night goes on from it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import Field

from synth.engine.folder import RunFolder
from synth.runs.runfiles import Part, read_json

__all__ = ["Night", "Played", "State", "begin", "nights"]

State = Literal["waiting", "running", "ran", "promoted", "kept", "budget", "error"]
"""`ran`: the run has ended, and whether its student is promoted is not decided yet."""


class Played(Part):
    """One flow of a night, as far as it got."""

    flow: str
    run: str
    """Folder of the run, from the folder of all nights."""
    start: str | None = None
    """The champion it began from; None: the flow file's own student."""
    state: State = "waiting"
    ended: Literal["", "budget", "error"] = ""
    """How the run ended, if not by itself."""
    reason: str = ""
    """One sentence, or the error."""


class Night(Part):
    """One night; `night.json`."""

    name: str
    """Its day, UTC; a second one of a day has a number."""
    number: int
    """From 0. It is added to the flows' seeds, so that no night is the last one's copy."""
    started: float
    finished: float | None = None
    seconds: float = 0.0
    """Of work, over all starts."""
    flows: list[Played]
    notes: list[str] = Field(default_factory=list)

    def write(self, home: Path) -> None:
        """Put down what is known now, whole."""
        RunFolder.write_json(home / self.name / "night.json", self)


def nights(home: Path) -> list[Night]:
    """All nights of a folder, oldest first. A file that cannot be read is passed over."""
    found = [read_json(path, Night, []) for path in home.glob("*/night.json")]
    return sorted((night for night in found if night is not None), key=lambda night: night.number)


def begin(home: Path, flows: list[str], now: float | None = None) -> Night:
    """The night that was left in the middle, else a new one. `flows` are the flows' names."""
    earlier = nights(home)
    if earlier and earlier[-1].finished is None and [p.flow for p in earlier[-1].flows] == flows:
        return earlier[-1]
    now = time.time() if now is None else now
    day = f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d}"
    same = sum(night.name.startswith(day) for night in earlier)
    name = f"{day}-{same + 1}" if same else day
    played = [Played(flow=flow, run=f"{name}/runs/{n}-{flow}") for n, flow in enumerate(flows, 1)]
    night = Night(name=name, number=earlier[-1].number + 1 if earlier else 0, started=now, flows=played)
    night.write(home)
    return night
