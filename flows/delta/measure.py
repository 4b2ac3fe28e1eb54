"""How far apart the two sides are: `rounds/N/delta.json`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from synth.engine import Result
from synth.flows.delta.params import Params

__all__ = ["DeltaReport", "Side", "measure"]


class Side(BaseModel):
    """The answers of one role, over all prompts that got one."""

    role: str
    mean_length: float
    """Characters."""
    truncated: float
    """Share cut off by the token limit, 0..1."""
    mean_score: float | None
    """Of the verifier; None where it can say nothing of these prompts."""


class DeltaReport(BaseModel):
    """The pairs of one round, as taught: in the reversed control the sides are the reversed ones."""

    prompts: int
    """Prompts that both roles answered."""
    taught: int
    """Pairs (or, in the SFT control, answers) made of them, before curation."""
    chosen: Side
    rejected: Side
    length_ratio: float | None
    """Mean length of the chosen answers over that of the rejected; None where those are empty."""
    identical: float
    """Share of pairs with the same text on both sides, 0..1."""
    score_gap: float | None
    """Mean score of the chosen answers minus that of the rejected: the paper's delta."""
    better: float | None
    """Share of pairs whose chosen answer scores higher, 0..1."""
    worse: float | None
    """Share of pairs whose chosen answer scores lower, 0..1."""
    ladder: list[Side]
    """Further rungs, in the flow file's order."""


def measure(results: Iterable[Result], params: Params) -> DeltaReport:
    """The report of a round from the results of its stage; prompts without two answers are left out."""
    found = list(results)
    rows = [result.output for result in found if result.output]
    roles = [params.chosen, params.second]
    if params.arm == "control-reversed":
        roles.reverse()
    chosen, rejected = (_side(rows, name, role) for name, role in zip(_SIDES, roles, strict=True))
    gaps = [
        row["chosen"]["score"] - row["rejected"]["score"]
        for row in rows
        if all("score" in row[side] for side in _SIDES)
    ]
    return DeltaReport(
        prompts=len(rows),
        taught=sum(len(result.samples) for result in found),
        chosen=chosen,
        rejected=rejected,
        length_ratio=chosen.mean_length / rejected.mean_length if rejected.mean_length else None,
        identical=_mean([row["identical"] for row in rows]) or 0.0,
        score_gap=_mean(gaps),
        better=_mean([gap > 0 for gap in gaps]),
        worse=_mean([gap < 0 for gap in gaps]),
        ladder=[_side(rows, role, role) for role in params.ladder],
    )


_SIDES = ("chosen", "rejected")


def _side(rows: Sequence[Mapping[str, Any]], name: str, role: str) -> Side:
    answers = [row[name] for row in rows if name in row]
    return Side(
        role=role,
        mean_length=_mean([answer["length"] for answer in answers]) or 0.0,
        truncated=_mean([answer["truncated"] for answer in answers]) or 0.0,
        mean_score=_mean([answer["score"] for answer in answers if "score" in answer]),
    )


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
