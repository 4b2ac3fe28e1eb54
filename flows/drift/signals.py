"""What a user's reaction says of a reply: the records DRIFT works on, and how they are mixed up."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from pydantic import Field

from synth.data.conversations import Conversation, Turn
from synth.records import Message, Record, content_id

__all__ = ["Signal", "shuffled", "signals_of"]


class Signal(Record):
    """A reply that pleased or displeased, `prompt` being all turns before it.

    `feedback` is the user's next turn, `wish` what the user wants, where somebody said it in
    one sentence, `repair` the revised reply that then pleased. `constraints` are those of a
    checkable prompt, `missed` the types of those that were missed, `complaint` the kind of a
    simulated complaint. `finished` is false for a reply known to be cut off.
    """

    id: str
    prompt: list[Message]
    reply: str
    satisfied: bool
    feedback: str = ""
    wish: str = ""
    repair: str = ""
    constraints: list[dict[str, Any]] = Field(default_factory=list)
    missed: tuple[str, ...] = ()
    complaint: str = ""
    finished: bool = True
    parents: tuple[str, ...] = ()
    family: str = ""
    licence: str = ""

    @classmethod
    def of(cls, prompt: Sequence[Message], reply: str, **rest: Any) -> Signal:
        """A signal whose id is the hash of its prompt, its reply and the user's reaction."""
        identity = content_id([list(prompt), reply, rest.get("feedback", ""), rest["satisfied"]])
        return cls(id=identity, prompt=list(prompt), reply=reply, **rest)


def signals_of(conversation: Conversation, wishes: dict[int, str] | None = None) -> Iterator[Signal]:
    """The signals of a conversation whose replies say whether they pleased.

    `wishes` are the users' wishes by the index of the reply that missed them. Empty replies,
    and replies to nobody, are left out.
    """
    turns = conversation.turns
    for index, turn in enumerate(turns):
        spoken = turn.role == "assistant" and turn.content.strip()
        if not spoken or turn.satisfaction not in ("SAT", "DSAT"):
            continue
        if not index or turns[index - 1].role != "user":
            continue
        satisfied = turn.satisfaction == "SAT"
        yield Signal.of(
            [before.message for before in turns[:index]],
            turn.content,
            satisfied=satisfied,
            feedback=_next_user(turns[index + 1 :]),
            wish=(wishes or {}).get(index, ""),
            repair="" if satisfied else _repair(turns[index + 1 :]),
            parents=(conversation.id,),
            licence=conversation.licence,
        )


def _next_user(after: Sequence[Turn]) -> str:
    return after[0].content.strip() if after and after[0].role == "user" else ""


def _repair(after: Sequence[Turn]) -> str:
    """The next reply, if that is the one that pleased."""
    reply = next((turn for turn in after if turn.role == "assistant"), None)
    return reply.content if reply and reply.satisfaction == "SAT" else ""


def shuffled(signals: Sequence[Signal], seed: int) -> list[Signal]:
    """Each signal with another one's feedback and wish; the prompt and the reply stay.

    No signal keeps its own. It gets one of other content wherever the commonest content has no
    more than half of all: sorted by content, moving on by the largest group leaves every group.
    """
    rng = random.Random(f"{seed}/shuffled")
    keys = {signal.id: _complained_of(signal) for signal in signals}
    order = sorted(signals, key=lambda signal: (keys[signal.id], rng.random()))
    largest = max((len(list(group)) for _, group in groupby(order, lambda one: keys[one.id])), default=1)
    step = largest if largest < len(order) else 1
    given = {one.id: order[(place + step) % len(order)] for place, one in enumerate(order)}
    return [_with_feedback(signal, given[signal.id]) for signal in signals]


def _complained_of(signal: Signal) -> str:
    """What a complaint is about: the types it names, else the wish, else its own words."""
    return " ".join(signal.missed) or signal.wish or signal.feedback


def _with_feedback(signal: Signal, other: Signal) -> Signal:
    """`missed` stays: it is the reply's own."""
    taken = {"feedback": other.feedback, "wish": other.wish, "complaint": other.complaint}
    return signal.model_copy(update={**taken, "parents": (*signal.parents, other.id)})
