"""The bold-sections experiment in all its arms, and the table of what came out.

    python examples/delta_sections/arms.py                 # SmolLM2-135M
    python examples/delta_sections/arms.py --profile tiny --seed 1
    python examples/delta_sections/arms.py --table         # of the runs there are, without running any

Every arm is a run of flows/delta.yaml, from the same base student, on the same prompts and at the
same learning rate. An interrupted experiment goes on where it stopped; finished arms are not run again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from synth.measure.stats import holm, wilcoxon
from synth.verify.sections import headings

FLOW = Path(__file__).parents[2] / "flows" / "delta.yaml"
ARMS: dict[str, tuple[str, ...]] = {
    "3>2": ("with.arm=fixed",),
    "2>3": ("with.arm=control-reversed",),
    "3=3": ("with.arm=control-tied",),
    "SFT-3": ("with.arm=control-sft", "train.objective=sft"),
}
"""What each arm changes in the flow file."""


@dataclass(frozen=True)
class Outcome:
    """One arm: sections an answer before and after, item by item, and what the answers look like."""

    arm: str
    before: list[float]
    after: list[float]
    distinct: float
    """Mean number of different headings after."""
    characters: float
    """Mean length of an answer after."""

    @property
    def p_value(self) -> float:
        """Wilcoxon's signed-rank test of after against before, two-sided; 1 if no item changed."""
        return wilcoxon([a - b for b, a in zip(self.before, self.after, strict=True)])


def main() -> int:
    """Run what is missing, print the table; returns the first failed run's status."""
    asked = _arguments()
    for arm in asked.arms:
        folder = _folder(asked, arm)
        if asked.table or (folder / "rounds" / "1" / "gate.json").exists():
            continue
        print(f"== {arm}: {folder}", flush=True)
        done = subprocess.run(_command(asked, arm), check=False)
        if done.returncode:
            return done.returncode
    found = [outcome for arm in asked.arms if (outcome := read(arm, _folder(asked, arm)))]
    print(table(found) if found else "no arm has finished")
    return 0


def read(arm: str, folder: Path) -> Outcome | None:
    """The outcome of an arm from its run's folder; None if it has not come so far."""
    before, after = (
        _judged(folder / "rounds" / "1" / "eval" / f"{name}.jsonl") for name in ("before", "after")
    )
    if not after:
        return None
    ids = sorted(before)
    texts = [after[item]["response"] for item in ids]
    return Outcome(
        arm,
        [before[item]["score"] for item in ids],
        [after[item]["score"] for item in ids],
        mean(len(set(headings(text))) for text in texts),
        mean(map(len, texts)),
    )


def table(outcomes: Sequence[Outcome]) -> str:
    """A line an arm; p is adjusted by Holm for the number of arms."""
    lines = ["arm      base   after  change   distinct  characters        p   p (Holm)    n"]
    adjusted = holm([outcome.p_value for outcome in outcomes])
    for found, p in zip(outcomes, adjusted, strict=True):
        before, after = mean(found.before), mean(found.after)
        lines.append(
            f"{found.arm:6} {before:6.2f}  {after:6.2f}  {after - before:+6.2f}  {found.distinct:9.2f}"
            f"  {found.characters:10.0f}  {found.p_value:7.1g}  {p:9.1g}  {len(found.before):3}"
        )
    return "\n".join(lines)


def _judged(path: Path) -> dict[str, dict[str, Any]]:
    if not path.exists():
        return {}
    records = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return {record["id"]: record for record in records}


def _command(asked: argparse.Namespace, arm: str) -> list[str]:
    overrides = [*ARMS[arm], f"seed={asked.seed}", f"train.seed={asked.seed}", *asked.set]
    profile = ["--profile", asked.profile] if asked.profile else []
    sets = [word for override in overrides for word in ("--set", override)]
    folder = _folder(asked, arm)
    command = [sys.executable, "-m", "synth.cli.main", "run", str(FLOW), *profile, *sets]
    return [*command, "--runs", str(folder.parent), "--name", folder.name]


def _folder(asked: argparse.Namespace, arm: str) -> Path:
    slug = arm.replace(">", "-over-").replace("=", "-tied-")
    parts = [asked.name, *([asked.profile] if asked.profile else []), slug.lower(), f"seed{asked.seed}"]
    return Path(asked.runs) / "-".join(parts)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--profile", help="profile of the flow file, such as tiny")
    parser.add_argument("--seed", type=int, default=0, help="seed of curation and training")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="for all arms alike")
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS), help="by default all")
    parser.add_argument("--name", default="sections", help="how the runs' names begin")
    parser.add_argument("--runs", default="runs", help="folder of all runs")
    parser.add_argument("--table", action="store_true", help="run nothing")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
