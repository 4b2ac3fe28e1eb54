"""A skill: one YAML file with its transformations, its taxonomy of tasks, its refinement goals and checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from synth.config.locate import locate
from synth.config.suggest import nearest
from synth.data.documents.passage import Kind
from synth.errors import DataError, SynthError
from synth.flows.agentinstruct.forms import FORMS

__all__ = ["Goal", "Skill", "TaskType", "Transformation", "load_skills"]

BUILT_IN = Path(__file__).parent / "skills"
Origin = Literal["paper", "ours"]
"""`paper`: in the list the paper publishes; `ours`: where it publishes none."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Transformation(_Part):
    """A content-transformation agent: what it makes of a seed before tasks are written."""

    name: str
    ask: str = ""
    """What to make of the text; nothing for a copy."""
    makes: Literal["text", "copy", "apis"] = "text"
    """`copy` passes the seed on as it is; `apis` describes functions a program could call."""
    grow: Literal["", "hypothesise", "retrieve"] = ""
    """How a list of APIs grows: by imagining the rest of the library, or from similar code."""
    origin: Origin = "ours"


class TaskType(_Part):
    """A seed-instruction agent: the kind of task it writes, and the form task and answer have."""

    name: str
    ask: str
    form: str
    after: tuple[str, ...] = ()
    """Transformations after which it is of use; all when left out."""
    expect: Literal["", "abstain"] = ""
    """`abstain`: the right answer is that the text does not say."""
    calls: Literal["", "one", "many", "none"] = ""
    """Tool use: how many functions must be called."""
    checks: tuple[Literal["in-text", "fails-first"], ...] = ()
    """Further checks. `in-text`: the answer occurs in the text. `fails-first`: the code that the task
    quotes fails its tests."""
    origin: Origin = "ours"


class Goal(_Part):
    """A refinement goal: where the suggester may take a task, and what must then hold."""

    name: str
    ask: str
    expect: Literal["", "abstain", "differ"] = ""
    """`abstain`: the new text no longer answers it; `differ`: the answer is another one."""
    origin: Origin = "ours"


class Skill(_Part):
    """One skill. A file of its own adds one; see docs/flows/agentinstruct.md."""

    skill: str
    about: str
    takes: tuple[Kind, ...] = ("prose",)
    """Kinds of passages it starts from."""
    context: bool = True
    """Whether the student sees the text with the task."""
    transformations: tuple[Transformation, ...] = Field(min_length=1)
    types: tuple[TaskType, ...] = Field(min_length=1)
    refinements: tuple[Goal, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Skill:
        names = [part.name for part in self.transformations]
        for part in self.types:
            if part.form not in FORMS:
                raise ValueError(
                    f"type {part.name!r} has the form {part.form!r}; {_choose(part.form, FORMS)}"
                )
            for name in part.after:
                if name not in names:
                    raise ValueError(f"type {part.name!r} comes after {name!r}; {_choose(name, names)}")
        for transformation in self.transformations:
            if transformation.makes != "copy" and not transformation.ask:
                raise ValueError(f"transformation {transformation.name!r} says nothing under 'ask'")
            if not self.types_after(transformation.name):
                raise ValueError(f"no type is of use after the transformation {transformation.name!r}")
        for group in (names, [part.name for part in self.types], [part.name for part in self.refinements]):
            if len(set(group)) < len(group):
                raise ValueError(f"a name stands twice among {', '.join(group)}")
        return self

    def transformation(self, name: str) -> Transformation:
        """The transformation of that name."""
        return next(part for part in self.transformations if part.name == name)

    def type(self, name: str) -> TaskType:
        """The task type of that name."""
        return next(part for part in self.types if part.name == name)

    def types_after(self, transformation: str) -> tuple[TaskType, ...]:
        """The types that are of use after a transformation."""
        return tuple(part for part in self.types if not part.after or transformation in part.after)


def load_skills(
    named: Sequence[str],
    flow_file: Path,
    types: Mapping[str, Sequence[str]] | None = None,
    transformations: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Skill]:
    """Skills by name: built-in ones, and those of YAML files or folders; all built-in ones if none is
    named. `types` and `transformations` narrow a skill to some of them; what they say of built-in
    skills that are not used changes nothing. Raises `DataError`."""
    built_in = {path.stem: path for path in sorted(BUILT_IN.glob("*.yaml"))}
    files: list[Path] = []
    for name in named or built_in:
        found = built_in.get(name) or locate(name, flow_file)
        if found is None:
            raise DataError(
                f"there is no skill {name!r}", f"{_choose(name, built_in)}, or a YAML file or folder"
            )
        files += sorted(found.glob("*.yaml")) if found.is_dir() else [found]
    if not files:
        raise DataError(f"{', '.join(named)}: no skill there", "a folder of skills holds .yaml files")
    skills = {skill.skill: skill for skill in map(_read, files)}
    for name in (*(types or {}), *(transformations or {})):
        if name not in skills and name not in built_in:
            raise DataError(f"parts of a skill {name!r} are named; there is none", _choose(name, skills))
    return {
        name: _narrowed(skill, (types or {}).get(name, ()), (transformations or {}).get(name, ()))
        for name, skill in skills.items()
    }


def _narrowed(skill: Skill, types: Sequence[str], changes: Sequence[str]) -> Skill:
    """The skill with these types and transformations only, and nothing left that serves none."""
    kinds = {part.name: part for part in skill.types}
    ways = {part.name: part for part in skill.transformations}
    _check_names(skill.skill, types, list(kinds))
    _check_names(skill.skill, changes, list(ways))
    left = tuple(kinds[name] for name in types or kinds)
    chosen = [ways[name] for name in changes or ways]
    useful = tuple(part for part in chosen if any(not t.after or part.name in t.after for t in left))
    reached = tuple(t for t in left if not t.after or any(part.name in t.after for part in useful))
    if not useful or not reached:
        raise DataError(
            f"{skill.skill}: none of the types named comes after a transformation named",
            "name more of either",
        )
    return skill.model_copy(update={"types": reached, "transformations": useful})


def _check_names(skill: str, names: Sequence[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            raise DataError(f"{skill} has no part {name!r}", _choose(name, known))


@lru_cache(maxsize=256)
def _read(path: Path) -> Skill:
    try:
        return Skill.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SynthError(f"{path} is not a readable YAML file: {error}", "mend it") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SynthError(
            f"{path}: {where or 'the skill'}: {first['msg']}", "see the built-in skills"
        ) from error


def _choose(name: str, known: Sequence[str] | Mapping[str, object]) -> str:
    near = nearest(name, list(known))
    return f"did you mean {near!r}?" if near else f"write one of: {', '.join(known)}"
