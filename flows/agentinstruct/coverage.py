"""What a round covers: the tree of skills and types with counts, evenness, repetition and drops."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from synth.data.documents.near import NearDuplicates
from synth.engine import Result
from synth.flows.agentinstruct.skill import Skill
from synth.records import Sample, content_id

__all__ = ["coverage", "evenness"]


@dataclass
class _Node:
    """One type, or one skill with all its types. `words` are of the answers."""

    kept: int = 0
    refined: int = 0
    near: int = 0
    words: int = 0
    hard: int = 0
    tried: int = 0
    transformations: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)

    def see(self, sample: Sample, near: bool) -> None:
        self.kept += 1
        self.refined += bool(sample.meta["refinement"])
        self.near += near
        self.words += sum(len(message["content"].split()) for message in sample.completion or ())
        self.transformations[sample.meta["transformation"]] += 1
        for verdict in sample.verdicts:
            if (verdict.by, verdict.name) == ("student", "solved"):
                self.tried += 1
                self.hard += not verdict.value

    def info(self) -> dict[str, Any]:
        # An agent that found nothing to ask lost no item.
        dropped = self.rejected.total() - self.rejected["no-task"]
        solved = self.tried + self.rejected["too-easy"]
        return {
            "kept": self.kept,
            "rejected": dropped,
            "yield": round(self.kept / (self.kept + dropped), 4) if self.kept + dropped else None,
            "refined": self.refined,
            "near_duplicates": round(self.near / self.kept, 4) if self.kept else 0.0,
            "words": round(self.words / self.kept, 1) if self.kept else 0.0,
            "difficulty": round(self.hard / solved, 4) if solved else None,
            "reasons": dict(self.rejected),
        }


def coverage(results: Iterable[Result], skills: Mapping[str, Skill]) -> dict[str, Any]:
    """The coverage of a stage from its results, one at a time.

    `yield` is the share of items kept, `difficulty` the share of them the student did not solve
    (where it was asked), `near_duplicates` the share of tasks resembling an earlier one, `words`
    the mean length of an answer, `entropy` the evenness over types: 1 where all come equally often.
    """
    tree = {name: {part.name: _Node() for part in skill.types} for name, skill in skills.items()}
    totals = {name: _Node() for name in skills}
    everything, known = _Node(), NearDuplicates(0.7)
    for result in results:
        for sample in result.samples:
            if sample.meta["turn"]:
                continue
            near = not known.add(_marked(sample))
            skill, kind = sample.meta["skill"], sample.meta["type"]
            for node in (everything, totals[skill], tree[skill][kind]):
                node.see(sample, near)
        for rejection in result.rejections:
            skill, kind = rejection.data.get("skill", ""), rejection.data.get("type", "")
            named = [node for node in (totals.get(skill), tree.get(skill, {}).get(kind)) if node]
            for node in (everything, *named):
                node.rejected[rejection.reason] += 1
    return {
        **everything.info(),
        "entropy": evenness([node.kept for nodes in tree.values() for node in nodes.values()]),
        "skills": {name: _skill(totals[name], tree[name], skills[name]) for name in skills},
    }


def _marked(sample: Sample) -> str:
    """The task, each word with a mark of the text it is about: the same task about another text is
    another one."""
    task, about = str(sample.meta["task"]), str(sample.meta["question"])
    text = about.removesuffix(task).strip()
    mark = content_id(text)[:6] if text else ""
    return " ".join(f"{word}{mark}" for word in task.split())


def _skill(total: _Node, types: Mapping[str, _Node], skill: Skill) -> dict[str, Any]:
    names = [part.name for part in skill.transformations]
    return {
        **total.info(),
        "entropy": evenness([node.kept for node in types.values()]),
        "transformations": {name: total.transformations[name] for name in names},
        "types": {name: {**node.info(), "origin": skill.type(name).origin} for name, node in types.items()},
    }


def evenness(counts: Iterable[int]) -> float:
    """Shannon entropy of counts over the largest it could be: 1 is even, 0 all in one place."""
    counted = list(counts)
    whole = sum(counted)
    if len(counted) < 2 or not whole:
        return 0.0
    shares = [count / whole for count in counted if count]
    return round(-sum(share * math.log(share) for share in shares) / math.log(len(counted)), 4)
