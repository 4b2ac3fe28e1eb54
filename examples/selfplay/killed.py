"""Three rounds of self-play that are killed twice, and go on by the same command.

    python examples/selfplay/killed.py                      # the tiny student, some minutes
    python examples/selfplay/killed.py --profile smollm2    # SmolLM2-135M
    python examples/selfplay/killed.py --kills 0            # without a kill

The process of `synth run` gets SIGKILL, as by a power cut: first while data are made in round 1, then
while the student of round 2 is trained. At the end stand the decisions, the forecast and the receipt.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from synth.runs.audit import Audit, audit
from synth.runs.overview import RunSummary
from synth.runs.runfiles import read_journal
from synth.runs.summary import summarize

FLOW = Path(__file__).with_name("flow.yaml")
Moment = tuple[str, Callable[[Path], bool]]


def making(folder: Path) -> bool:
    """Whether some of round 1's data are made."""
    return read_journal(folder / "journal.db").results.get("1/make", (0,))[0] >= 100


def training(folder: Path) -> bool:
    """Whether the student of round 2 has taken some steps."""
    log = folder / "rounds" / "2" / "train" / "log.jsonl"
    return log.exists() and log.read_bytes().count(b"\n") >= 10


MOMENTS: tuple[Moment, ...] = (("round 1 makes its data", making), ("round 2 trains", training))


def main() -> int:
    """Run, kill, go on; 1 where anything was lost or doubled."""
    asked = _arguments()
    folder = asked.runs / asked.name
    command = [sys.executable, "-m", "synth.cli.main", "run", str(FLOW)]
    command += ["--name", asked.name, "--runs", str(asked.runs)]
    command += ["--profile", asked.profile] if asked.profile else []
    command += [part for value in asked.set for part in ("--set", value)]
    for what, come in MOMENTS[: asked.kills]:
        if come(folder):
            continue  # passed by an earlier start of this script
        status = until(command, come, folder)
        if status is not None:
            return status
        print(f"\n== killed while {what}; the same command goes on\n", flush=True)
    status = subprocess.run(command, check=False).returncode
    if status:
        return status
    receipt = audit(folder)
    print("\n".join(told(summarize(folder), receipt)))
    return 0 if receipt.sound else 1


def until(
    command: Sequence[str], come: Callable[[Path], bool], folder: Path, look: float = 0.3
) -> int | None:
    """Start the command and kill it at the moment; its own status where it ended before."""
    process = subprocess.Popen(command)
    while not come(folder):
        if process.poll() is not None:
            return process.returncode
        time.sleep(look)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    return None


def told(run: RunSummary, receipt: Audit) -> list[str]:
    """What came of it, a line a round, and the receipt."""
    decided = [(one.number, one.decision) for one in run.rounds if one.decision]
    lines = [f"round {number}: {decision.decision}: {decision.reason}" for number, decision in decided]
    lines.append(
        f"{receipt.starts} starts; {receipt.sent} calls sent, {receipt.paid} paid, {receipt.replayed} "
        f"replayed, {receipt.repeated} repeated; lost {receipt.lost}, duplicated {receipt.duplicated}"
    )
    return lines


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--profile", help="smollm2: the real small model")
    parser.add_argument("--name", default="selfplay")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--kills", type=int, choices=range(len(MOMENTS) + 1), default=len(MOMENTS))
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
