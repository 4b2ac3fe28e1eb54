"""Parameters of AgentInstruct, with the paper's values where it gives them (arXiv 2407.03502)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from synth.data.documents import DocumentSource
from synth.engine import FlowParams
from synth.sandbox import Limits

__all__ = ["Params"]


class Params(FlowParams):
    """What `with:` may hold in an AgentInstruct flow file."""

    arm: Literal["faithful", "fixed", "control-identity", "control-unrefined", "control-format"] = "fixed"
    """`faithful`: as published, nothing checked and nothing dropped. `fixed`: every item passes its
    checks. `control-identity`: no seed is transformed. `control-unrefined`: no task is refined.
    `control-format`: answers swapped among the tasks of a type, so that only their form is right."""
    seeds: tuple[DocumentSource, ...] = Field(default=(DocumentSource(source="."),), min_length=1)
    """Where raw documents come from."""
    skills: tuple[str, ...] = ()
    """Built-in skills by name, and YAML files or folders of one's own; all built-in ones when empty."""
    types: dict[str, tuple[str, ...]] | None = None
    """Skill -> the task types to make; all of them where a skill is not named."""
    transformations: dict[str, tuple[str, ...]] | None = None
    """Skill -> the transformations to choose from; all of them where a skill is not named."""
    limit: int | None = Field(default=None, gt=0)
    """Passages to start from, drawn uniformly; all when left out."""
    least: int = Field(default=48, gt=0)
    """Fewest tokens of a passage."""
    most: int = Field(default=384, gt=0)
    """Most tokens of a passage."""
    tokenizer: str | None = None
    """A tokenizer.json, or a model's folder, to count with; by default four bytes are a token."""
    near_duplicates: float | None = Field(default=0.8, gt=0, le=1)
    """Jaccard similarity of five-word shingles from which a passage is a repetition; null keeps all."""
    licences: tuple[str, ...] = ()
    """Licences a document may have; any when empty."""
    skills_per_seed: int | None = Field(default=None, gt=0)
    """Skills a passage is used for; every one that takes its kind when left out."""
    balance: bool = True
    """Skills, transformations and types are dealt in turn, so that each comes equally often; else
    each is drawn by chance, as in the paper."""
    types_per_seed: int = Field(default=3, gt=0)
    """Instruction agents that see a transformed seed. Not in the paper."""
    tasks: int = Field(default=2, gt=0)
    """Most tasks an instruction agent may list. Not in the paper."""
    refinements: int = Field(default=1, ge=0)
    """Rounds of suggesting and editing. Not in the paper, which says only that they are iterated."""
    suggestions: int = Field(default=1, gt=0)
    """Suggestions taken up for each task and round. Not in the paper."""
    samples: int = Field(default=3, gt=0)
    """Independent answers to a task whose answers can be compared. The paper has one."""
    agreement: int = Field(default=2, gt=0)
    """How many of them must be the same."""
    abstentions: int = Field(default=3, gt=0)
    """Independent answers to an unanswerable task, all of which must abstain."""
    documents: int = Field(default=4, gt=1)
    """Documents put before the student in retrieval-augmented generation, the right one included."""
    steps: int = Field(default=6, gt=0)
    """Most turns of the assistant in a tool-use task."""
    discriminate: bool = False
    """Keep an item only if a stronger model (role `strong`, else the teacher) solves it from its
    prompt alone and the student does not. Items only a reader could judge are kept."""
    temperature: float = Field(default=0.7, ge=0)
    """Of the teacher's calls."""
    max_tokens: int = Field(default=1024, gt=0)
    """Longest answer of the teacher."""
    sandbox: Limits = Limits()
    """What a generated program may use."""
