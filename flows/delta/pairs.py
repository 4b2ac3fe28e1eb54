"""Delta Learning's one stage: two models answer a prompt, and who they are makes the pair."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from synth.agents import ask
from synth.chat import Dropped, Reply
from synth.config import Evaluate
from synth.engine import Context, Graph
from synth.flows.answering import question_messages
from synth.flows.delta.params import Params
from synth.records import Message, Question, Rejection, Sample, Sampling, Seed, Verdict
from synth.verify import judge

__all__ = ["pair_graph"]


class Pairing(TypedDict, total=False):
    """State of the graph: what the roles said, and the pair at the end.

    `output` has, for `chosen`, `rejected` and each further rung, the answer's length in characters,
    whether it was cut off and its score, and whether the two answers are `identical`.
    """

    seed: Seed
    chosen: Reply
    rejected: Reply
    ladder: dict[str, Reply]
    samples: list[Sample]
    rejections: list[Rejection]
    output: dict[str, Any]


def pair_graph(params: Params, settings: Evaluate) -> Graph:
    """chosen and rejected (and further rungs) answer side by side -> pair. A seed is a `Question`."""
    nodes = _Nodes(params, settings)
    answers = ["chosen", "rejected", *(["rungs"] if params.ladder else [])]
    builder = StateGraph(Pairing, context_schema=Context)
    builder.add_node("chosen", nodes.chosen)
    builder.add_node("rejected", nodes.rejected)
    if params.ladder:
        builder.add_node("rungs", nodes.rungs)
    builder.add_node("pair", nodes.pair)
    for name in answers:
        builder.add_edge(START, name)
    builder.add_edge(answers, "pair")
    builder.add_edge("pair", END)
    return builder.compile(name="delta-pair")


class _Nodes:
    def __init__(self, params: Params, settings: Evaluate) -> None:
        self.params = params
        self.settings = settings
        tied = params.arm == "control-tied"
        self.sampling = Sampling(
            temperature=params.tied_temperature if tied else params.temperature, max_tokens=params.max_tokens
        )

    async def chosen(self, state: Pairing, runtime: Runtime[Context]) -> Pairing:
        """The answer to prefer."""
        return {"chosen": await self._answer(state, runtime, self.params.chosen, "chosen")}

    async def rejected(self, state: Pairing, runtime: Runtime[Context]) -> Pairing:
        """The answer to avoid: the other role's, or a second sample of the same one's where they tie."""
        again = int(self.params.second == self.params.chosen)
        return {"rejected": await self._answer(state, runtime, self.params.second, "rejected", again)}

    async def rungs(self, state: Pairing, runtime: Runtime[Context]) -> Pairing:
        """Answers of the further rungs, to be measured."""
        said = {role: await self._answer(state, runtime, role, f"rung-{role}") for role in self.params.ladder}
        return {"ladder": said}

    async def pair(self, state: Pairing, runtime: Runtime[Context]) -> Pairing:
        """The sample, or why there is none; both sides are measured either way."""
        context, seed = runtime.context, state["seed"]
        question = Question.model_validate(seed.data)
        better, worse = state["chosen"], state["rejected"]
        if self._turned(context):
            better, worse = worse, better
        sides = {"chosen": better, "rejected": worse, **state.get("ladder", {})}
        measured = {name: await self._measure(reply, question) for name, reply in sides.items()}
        output = {**measured, "identical": better.text == worse.text}
        fault = self._fault(better, worse)
        if fault is not None:
            rejection = fault.rejection(seed.id, context.round, context.stage)
            return {"output": output, "rejections": [rejection]}
        # The two answers came in any order; a replay must find the same record.
        context.calls.sort(key=lambda call: call.agent)
        return {
            "output": output,
            "samples": [self._sample(context, question, better, worse, measured)],
        }

    def _turned(self, context: Context) -> bool:
        """Whether the sides change places: in the tied control by lot, or each seed of an experiment would
        teach the same chance difference between first and second answers."""
        tied = self.params.arm == "control-tied" and context.rng.random() < 0.5
        return tied or self.params.arm == "control-reversed"

    async def _answer(
        self, state: Pairing, runtime: Runtime[Context], role: str, agent: str, first: int = 0
    ) -> Reply:
        messages = self._messages(Question.model_validate(state["seed"].data))
        replies = await ask(runtime.context, role, messages, self.sampling, agent=agent, first=first)
        return replies[0]

    def _messages(self, question: Question) -> list[Message]:
        return question_messages(question.question, self.settings)

    async def _measure(self, reply: Reply, question: Question) -> dict[str, Any]:
        """Length, whether it was cut off, and the score where a verifier can tell one."""
        measured: dict[str, Any] = {"length": len(reply.text), "truncated": reply.truncated}
        verifier = self.settings.verifier
        if question.answer or question.meta.get("constraints") or ":" in verifier:
            judged = await judge(reply.text, question, verifier, truncated=reply.truncated)
            measured["score"] = judged.score
        return measured

    def _fault(self, better: Reply, worse: Reply) -> Dropped | None:
        """Why there is no pair. The published method has no such reason; curation may have further ones."""
        if self.params.arm == "faithful":
            return None
        lengths = sorted(len(reply.text.strip()) for reply in (better, worse))
        if not lengths[0]:
            return Dropped("empty", "pair", "one of the answers is empty")
        matched = self.params.arm == "control-length-matched"
        if matched and lengths[1] > self.params.length_ratio * lengths[0]:
            return Dropped("length", "pair", f"{lengths[1]} characters against {lengths[0]}")
        return None

    def _sample(
        self,
        context: Context,
        question: Question,
        better: Reply,
        worse: Reply,
        measured: Mapping[str, Mapping[str, Any]],
    ) -> Sample:
        alone, turned = (self.params.arm == f"control-{name}" for name in ("sft", "reversed"))
        roles = [self.params.chosen, self.params.second][:: -1 if turned else 1]
        meta: dict[str, Any] = {"question": question.question, "chosen": roles[0], "rejected": roles[1]}
        answers = {"completion": better} if alone else {"chosen": better, "rejected": worse}
        cut = [side for side, reply in answers.items() if reply.truncated]
        if cut and self.params.arm != "faithful":
            meta["unfinished"] = cut
        facts: dict[str, Any] = {
            "seed_id": context.seed_id,
            "flow": context.flow,
            "arm": context.arm,
            "round": context.round,
            "skills": question.skills,
            "family": question.family,
            "licence": question.licence,
            "verdicts": tuple(
                Verdict(by=self.settings.verifier, name=side, value=measured[side]["score"])
                for side in ("chosen", "rejected")
                if "score" in measured[side]
            ),
            "lineage": context.lineage(question.id),
            "meta": meta,
        }
        prompt = self._messages(question)
        if alone:
            return Sample.sft(prompt, better.text, **facts)
        return Sample.pair(prompt, better.text, worse.text, **facts)
