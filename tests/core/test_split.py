"""The split of a budget between answers and pairs: a hint only where the paper would do otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from synth.config import FlowFile
from synth.rounds.split import split_hint

WARM = {"data": "pool", "program": "synth.teachers.oracle:task_teacher"}


def flow(objective: str, **more: Any) -> FlowFile:
    written = {
        "flow": "stat",
        "models": {"student": {"model": "m"}},
        "data": {"pool": {"source": "tasks"}},
        "train": {"objective": objective},
        **more,
    }
    return FlowFile.model_validate(written)


@pytest.mark.parametrize(
    ("objective", "examples", "more", "told"),
    [
        ("dpo", 600, {}, "below 1,000 supervised training alone did better"),
        ("dpo", 5000, {}, "up to 10% of them are answers that come first"),
        ("dpo", 5000, {"warm_start": WARM}, ""),
        ("dpo", 400, {"rounds": 3, "warm_start": WARM}, ""),
        ("sft", 600, {}, ""),
        ("sft", 600, {"rounds": 3}, "all 1,800 examples are answers"),
        ("sft", None, {}, ""),
        ("grpo", 5000, {}, ""),
    ],
)
def test_the_hint_follows_the_paper(
    objective: str, examples: int | None, more: dict[str, Any], told: str
) -> None:
    """Few examples: answers alone. Many: some answers first, then pairs. What is rewarded is neither."""
    hint = split_hint(flow(objective, **more), examples)
    assert told in hint and bool(hint) == bool(told)
