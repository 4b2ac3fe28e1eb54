"""Dissatisfaction in real conversations: an agent reads them and rates every reaction by a rubric."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from pydantic import BaseModel, Field

from synth.agents import Agent
from synth.chat import Dropped
from synth.data.conversations import Conversation, Turn
from synth.engine import Context, Graph
from synth.flows.drift.params import Params
from synth.flows.drift.ruler import Ruler
from synth.flows.drift.signals import signals_of
from synth.records import Sampling, Seed

__all__ = ["Ratings", "conversation_seeds", "rubric_graph"]


class Rating(BaseModel):
    """What one turn of the user's says of the reply before it; the reason comes first and shapes it."""

    turn: int
    reason: str = ""
    verdict: Literal["SAT", "DSAT", "neither"]
    wish: str = ""


class Ratings(BaseModel):
    """One rating a turn of the user's, the first turn left out: there is no reply before it."""

    turns: list[Rating] = Field(default_factory=list)


class Reading(TypedDict, total=False):
    """State of the graph; `output` holds the signals found."""

    seed: Seed
    conversation: Conversation
    ratings: Ratings
    output: dict[str, Any]


def conversation_seeds(conversations: list[Conversation]) -> list[Seed]:
    """One seed a conversation, with the conversation's own id."""
    return [Seed(id=conversation.id, data=conversation.model_dump()) for conversation in conversations]


def rubric_graph(params: Params, ruler: Ruler) -> Graph:
    """rate -> collect. A seed is a `Conversation`; `output` is `{"signals": [...]}`.

    A conversation in which nobody answers a reply is dropped as `no-reaction`, one longer than
    `rubric_prompt` tokens as `too-long`.
    """
    rater = Agent("rate", "annotator", "rate_turns", Ratings, Sampling(max_tokens=params.rubric_tokens))

    async def rate(state: Reading, runtime: Runtime[Context]) -> Reading:
        conversation = Conversation.model_validate(state["seed"].data)
        if not _reactions(conversation):
            raise Dropped("no-reaction", "rate", "no turn of the user's follows a reply")
        length = sum(ruler.tokens(turn.content) for turn in conversation.turns)
        if length > params.rubric_prompt:
            raise Dropped("too-long", "rate", f"{length} tokens, and {params.rubric_prompt} are shown")
        turns = [
            {"number": number, "role": turn.role, "content": turn.content}
            for number, turn in enumerate(conversation.turns, 1)
        ]
        numbers = [index + 1 for index in _reactions(conversation)]
        said = await rater(runtime.context, turns=turns, numbers=numbers)
        return {"conversation": conversation, "ratings": said}

    async def collect(state: Reading, runtime: Runtime[Context]) -> Reading:
        tagged, wishes = _tagged(state["conversation"], state["ratings"])
        found = [signal.model_dump() for signal in signals_of(tagged, wishes)]
        return {"output": {"signals": found}}

    builder = StateGraph(Reading, context_schema=Context)
    builder.add_node("rate", rate)
    builder.add_node("collect", collect)
    builder.add_edge(START, "rate")
    builder.add_edge("rate", "collect")
    builder.add_edge("collect", END)
    return builder.compile(name="drift-signals")


def _reactions(conversation: Conversation) -> list[int]:
    """Indices of the user's turns that follow a reply."""
    turns = conversation.turns
    return [
        index
        for index in range(1, len(turns))
        if turns[index].role == "user" and turns[index - 1].role == "assistant"
    ]


def _tagged(conversation: Conversation, ratings: Ratings) -> tuple[Conversation, dict[int, str]]:
    """The ratings written to the replies they speak of; what rates no reaction is passed over."""
    known = _reactions(conversation)
    turns: list[Turn] = [turn.model_copy(update={"satisfaction": ""}) for turn in conversation.turns]
    wishes: dict[int, str] = {}
    for rating in ratings.turns:
        reaction = rating.turn - 1
        if reaction in known:
            turns[reaction - 1] = turns[reaction - 1].model_copy(update={"satisfaction": rating.verdict})
            wishes[reaction - 1] = rating.wish.strip()
    return conversation.model_copy(update={"turns": tuple(turns)}), wishes
