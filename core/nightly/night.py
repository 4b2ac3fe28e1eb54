"""A night: the flows in turn, each from the last champion, within the limits; then one page about it.

Every step is in `night.json` before the next one begins, and each may be done twice, so a night
that was killed anywhere goes on where it was.
"""

from __future__ import annotations

import dataclasses
import os
import time
from pathlib import Path

from synth.config import Loaded
from synth.engine.folder import RunFolder
from synth.engine.lock import take_lock
from synth.errors import BudgetExceeded, RunError, SynthError
from synth.nightly.champion import Champion, crown, current, decisions, weights_of
from synth.nightly.file import NightFile, Turn
from synth.nightly.flows import Load, read_flow
from synth.nightly.keep import prune
from synth.nightly.limits import Spent, budget, reached, spent_by, within
from synth.nightly.reference import below_the_best, remember
from synth.nightly.send import send
from synth.nightly.state import Played, begin
from synth.nightly.summary import Summary, summarize_night, write_summary
from synth.progress import Progress
from synth.rounds.loop import run

__all__ = ["run_night"]


async def run_night(file: NightFile, path: Path, home: Path, load: Load, progress: Progress) -> Summary:
    """Run a night in the folder of all nights, or go on with the one that was left in the middle.

    What goes wrong in a flow is told in the summary, and the next flow has its turn. Raises `RunError`
    where another process has these nights, `ConfigError` for a flow file that cannot be run, and
    `SynthError` where the folder cannot be used; then the same command goes on.
    """
    for turn in file.flows:
        read_flow(file, path, turn, load)
    try:
        home.mkdir(parents=True, exist_ok=True)
        lock = take_lock(home / "night.lock", f"the folder of nights {home}")
        try:
            return await _Night(file, path, home, load, progress).run()
        except RunError as error:  # its exit code says that the folder is locked
            raise SynthError(error.what, error.cure) from error
        finally:
            os.close(lock)
    except OSError as error:
        raise SynthError(
            f"the folder of nights {home} cannot be used: {error.strerror or error}",
            "mend its permissions and space; the same command goes on",
        ) from error


class _Night:
    """A night under way."""

    def __init__(self, file: NightFile, path: Path, home: Path, load: Load, progress: Progress) -> None:
        self.file = file
        self.path = path
        self.home = home
        self.load = load
        self.progress = progress
        self.night = begin(home, [Path(turn.flow).stem for turn in file.flows])
        self.runs: list[tuple[Path, Loaded]] = []

    async def run(self) -> Summary:
        """All flows, then the summary."""
        self._prune()
        for index, turn in enumerate(self.file.flows):
            await self._turn(index, turn)
        self._prune(self.night.name)
        champion = current(self.home)
        summary = summarize_night(self.night, self.home, self._spent(), champion)
        write_summary(summary, self.home)
        for fault in await send(summary, self.file):
            self.progress.log(fault)
        self.night = self.night.model_copy(update={"finished": time.time()})
        self.night.write(self.home)
        return summary

    async def _turn(self, index: int, turn: Turn) -> None:
        """One flow, from wherever it was left."""
        played = self.night.flows[index]
        start = self._champion_now() if played.state == "waiting" else played.start
        student = weights_of(self.home, start) if start else None
        later = self.night.number
        loaded = read_flow(self.file, self.path, turn, self.load, student=student, later=later)
        folder = self.home / played.run
        full = reached(self.file.limits, self._spent(), self.home)
        if played.state == "waiting" and full:
            self._set(index, state="budget", reason=f"not begun: {full}")
            return
        if played.state in ("waiting", "running"):
            self._set(index, state="running", start=start)
            await self._play(index, loaded, folder)
        if self.night.flows[index].state == "ran":
            await self._promote(index, loaded, folder)
        self.runs.append((folder, loaded))

    async def _play(self, index: int, loaded: Loaded, folder: Path) -> None:
        """The run of one flow, within what is left. However it ends, the night knows."""
        own = spent_by([(folder, loaded)])
        others = dataclasses.replace(self._spent(), seconds=self.night.seconds - own.seconds)
        left = budget(self.file.limits, others, loaded.flow.budget)
        limited = dataclasses.replace(loaded, flow=loaded.flow.model_copy(update={"budget": left}))
        self.progress.log(f"{folder.name}: begins from {self.night.flows[index].start or 'its own student'}")
        work = run(limited, RunFolder(folder), self.progress)
        try:
            await within(work, self.file.limits, self.home, self._worked)
            self._set(index, state="ran")
        except BudgetExceeded as error:
            self._set(index, state="ran", ended="budget", reason=error.what)
        except Exception as error:  # whatever a flow meets, the others have their turn
            said = error.what if isinstance(error, SynthError) else f"{type(error).__name__}: {error}"
            self._set(index, state="ran", ended="error", reason=said)
            self.progress.log(f"{folder.name}: {said}")

    async def _promote(self, index: int, loaded: Loaded, folder: Path) -> None:
        """What the gate let through becomes the champion, unless an earlier one did better on a guard."""
        played = self.night.flows[index]
        gates = decisions(folder)
        passed = [number for number, decision in gates.items() if decision.decision == "promote"]
        if not passed:
            told = gates[max(gates)].reason if gates else "no round came to its gate"
            self._set(index, state=played.ended or "kept", reason=played.reason or told)
            return
        champion = self._champion(index, played, passed[-1])
        try:
            now = current(self.home)
            if now is None or now.name != champion.name:
                if worse := below_the_best(self.home, loaded.flow, folder, champion.round):
                    self._set(index, state=played.ended or "kept", reason=f"Kept the champion: {worse}.")
                    return
                await crown(self.home, folder, champion)
            remember(self.home, loaded.flow, folder, champion.round)
        except SynthError as error:
            self._set(index, state="error", ended="error", reason=f"not promoted: {error.what}")
            return
        more = f" Then: {played.reason}" if played.reason else ""
        self._set(index, state="promoted", reason=gates[passed[-1]].reason + more)

    def _champion(self, index: int, played: Played, number: int) -> Champion:
        return Champion(
            name=f"{self.night.number:04d}-{index + 1}",
            night=self.night.name,
            flow=played.flow,
            run=played.run,
            round=number,
            parent=played.start,
        )

    def _champion_now(self) -> str | None:
        champion = current(self.home)
        return champion.name if champion else None

    def _spent(self) -> Spent:
        """Tokens and money of the runs that have ended, and the night's own time."""
        return dataclasses.replace(spent_by(self.runs), seconds=self.night.seconds)

    def _worked(self, seconds: float) -> float:
        self.night = self.night.model_copy(update={"seconds": self.night.seconds + seconds})
        self.night.write(self.home)
        return self.night.seconds

    def _prune(self, ended: str = "") -> None:
        notes = [f"deleted: {what}" for what in prune(self.home, self.file.keep, ended)]
        for note in notes:
            self.progress.log(note)
        self.night = self.night.model_copy(update={"notes": [*self.night.notes, *notes]})
        self.night.write(self.home)

    def _set(self, index: int, **facts: object) -> None:
        flows = list(self.night.flows)
        flows[index] = flows[index].model_copy(update=facts)
        self.night = self.night.model_copy(update={"flows": flows})
        self.night.write(self.home)
