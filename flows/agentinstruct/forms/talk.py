"""Forms of several turns: conversations, and tasks that need functions called."""

from __future__ import annotations

from pydantic import BaseModel, Field

from synth.data.overlap import normalise
from synth.flows.agentinstruct.forms.base import Answer, Draft, Form
from synth.flows.agentinstruct.forms.text import Open

__all__ = ["Dialogue", "ToolCall", "ToolStep", "Tools", "ToolsDraft", "TurnsDraft"]


class TurnsDraft(Draft):
    """What a user says, turn by turn; each is answered before the next is read."""

    turns: list[str]


class Dialogue(Open):
    """A conversation: the user's turns are the task, an answer follows each."""

    name = "dialogue"
    draft = TurnsDraft
    task_hint = (
        '{"instruction": "what the conversation is about", "turns": ["two to five turns of the user"]}'
    )
    answer_hint = '{"answerable": true, "answer": "what the assistant says to the last turn"}'

    def show(self, draft: TurnsDraft) -> str:
        return draft.turns[0].strip() if draft.turns else ""

    def fault(self, draft: TurnsDraft, text: str) -> str:
        if not 2 <= len(draft.turns) <= 8:
            return f"the user has {len(draft.turns)} turns, not two to eight"
        repeated = len({normalise(turn) for turn in draft.turns}) < len(draft.turns)
        return "the user says the same thing twice" if repeated else super().fault(draft, text)


class ToolsDraft(Draft):
    """A request, the functions it needs, and those of them that are not offered."""

    needs: list[str] = Field(default_factory=list)
    hidden: list[str] = Field(default_factory=list)


class ToolCall(BaseModel):
    """One call."""

    name: str
    arguments: dict[str, str | int | float | bool | list[str] | list[float] | None] = Field(
        default_factory=dict
    )


class ToolStep(Answer):
    """What the assistant does next: calls, or words for the user."""

    calls: list[ToolCall] = Field(default_factory=list)
    answer: str = ""


class Tools(Form):
    """A request that needs functions called; they are executed against a simulation."""

    name = "tools"
    draft = ToolsDraft
    answer = ToolStep
    task_hint = (
        '{"instruction": "what the user wants, with the values the functions need", '
        '"needs": ["names of the functions it needs"], "hidden": ["those of them that are not offered"]}'
    )
    answer_hint = (
        '{"reason": "", "answerable": true, "calls": [{"name": "...", "arguments": {}}], "answer": ""} '
        "with calls to make next (here, not as <tool_call> lines), or with none and words for the user"
    )

    def tell(self, answer: ToolStep, draft: ToolsDraft) -> str:
        return answer.answer.strip()
