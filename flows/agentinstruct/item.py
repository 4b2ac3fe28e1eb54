"""An item on its way through the graph: a task with the text it is about and the task it came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, TypedDict

from synth.chat import Dropped
from synth.engine import Context
from synth.flows.agentinstruct.forms import FORMS, Answer, Draft, Form
from synth.flows.agentinstruct.skill import Skill, TaskType
from synth.records import Message, Rejection, Sample, Seed, content_id

__all__ = ["Answered", "Item", "Making", "Turn", "rejected"]


@dataclass(frozen=True)
class Item:
    """A task. `goal` is the refinement that made it from `parent`; `expect` what must hold of its
    answer (`abstain`: the text does not say; `differ`: another one than the parent's); `passage`
    what its text was made of."""

    type: TaskType
    draft: Draft
    text: str
    parent: Item | None = None
    goal: str = ""
    expect: str = ""
    passage: str = ""

    @property
    def form(self) -> Form:
        """How task and answer look."""
        return FORMS[self.type.form]

    @property
    def id(self) -> str:
        """The hash of what it is about, what it asks, and what it was made from."""
        return content_id(
            [self.text, self.type.name, self.draft.model_dump(), self.parent and self.parent.id]
        )

    @property
    def ancestors(self) -> tuple[str, ...]:
        """Ids of the tasks it was refined from, the nearest first."""
        return (self.parent.id, *self.parent.ancestors) if self.parent else ()

    @property
    def wants_abstention(self) -> bool:
        """Whether the right answer is that the text does not say."""
        return "abstain" in (self.expect, self.type.expect)


@dataclass(frozen=True)
class Turn:
    """One turn of the assistant: what went before, and what it says."""

    prompt: list[Message]
    says: str


@dataclass(frozen=True)
class Answered:
    """An item with its answer; `turns` are the training examples it gives."""

    item: Item
    answer: Answer
    turns: list[Turn]
    notes: dict[str, Any] = field(default_factory=dict)


def _joined(before: list[Rejection], after: list[Rejection]) -> list[Rejection]:
    """Rejections one after the other. A sub-graph hands back those it was given, too: once is enough."""
    known = {id(rejection) for rejection in before}
    return [*before, *(rejection for rejection in after if id(rejection) not in known)]


class Making(TypedDict, total=False):
    """State of the graph and of its sub-graphs. `items` grows by each round of refinement;
    `frontier` are those of the last round."""

    seed: Seed
    text: str
    items: list[Item]
    frontier: list[Item]
    round: int
    answered: list[Answered]
    samples: list[Sample]
    rejections: Annotated[list[Rejection], _joined]
    output: dict[str, Any]


def rejected(
    context: Context, skill: Skill, item_type: str, drop: Dropped, item: Item | None = None
) -> Rejection:
    """The record of a task or answer that was given up, with its place in the taxonomy."""
    known = {"skill": skill.skill, "type": item_type}
    if item is not None:
        known |= {"item": item.id, "refinement": item.goal, "task": item.form.show(item.draft)[:2000]}
    return Dropped(
        drop.reason, drop.node, drop.detail, drop.raw, drop.attempts, drop.error, {**drop.data, **known}
    ).rejection(context.seed_id, context.round, context.stage)
