"""The Missing-Skill-Profile: a plain function between STAT's two stages, with its history."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from synth.engine import Result
from synth.flows.stat.quality import DetectorQuality, LabelQuality, detector_quality, label_quality
from synth.measure.stats import wilson
from synth.records import Question

__all__ = ["Earlier", "MissingSkillProfile", "SkillRow", "count_missing", "read_history"]


class Earlier(BaseModel):
    """A skill in the profile of an earlier round."""

    round: int
    asked: int
    difficult: int
    missing: int


class SkillRow(BaseModel):
    """One skill: how many of its questions were asked and failed (`low` to `high` is the 95 %
    interval of that share), how often the teacher named it, and its share of all labels.

    `pool` are its questions in the pool, `stand_in` what is drawn from where they are too few;
    `earlier` is the skill in the rounds before, oldest first.
    """

    skill: str
    asked: int
    difficult: int
    missing: int
    share: float
    low: float
    high: float
    draws: int = 0
    pool: int = 0
    stand_in: str = ""
    earlier: list[Earlier] = []

    @property
    def failed(self) -> float:
        """Share of its questions that were difficult, 0..1."""
        return self.difficult / self.asked if self.asked else 0.0


class MissingSkillProfile(BaseModel):
    """The student's weakness as a histogram over skills, the weakest first.

    `source` is the data set it was taken on, `used` the difficult questions that training
    questions are made for, `unmapped` those asked that no skill is known of; `made` are the training
    examples by the kind of their seed, before curation.
    """

    model_config = ConfigDict(extra="ignore")

    asked: int
    difficult: int
    skills: list[SkillRow]
    round: int = 1
    source: str = "profile"
    used: int = 0
    unmapped: int = 0
    made: dict[str, int] = {}
    detector: DetectorQuality | None = None
    labels: LabelQuality | None = None


def count_missing(
    questions: Sequence[Question],
    results: Iterable[Result],
    history: Sequence[MissingSkillProfile] = (),
    *,
    round: int = 1,
    source: str = "profile",
) -> MissingSkillProfile:
    """The profile of a student from the results of the profile stage and its earlier profiles."""
    skills_of = {question.id: question.skills for question in questions}
    outputs = [result.output for result in results if result.output]
    difficult = [output for output in outputs if output["difficult"]]
    asked = Counter(skill for output in outputs for skill in skills_of[output["id"]])
    failed = Counter(skill for output in difficult for skill in skills_of[output["id"]])
    missing = Counter(skill for output in difficult for skill in output["skills"])
    rows = [
        _row(skill, asked[skill], failed[skill], missing[skill], missing.total(), history)
        for skill in asked.keys() | missing.keys()
    ]
    rows.sort(key=lambda row: (-row.missing, row.skill))
    return MissingSkillProfile(
        asked=len(outputs),
        difficult=len(difficult),
        skills=rows,
        round=round,
        source=source,
        unmapped=sum(not skills_of[output["id"]] for output in outputs),
        detector=detector_quality(outputs),
        labels=label_quality(outputs, questions),
    )


def read_history(rounds: Path, before: int, source: str) -> list[MissingSkillProfile]:
    """The profiles of earlier rounds on the same data set, oldest first; what is not there or cannot
    be read is left out. `rounds` is the run's folder of rounds."""
    found = []
    for number in range(1, before):
        try:
            text = (rounds / str(number) / "profile.json").read_bytes()
            profile = MissingSkillProfile.model_validate_json(text)
        except (OSError, ValidationError):
            continue
        if profile.source == source:
            found.append(profile)
    return found


def _row(
    skill: str, asked: int, failed: int, missing: int, labels: int, history: Sequence[MissingSkillProfile]
) -> SkillRow:
    interval = wilson(failed, asked)
    earlier = [
        Earlier(round=profile.round, asked=row.asked, difficult=row.difficult, missing=row.missing)
        for profile in history
        for row in profile.skills
        if row.skill == skill
    ]
    return SkillRow(
        skill=skill,
        asked=asked,
        difficult=failed,
        missing=missing,
        share=missing / (labels or 1),
        low=interval.low,
        high=interval.high,
        earlier=earlier,
    )
