"""How far our constraint verdicts agree with published ones, type by type.

python -m benchmarks.ifeval_agreement FOLDER

FOLDER holds `input_data.jsonl` (IFEval's prompts) and `reference_outputs/*.jsonl`: one line a
prompt with `response` and `follow_instruction_list`, the verdicts, which are strict unless the
file's name ends with `.loose.jsonl`.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import orjson

from benchmarks.table import Row, show
from synth.config import DataSource
from synth.data import read_questions
from synth.verify.constraints import check

__all__ = ["rows"]

LEAST = 0.995
UNSURE = "keywords:letter_frequency"
"""The one type that is known to differ: for a character that is no letter the published
verifier draws a letter at random."""

Verdicts = tuple[str, bool, bool]  # type, theirs, ours


def rows(folder: Path) -> list[Row]:
    """Agreement of all verdicts, of each type, and the time a response takes."""
    start, verdicts = time.process_time(), list(_verdicts(folder))
    seconds = time.process_time() - start
    asked, same = Counter(kind for kind, _, _ in verdicts), Counter(k for k, a, b in verdicts if a == b)
    held = Counter(kind for kind, theirs, _ in verdicts if theirs)
    total, agreed = len(verdicts), same.total()
    whole = Row(
        f"all {total} verdicts",
        f"{agreed} agree, {agreed / total:.2%}",
        f">= {LEAST:.1%}",
        agreed >= LEAST * total,
    )
    single = [
        Row(
            f"{kind}, {held[kind]} of {asked[kind]} followed",
            f"{same[kind]} agree",
            "" if kind == UNSURE else "all",
            None if kind == UNSURE else same[kind] == asked[kind],
        )
        for kind in sorted(asked)
    ]
    return [whole, *single, Row("CPU a verdict", f"{1000 * seconds / total:.1f} ms")]


def _verdicts(folder: Path) -> Iterator[Verdicts]:
    """One entry a constraint of each stored response."""
    source = DataSource(source=str(folder / "input_data.jsonl"), question="prompt", answer=None)
    prompts = {question.question: question for question in read_questions(source, base=Path())}
    for path in sorted((folder / "reference_outputs").glob("*.jsonl")):
        for line in path.read_bytes().splitlines():
            stored = orjson.loads(line)
            constraints = prompts[stored["prompt"]].meta["constraints"]
            checked = check(stored["response"], constraints)
            ours = checked.loose if path.name.endswith(".loose.jsonl") else checked.strict
            kinds = [one["type"] for one in constraints]
            yield from zip(kinds, stored["follow_instruction_list"], ours, strict=True)


if __name__ == "__main__":
    sys.exit(0 if show(rows(Path(sys.argv[1]))) else 1)
