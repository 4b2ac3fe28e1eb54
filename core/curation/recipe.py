"""Keep what is good, and give rows back to the categories that lost most: as TuluTalk (arXiv 2506.06522)."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from pydantic import BaseModel

from synth.config.selection import LEVELS, Level, Rebalance, Recipe
from synth.curation.balance import tags
from synth.curation.step import Check, Fault
from synth.records import Sample, Verdict

__all__ = ["Tags", "by_recipe", "tagged", "turns"]

BY = "recipe"
Category = Literal[
    "information seeking",
    "reasoning",
    "planning",
    "editing",
    "coding",
    "maths",
    "role playing",
    "data analysis",
    "creative writing",
    "advice",
    "brainstorming",
    "other",
]
"""Magpie's task categories (arXiv 2406.08464)."""


class Tags(BaseModel):
    """What a model says of a sample."""

    category: Category
    input_quality: Level
    difficulty: Literal["very easy", "easy", "medium", "hard", "very hard"]
    language: str
    safe: bool


def turns(sample: Sample) -> str:
    """`single` or `multi`, by how often the user speaks."""
    return "multi" if sum(message["role"] == "user" for message in sample.prompt) > 1 else "single"


def tagged(sample: Sample, said: Tags) -> Sample:
    """The sample with the tags as verdicts; a judge's coarser difficulty gives way to theirs."""
    values: dict[str, str | bool] = {**said.model_dump(), "turns": turns(sample)}
    verdicts = [Verdict(by="tagger", name=name, value=value) for name, value in values.items()]
    others = [verdict for verdict in sample.verdicts if verdict.name not in values]
    return sample.model_copy(update={"verdicts": (*others, *verdicts)})


def by_recipe(rule: Recipe, samples: Sequence[Sample], seed: int) -> Check:
    """A step for these samples. What the tagger or the judge did not speak of passes."""
    faults = {sample.id: fault for sample in samples if (fault := _fault(sample, rule)) is not None}
    back = _given_back(rule, rule.rebalance, samples, faults, seed) if rule.rebalance else {}

    def check(sample: Sample) -> Sample | Fault:
        if sample.id in back:
            verdict = Verdict(by=BY, name="rebalanced", value=back[sample.id])
            return sample.model_copy(update={"verdicts": (*sample.verdicts, verdict)})
        return faults.get(sample.id, sample)

    return check


def _given_back(
    rule: Recipe, wider: Rebalance, samples: Iterable[Sample], faults: Mapping[str, Fault], seed: int
) -> dict[str, str]:
    """Id -> category of the dropped samples that come back. A sample of several categories counts in all."""
    before, kept = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    spare: defaultdict[tuple[str, str], list[Sample]] = defaultdict(list)
    loose = rule.model_copy(update={"input_quality": wider.input_quality, "reward": wider.reward})
    for sample in samples:
        found = [(sample.learner, tag) for tag in tags(sample, wider.by)]
        before.update(found)
        if sample.id not in faults:
            kept.update(found)
        elif _fault(sample, loose) is None:
            for key in found:
                spare[key].append(sample)
    back: dict[str, str] = {}
    for (learner, tag), rows in sorted(spare.items()):
        every, left = (sum(n for key, n in count.items() if key[0] == learner) for count in (before, kept))
        missing = int(before[learner, tag] / every * left) - kept[learner, tag]
        random.Random(f"{seed}/recipe/{tag}").shuffle(rows)
        rows.sort(key=_worth, reverse=True)
        back |= {sample.id: tag for sample in rows[: max(0, missing)]}
    return back


def _fault(sample: Sample, rule: Recipe) -> Fault | None:
    """What is wrong with a sample by its tags, the gravest first."""
    said = {verdict.name: verdict.value for verdict in sample.verdicts}
    if rule.safe and said.get("safe") is False:
        return Fault("unsafe", "the tagger calls it unsafe")
    language = str(said.get("language", ""))
    if rule.languages and language and language not in rule.languages:
        return Fault("language", f"{language}, wanted {', '.join(rule.languages)}")
    level = str(said.get("input_quality", LEVELS[-1]))
    if _rank(level) < _rank(rule.input_quality):
        return Fault("low-input-quality", f"the request is {level}, at least {rule.input_quality} wanted")
    if (reward := float(said.get("quality", 5))) < rule.reward:
        return Fault("low-reward", f"{reward:g} of 5, at least {rule.reward} wanted")
    return None


def _worth(sample: Sample) -> tuple[float, int]:
    said = {verdict.name: verdict.value for verdict in sample.verdicts}
    return float(said.get("quality", 5)), _rank(str(said.get("input_quality", LEVELS[-1])))


def _rank(level: str) -> int:
    return [str(known) for known in LEVELS].index(level)
