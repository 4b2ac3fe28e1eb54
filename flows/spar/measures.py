"""What one round of SPaR says of itself: `rounds/N/spar.json`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, median
from typing import Any

from pydantic import BaseModel, Field, computed_field

from synth.engine import Result

__all__ = ["Gap", "Inference", "Measures", "Pairs", "Searches", "Spread", "measure"]


class Gap(BaseModel):
    """The judge beside the rule-based checker, where a prompt's constraints can be checked."""

    compared: int = 0
    judge_yes: int = 0
    checker_yes: int = 0
    false_yes: int = 0
    """Yes of the judge, not of the checker."""
    false_no: int = 0
    """The other way round."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def gap(self) -> float | None:
        """Share of Yes of the judge less that of the checker: above 0 the judge is too kind."""
        return round((self.judge_yes - self.checker_yes) / self.compared, 4) if self.compared else None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def agreement(self) -> float | None:
        """Share of responses on which both say the same."""
        return round(1 - (self.false_yes + self.false_no) / self.compared, 4) if self.compared else None

    def see(self, judge: bool | None, checker: bool | None) -> None:
        """Count one response, if both have a verdict."""
        if judge is None or checker is None:
            return
        self.compared += 1
        self.judge_yes += judge
        self.checker_yes += checker
        self.false_yes += judge and not checker
        self.false_no += checker and not judge


class Searches(BaseModel):
    """The trees of a round."""

    trees: int = 0
    found: int = 0
    """Trees in which a refinement passed the gate."""
    found_by_depth: dict[int, int] = Field(default_factory=dict)
    """Depth of the refinement that passed -> trees."""
    refinements: int = 0
    """Asked for, over all trees."""
    refinements_per_tree: float = 0.0
    unread: int = 0
    """Refinements that could not be read after all attempts."""
    undecided: int = 0
    """Nodes discarded because no majority came about."""


class Spread(BaseModel):
    """Mean, median and the nine-tenths point of a figure."""

    mean: float
    median: float
    p90: float

    @classmethod
    def of(cls, figures: Sequence[float]) -> Spread | None:
        """None of no figures."""
        if not figures:
            return None
        ordered = sorted(figures)
        p90 = ordered[min(len(ordered) - 1, int(0.9 * len(ordered)))]
        return cls(mean=round(fmean(ordered), 4), median=round(median(ordered), 4), p90=round(p90, 4))


class Pairs(BaseModel):
    """The actor's pairs that were kept, and what was wrong with which."""

    kept: int = 0
    dropped: dict[str, int] = Field(default_factory=dict)
    """Reason -> pairs, or failed responses of which none came."""
    faults: dict[str, int] = Field(default_factory=dict)
    """Faults of kept pairs."""
    edit: Spread | None = None
    """Edit distance as a share of the longer answer."""
    ratio: Spread | None = None
    """Longer answer's length over the shorter one's."""


class Inference(BaseModel):
    """Held-out prompts by the student this round began with: mean score with and without the search."""

    items: int
    plain: float
    searched: float


class Measures(BaseModel):
    """One round. Shares are of 1."""

    round: int
    arm: str
    prompts: int = 0
    judged: dict[str, int] = Field(default_factory=dict)
    """Responses of the actor by the majority's verdict: yes, no, undecided."""
    failing: float = 0.0
    """Share of No among the decided."""
    prompts_failed: int = 0
    """Prompts with at least one response judged No."""
    responses: Gap = Field(default_factory=Gap)
    """Judge and checker on the actor's responses."""
    refined: Gap = Field(default_factory=Gap)
    """Judge and checker on refinements, where a judge is asked about its own kind of text."""
    search: Searches = Field(default_factory=Searches)
    pairs: Pairs = Field(default_factory=Pairs)
    refiner_made: dict[str, int] = Field(default_factory=dict)
    """Samples for the refiner by kind, before the caps."""
    refiner_kept: dict[str, int] = Field(default_factory=dict)
    inference: Inference | None = None


def measure(round_number: int, arm: str, results: Iterable[Result]) -> Measures:
    """Figures of a round from the results of its stage `play`, in one pass."""
    made = Measures(round=round_number, arm=arm)
    verdicts: Counter[str] = Counter()
    edits: list[float] = []
    ratios: list[float] = []
    faults: Counter[str] = Counter()
    dropped: Counter[str] = Counter()
    lessons: Counter[str] = Counter()
    for result in results:
        if result.output:
            made.prompts += 1
            _see_responses(result.output["responses"], verdicts, made)
            if result.output["tree"]:
                _see_tree(result.output["tree"], made)
        for sample in result.samples:
            kind = sample.meta["kind"]
            if kind != "pair":
                lessons[kind] += 1
                continue
            made.pairs.kept += 1
            edits.append(sample.meta["edit"])
            ratios.append(sample.meta["ratio"])
            faults.update(sample.meta["faults"])
        dropped.update(rejection.reason for rejection in result.rejections if rejection.node == "pair")
    decided = verdicts["yes"] + verdicts["no"]
    made.judged = dict(verdicts)
    made.failing = round(verdicts["no"] / decided, 4) if decided else 0.0
    made.pairs.edit, made.pairs.ratio = Spread.of(edits), Spread.of(ratios)
    made.pairs.faults, made.pairs.dropped = dict(faults), dict(dropped)
    made.refiner_made = dict(lessons)
    trees = made.search.trees
    made.search.refinements_per_tree = round(made.search.refinements / trees, 2) if trees else 0.0
    return made


def _see_responses(responses: Sequence[Mapping[str, Any]], verdicts: Counter[str], made: Measures) -> None:
    for response in responses:
        verdict = response["verdict"]
        verdicts["undecided" if verdict is None else "yes" if verdict else "no"] += 1
        made.responses.see(verdict, response["checked"])
    made.prompts_failed += any(response["verdict"] is False for response in responses)


def _see_tree(tree: Mapping[str, Any], made: Measures) -> None:
    search = made.search
    search.trees += 1
    search.refinements += tree["asked"]
    refined = tree["nodes"][1:]
    search.unread += tree["asked"] - len(refined)
    if tree["found"] is not None:
        search.found += 1
        depth = tree["nodes"][tree["found"]]["depth"]
        search.found_by_depth[depth] = search.found_by_depth.get(depth, 0) + 1
    for node in refined:
        search.undecided += node["value"] is None
        verdict = None if node["value"] is None else node["value"] > 0.5
        made.refined.see(verdict, node["checked"])
