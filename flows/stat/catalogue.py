"""The skill catalogue: which skills there are, by subject."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import yaml

from synth.errors import DataError
from synth.records import Question

__all__ = ["Catalogue", "read_catalogue"]

ALIKE = 0.8
"""How alike a label must be to a skill to be taken for it (difflib's ratio, 0..1)."""


@dataclass(frozen=True)
class Catalogue:
    """Subject -> its skills. The subject of a question is its `family`; without subjects all
    skills stand under the empty one."""

    subjects: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, questions: Iterable[Question]) -> Catalogue:
        """All skills that questions name, without subjects. Raises `DataError` if they name none."""
        skills = {skill for question in questions for skill in question.skills}
        if not skills:
            raise DataError(
                "STAT needs the skills of its questions, and neither the pool nor the profile set names any",
                "say which field holds them: skill: FIELD under data.pool and data.profile; "
                "or give 'with.catalogue' a file of skills, or 'teacher'",
            )
        return cls({"": tuple(sorted(skills))})

    @property
    def skills(self) -> tuple[str, ...]:
        """All skills, each once."""
        return tuple(dict.fromkeys(skill for skills in self.subjects.values() for skill in skills))

    def shown(self, subject: str) -> tuple[str, ...]:
        """What the teacher may choose from: the subject's own list, or all where it has none."""
        return self.subjects.get(subject) or self.skills

    def subject_of(self, skill: str) -> str:
        """The first subject that has the skill; empty if there is none."""
        return next((subject for subject, skills in self.subjects.items() if skill in skills), "")

    def read(self, labels: Sequence[str], subject: str) -> tuple[list[str], list[str]]:
        """The teacher's labels as skills shown to it, each once, and those that are like none.

        A label that is spelled otherwise is taken for the nearest skill.
        """
        shown = self.shown(subject)
        folded = {skill.casefold(): skill for skill in reversed(shown)}
        skills: dict[str, None] = {}
        strangers = []
        for label in labels:
            if label in shown:
                skills[label] = None
                continue
            near = get_close_matches(label.strip().casefold(), list(folded), 1, ALIKE)
            if near:
                skills[folded[near[0]]] = None
            else:
                strangers.append(label)
        return list(skills), strangers


def read_catalogue(path: Path) -> Catalogue:
    """A catalogue from a YAML file: subject -> list of skills, or one list. Raises `DataError`."""
    cure = "write subject: [skill, skill, ...], as docs/flows/stat.md shows"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError(f"the skill catalogue {path} cannot be read: {error}", cure) from error
    named = {"": content} if isinstance(content, list) else content
    if not isinstance(named, dict) or not named:
        raise DataError(f"the skill catalogue {path} holds no subjects", cure)
    subjects = {}
    for subject, skills in named.items():
        if not isinstance(skills, list) or not skills or not all(isinstance(s, str) and s for s in skills):
            raise DataError(f"the skill catalogue {path} has no list of skills under {subject!r}", cure)
        subjects[str(subject)] = tuple(dict.fromkeys(skills))
    return Catalogue(subjects)
