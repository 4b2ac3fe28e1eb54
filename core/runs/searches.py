"""What the rounds of a run say of their tree searches (`rounds/N/spar.json`), read back to be looked at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from synth.runs.runfiles import Part, read_json
from synth.runs.trees import SearchTree, some_trees

__all__ = ["Against", "Forest", "SearchFigures", "forest"]


class Against(Part):
    """A judge beside the rule-based checker, over the responses that both have a verdict on."""

    compared: int = 0
    judge_yes: int = 0
    checker_yes: int = 0
    gap: float | None = None
    """Share of Yes of the judge less that of the checker."""


class Searches(Part):
    """The trees of a round; `found` are those in which a refinement passed."""

    trees: int = 0
    found: int = 0
    found_by_depth: dict[int, int] = Field(default_factory=dict)
    refinements_per_tree: float = 0.0


class Spread(Part):
    """A figure of the pairs."""

    median: float


class Pairs(Part):
    """The pairs that were kept: how much of them differs, and in length by how often."""

    kept: int = 0
    edit: Spread | None = None
    ratio: Spread | None = None


class Inference(Part):
    """Held-out prompts answered without and with the search: mean score, 0..1."""

    items: int
    plain: float
    searched: float


class SearchFigures(Part):
    """One round's figures."""

    round: int
    responses: Against = Against()
    refined: Against = Against()
    search: Searches = Searches()
    pairs: Pairs = Pairs()
    inference: Inference | None = None


@dataclass(frozen=True)
class Forest:
    """A few trees of a round, and the figures of its searches and of those before it."""

    trees: list[SearchTree]
    rounds: list[SearchFigures]


def forest(rounds: Path, number: int) -> Forest | None:
    """Of a round of a run, whose rounds are in the folder `rounds`; None where it has no trees."""
    trees = some_trees(rounds / str(number))
    if not trees:
        return None
    found = (read_json(rounds / str(n) / "spar.json", SearchFigures, []) for n in range(1, number + 1))
    return Forest(trees, [figures for figures in found if figures is not None])
