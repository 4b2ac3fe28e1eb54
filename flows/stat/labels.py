"""Missing-skill labels: what the teacher says a failed answer wants, by one vote or by several."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from pydantic import BaseModel

from synth.agents import Agent
from synth.chat import Dropped
from synth.engine import Context
from synth.flows.stat.catalogue import Catalogue
from synth.flows.stat.params import Params
from synth.records import Question, Sampling

__all__ = ["Label", "Labelling", "MissingSkills", "majority", "overlap"]


class MissingSkills(BaseModel):
    """What the teacher says of a failed question; it does not see the right answer."""

    correct: bool
    reason: str = ""
    skills: list[str]


@dataclass(frozen=True)
class Label:
    """The votes taken together: the missing skills, whether the teacher calls the answer right, how
    far the votes overlap (0..1; None for one vote), the first reason, and labels that are no skills."""

    skills: list[str]
    called_right: bool
    overlap: float | None
    reason: str
    strangers: list[str]


class Labelling:
    """Asks the teacher `label_votes` times for the skills a student's answer wants."""

    def __init__(self, params: Params) -> None:
        self.params = params
        temperature = params.temperature if params.label_votes > 1 else 0.0
        sampling = Sampling(temperature=temperature, max_tokens=params.max_tokens)
        self.teacher = Agent("label", "teacher", "label_skills", MissingSkills, sampling)

    async def __call__(
        self, context: Context, catalogue: Catalogue, question: Question, response: str
    ) -> Label:
        """A vote that came to nothing is left out; raises `Dropped` where all did."""
        shown = catalogue.shown(question.family)
        votes = await asyncio.gather(
            *(
                self.teacher(
                    context,
                    sample=vote,
                    skills=shown,
                    question=question.question,
                    response=response,
                    most=self.params.most_skills,
                )
                for vote in range(self.params.label_votes)
            ),
            return_exceptions=True,
        )
        failed = [vote for vote in votes if isinstance(vote, BaseException)]
        said = [vote for vote in votes if not isinstance(vote, BaseException)]
        # Only a `Dropped` is one vote's own affair; anything else stops the stage.
        grave = [error for error in failed if not isinstance(error, Dropped)]
        if grave or not said:
            raise (grave or failed)[0]
        read = [catalogue.read(vote.skills, question.family) for vote in said]
        named = [skills for skills, _ in read]
        return Label(
            skills=majority(named)[: self.params.most_skills],
            called_right=2 * sum(vote.correct for vote in said) > len(said),
            overlap=overlap(named),
            reason=said[0].reason,
            strangers=[label for _, strangers in read for label in strangers],
        )


def majority(votes: Sequence[Sequence[str]]) -> list[str]:
    """What more than half of the votes name, the most named first, then in the order named."""
    counts = Counter(name for vote in votes for name in dict.fromkeys(vote))
    return [name for name, count in counts.most_common() if 2 * count > len(votes)]


def overlap(votes: Sequence[Sequence[str]]) -> float | None:
    """Mean share of labels that two votes have in common (Jaccard), 0..1; None for a single vote."""
    pairs = [(set(one), set(other)) for one, other in combinations(votes, 2)]
    shares = [len(one & other) / len(one | other) if one | other else 1.0 for one, other in pairs]
    return sum(shares) / len(shares) if shares else None
