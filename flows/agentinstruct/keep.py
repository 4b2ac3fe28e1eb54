"""The end of the graph: what is too easy or too hard goes, the rest becomes samples."""

from __future__ import annotations

from typing import Any

from synth.agents import ask
from synth.chat import Dropped
from synth.config import Evaluate
from synth.engine import Context
from synth.flows.agentinstruct.item import Answered, rejected
from synth.flows.agentinstruct.respond import task_of
from synth.flows.agentinstruct.skill import Skill
from synth.records import Lineage, Rejection, Sample, Sampling, Seed, Verdict

__all__ = ["discriminated", "samples_of"]

AGENTS = ("transform", "apis", "instruct", "suggest", "edit", "respond")
"""In the order of the flow; those that solve what was made come last."""
Told = dict[str, bool]
"""Who solved the item."""


async def discriminated(
    context: Context, skill: Skill, one: Answered, settings: Evaluate
) -> tuple[Answered | None, list[Rejection]]:
    """The item with who solved it, if the stronger model did and the student did not; items whose
    answers only a reader could compare pass."""
    strong = "strong" if "strong" in context.models else "teacher"
    solved: Told = {}
    for role, most in ((strong, context.params.max_tokens), ("student", settings.max_tokens)):
        sampling = Sampling(max_tokens=most)
        replies = await ask(context, role, one.turns[0].prompt, sampling, agent=f"solve-{role}")
        verdict = _solved(one, replies[0].text)
        if verdict is None:
            return one, []
        solved[role] = verdict
    noted = Answered(one.item, one.answer, one.turns, {**one.notes, "solved": solved})
    reason = "unsolved" if not solved[strong] else "too-easy" if solved["student"] else ""
    if not reason:
        return noted, []
    drop = Dropped(
        reason, "discriminate", ", ".join(f"{who}: {'yes' if yes else 'no'}" for who, yes in solved.items())
    )
    return None, [rejected(context, skill, one.item.type.name, drop, one.item)]


def _solved(one: Answered, response: str) -> bool | None:
    if not one.answer.answerable or len(one.turns) > 1:
        return None
    return one.item.form.solved(response, one.answer, one.item.draft)


def _lineage(context: Context, *parents: str) -> Lineage:
    """The calls by agent and key: which of those under way at once was answered first is chance."""
    steps = {agent: place for place, agent in enumerate(AGENTS)}
    calls = sorted(context.calls, key=lambda call: (steps.get(call.agent, len(steps)), call.key))
    return Lineage(calls=tuple(calls), parents=parents)


def samples_of(context: Context, skill: Skill, one: Answered, seed: Seed) -> list[Sample]:
    """One training example for each turn of the assistant."""
    item, passage = one.item, seed.data["passage"]
    meta: dict[str, Any] = {
        "skill": skill.skill,
        "type": item.type.name,
        "form": item.type.form,
        "transformation": seed.data["transformation"],
        "refinement": item.goal,
        "item": item.id,
        "parent": item.parent.id if item.parent else "",
        "source": passage["source"],
        "task": item.form.show(item.draft),
        "question": task_of(item, skill),
    }
    verdicts = [
        Verdict(by="agreement", name=name, value=float(one.notes[name]))
        for name in ("agree", "abstained", "calls")
        if name in one.notes
    ]
    verdicts += [
        Verdict(by=who, name="solved", value=yes) for who, yes in one.notes.get("solved", {}).items()
    ]
    return [
        Sample.sft(
            turn.prompt,
            turn.says,
            seed_id=seed.id,
            flow=context.flow,
            arm=context.arm,
            round=context.round,
            skills=(f"{skill.skill}/{item.type.name}",),
            family=skill.skill,
            licence=passage["licence"],
            verdicts=tuple(verdicts),
            lineage=_lineage(context, passage["id"], *item.ancestors),
            meta={**meta, "turn": number},
        )
        for number, turn in enumerate(one.turns)
    ]
