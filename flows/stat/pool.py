"""The training pool by skill, and what stands in for a skill it has too few questions of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from synth.chat import Dropped
from synth.flows.stat.catalogue import Catalogue
from synth.records import Question

__all__ = ["Pool"]


@dataclass(frozen=True)
class Pool:
    """Shared by all invocations as `extras["pool"]`.

    `stand_ins` maps a scarce skill to `subject: NAME` or `skill: NAME`, from whose questions
    its own are drawn.
    """

    by_id: Mapping[str, Question]
    by_skill: Mapping[str, list[Question]] = field(default_factory=dict)
    by_subject: Mapping[str, list[Question]] = field(default_factory=dict)
    stand_ins: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        questions: Sequence[Question],
        catalogue: Catalogue | None = None,
        asked: Iterable[Question] = (),
        min_items: int = 0,
    ) -> Pool:
        """Index questions; skills of the catalogue with fewer than `min_items` get a stand-in.

        `asked` are further questions that tell which skills go together.
        """
        by_skill: dict[str, list[Question]] = {}
        by_subject: dict[str, list[Question]] = {}
        for question in questions:
            by_subject.setdefault(question.family, []).append(question)
            for skill in question.skills:
                by_skill.setdefault(skill, []).append(question)
        stand_ins = {}
        rich = {skill for skill, found in by_skill.items() if len(found) >= min_items}
        for skill in catalogue.skills if catalogue else ():
            if skill in rich or not min_items:
                continue
            subject = catalogue.subject_of(skill) if catalogue else ""
            near = _nearest(skill, rich, (*questions, *asked))
            if subject and len(by_subject.get(subject, ())) >= min_items:
                stand_ins[skill] = f"subject: {subject}"
            elif near:
                stand_ins[skill] = f"skill: {near}"
        return cls({question.id: question for question in questions}, by_skill, by_subject, stand_ins)

    def of_skill(self, skill: str) -> list[Question]:
        """Questions that train a skill, its own or its stand-in's. Raises `Dropped` if there are none."""
        kind, _, name = self.stand_ins.get(skill, f"skill: {skill}").partition(": ")
        questions = (self.by_subject if kind == "subject" else self.by_skill).get(name)
        if not questions:
            raise Dropped("no-pool", "select", f"the pool has no question for the skill {skill!r}")
        return questions

    def count(self, skill: str) -> int:
        """Its own questions in the pool."""
        return len(self.by_skill.get(skill, ()))


def _nearest(skill: str, rich: set[str], questions: Iterable[Question]) -> str:
    """The skill most often needed together with `skill`; empty if it always stands alone."""
    together = (question.skills for question in questions if skill in question.skills)
    shared = Counter(other for skills in together for other in skills if other in rich)
    return min(shared, key=lambda other: (-shared[other], other), default="")
