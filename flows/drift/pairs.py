"""A signal becomes a pair: the reply that displeased, and a better one from the current student."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from synth.agents import ask
from synth.chat import Dropped, Reply
from synth.engine import Context, Graph
from synth.flows.drift.fit import fault
from synth.flows.drift.guide import MARK, Guide
from synth.flows.drift.params import Params
from synth.flows.drift.rank import Ranking
from synth.flows.drift.signals import Signal
from synth.flows.drift.simulate import passes
from synth.records import Message, Sample, Sampling, Seed, Verdict

__all__ = ["pair_graph", "pair_seeds"]

Kind = Literal["repair", "iteration"]


class Pairing(TypedDict, total=False):
    """State of the graph: the student's replies, the pair chosen from them, the sample at the end."""

    seed: Seed
    signal: Signal
    replies: list[Reply]
    faults: list[str]
    chosen: str
    rejected: str
    unfinished: list[str]
    samples: list[Sample]


def pair_seeds(signals: list[Signal], kind: Kind) -> list[Seed]:
    """One seed a signal: `repair` takes its repair for the chosen reply, `iteration` asks for one."""
    return [Seed.of(kind=kind, signal=signal.model_dump()) for signal in signals]


def pair_graph(params: Params, guide: Guide) -> Graph:
    """generate -> choose -> pair, back to generate while no reply is fit; a repair goes straight to pair.

    The prompt of the sample is the conversation before the reply: the complaint is in view
    when the chosen reply is made, and not when it is learnt.
    """
    nodes = _Nodes(params, guide)

    def way(state: Pairing) -> Literal["repair", "generate"]:
        return "repair" if state["seed"].data["kind"] == "repair" else "generate"

    def fit(state: Pairing) -> Literal["generate", "pair"]:
        return "pair" if "chosen" in state else "generate"

    builder = StateGraph(Pairing, context_schema=Context)
    builder.add_node("repair", nodes.repair)
    builder.add_node("generate", nodes.generate)
    builder.add_node("choose", nodes.choose)
    builder.add_node("pair", nodes.pair)
    builder.add_conditional_edges(START, way)
    builder.add_edge("repair", "pair")
    builder.add_edge("generate", "choose")
    builder.add_conditional_edges("choose", fit)
    builder.add_edge("pair", END)
    return builder.compile(name="drift-pairs")


class _Nodes:
    def __init__(self, params: Params, guide: Guide) -> None:
        self.params = params
        self.guide = guide
        self.ranking = Ranking(params)
        self.sampling = Sampling(
            temperature=params.temperature, top_p=params.top_p, max_tokens=params.max_tokens
        )

    async def repair(self, state: Pairing, runtime: Runtime[Context]) -> Pairing:
        """Warm start: the revised reply that pleased, over the one that displeased."""
        signal = Signal.model_validate(state["seed"].data["signal"])
        if self.params.arm != "faithful":
            _refuse([fault(Reply(signal.repair), signal.reply, signal)], [signal.repair], "repair")
        cut = [] if signal.finished else ["rejected"]
        return {"signal": signal, "chosen": signal.repair, "rejected": signal.reply, "unfinished": cut}

    async def generate(self, state: Pairing, runtime: Runtime[Context]) -> Pairing:
        """One more reply of the current student (two to be ranked), asked as the arm has it."""
        signal = Signal.model_validate(state["seed"].data["signal"])
        faults, replies = state.get("faults", []), state.get("replies", [])
        for messages, prompt_hash, first in self._asked(signal):
            replies = replies + await ask(
                runtime.context,
                "student",
                messages,
                self.sampling,
                agent="reply",
                prompt_hash=prompt_hash,
                first=first + len(faults),
            )
        return {"signal": signal, "replies": replies, "faults": faults}

    def _asked(self, signal: Signal) -> list[tuple[list[Message], str, int]]:
        """Prompts to be answered, each with the hash of its file and the number of its first sample.

        Sample 0 of the bare request is the reply the simulated user complained about.
        """
        guide, arm = self.guide, self.params.arm
        if arm == "faithful":
            return [([{"role": "text", "content": guide.plain(signal)}], guide.plain_prompt.hash, 0)]
        if arm in ("control-unguided", "control-random", "control-spin"):
            return [(guide.unguided(signal), "", 1)]
        guided = (guide.chat(signal), guide.chat_prompt.hash, 0)
        return [(guide.unguided(signal), "", 1), guided] if arm == "control-iterdpo" else [guided]

    async def choose(self, state: Pairing, runtime: Runtime[Context]) -> Pairing:
        """The pair as the arm has it, or nothing yet. Raises `Dropped` where no reply of all is fit."""
        signal, replies, arm = state["signal"], state["replies"], self.params.arm
        if arm == "faithful":
            cut = [*(["chosen"] if replies[0].truncated else []), *([] if signal.finished else ["rejected"])]
            chosen = _after_mark(self.guide.plain(signal), replies[0])
            return {"chosen": chosen, "rejected": signal.reply, "unfinished": cut}
        if arm == "control-spin":
            _refuse([_same(replies[0], signal)], [replies[0].text], "choose")
            cut = ["rejected"] if replies[0].truncated else []
            return {"chosen": signal.reply, "rejected": replies[0].text, "unfinished": cut}
        if arm == "control-iterdpo":
            better, worse = await self.ranking.order(runtime.context, signal, *replies)
            _refuse([fault(better, worse.text, signal)], [better.text], "choose")
            cut = ["rejected"] if worse.truncated else []
            return {"chosen": better.text, "rejected": worse.text, "unfinished": cut}
        faults = [*state["faults"], fault(replies[-1], signal.reply, signal)]
        if faults[-1] and len(faults) < self.params.samples:
            return {"faults": faults}
        _refuse(faults, [reply.text for reply in replies], "choose")
        cut = [] if signal.finished else ["rejected"]
        return {"chosen": replies[-1].text, "rejected": signal.reply, "unfinished": cut}

    async def pair(self, state: Pairing, runtime: Runtime[Context]) -> Pairing:
        """The sample, without the complaint in its prompt."""
        signal, context = state["signal"], runtime.context
        if not state["chosen"].strip() or not state["rejected"].strip():
            raise Dropped("empty", "pair", "one of the two replies says nothing")
        sample = Sample.pair(
            signal.prompt,
            state["chosen"].strip(),
            state["rejected"].strip(),
            seed_id=state["seed"].id,
            flow=context.flow,
            arm=context.arm,
            round=context.round,
            family=signal.family,
            licence=signal.licence,
            verdicts=_verdicts(state),
            lineage=context.lineage(signal.id, *signal.parents),
            meta=_story(state, context.arm),
        )
        return {"samples": [sample]}


def _after_mark(prompt: str, reply: Reply) -> str:
    """The published parser: what follows the last mark in prompt and reply together."""
    return (prompt + reply.text).rpartition(MARK)[2]


def _same(reply: Reply, signal: Signal) -> str:
    """All that SPIN's own reply may not be: empty, or the one it is to lose against."""
    text = reply.text.strip()
    return "empty" if not text else "identical" if text == signal.reply.strip() else ""


def _refuse(faults: list[str], texts: list[str], node: str) -> None:
    """Raises `Dropped` with the first fault, unless one of the replies has none."""
    if "" not in faults:
        found = ", ".join(faults)
        raise Dropped(faults[0], node, f"no reply is fit: {found}", raw="\n---\n".join(texts))


def _verdicts(state: Pairing) -> tuple[Verdict, ...]:
    """What the checker says of both, where there is one: noted, never a reason to drop. As in the exam, a
    reply that was cut off follows nothing."""
    constraints = state["signal"].constraints
    if not constraints:
        return ()
    sides = {"chosen": state["chosen"], "rejected": state["rejected"]}
    return tuple(
        Verdict(
            by="constraints", name=name, value=name not in state["unfinished"] and passes(text, constraints)
        )
        for name, text in sides.items()
    )


def _story(state: Pairing, arm: str) -> dict[str, Any]:
    """Where the pair comes from, for whoever reads the data. Sides named `unfinished` are taught without
    an end; the published code, and the faithful arm, end every one of them."""
    signal = state["signal"]
    story = {
        "kind": state["seed"].data["kind"],
        "feedback": signal.feedback,
        "wish": signal.wish,
        "complaint": signal.complaint,
        "missed": list(signal.missed),
    }
    ended = arm == "faithful" or not state["unfinished"]
    return story if ended else {**story, "unfinished": state["unfinished"]}
