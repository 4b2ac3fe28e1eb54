"""STAT's second stage: training examples for the missing skills, drawn (Sel) or written (Syn)."""

from __future__ import annotations

from typing import Literal, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from pydantic import BaseModel

from synth.agents import Agent, Prompt, ask, load_prompt
from synth.chat import Dropped
from synth.config import Evaluate
from synth.engine import Context, Graph
from synth.flows.answering import question_messages
from synth.flows.stat.agreement import commonest
from synth.flows.stat.params import Params
from synth.flows.stat.pool import Pool
from synth.records import Message, Question, Sample, Sampling, Seed, Verdict
from synth.verify import judge

__all__ = ["NewQuestion", "make_graph"]


class NewQuestion(BaseModel):
    """A question the teacher wrote; the thinking comes first, so that it shapes the question."""

    reason: str = ""
    draft: str = ""
    question: str


class Making(TypedDict, total=False):
    """State of the graph: the seed, what was drawn or written, and the samples at the end."""

    seed: Seed
    references: list[Question]
    question: str
    solutions: list[str]
    samples: list[Sample]


def make_graph(params: Params, settings: Evaluate) -> Graph:
    """select -> rewrite (seeds of the kinds sel, near, pool and replay), or propose -> solve -> agree
    (syn and near-syn).

    Replayed questions, and all where `rewrites` is 0, keep the pool's own solution.
    """
    nodes = _Nodes(params, settings)

    def way(state: Making) -> Literal["propose", "select"]:
        return "propose" if state["seed"].data["kind"] in ("syn", "near-syn") else "select"

    def rest(state: Making) -> Literal["rewrite", "__end__"]:
        return "rewrite" if "samples" not in state else "__end__"

    builder = StateGraph(Making, context_schema=Context)
    builder.add_node("select", nodes.select)
    builder.add_node("rewrite", nodes.rewrite)
    builder.add_node("propose", nodes.propose)
    builder.add_node("solve", nodes.solve)
    builder.add_node("agree", nodes.agree)
    builder.add_conditional_edges(START, way)
    builder.add_conditional_edges("select", rest)
    builder.add_edge("rewrite", END)
    builder.add_edge("propose", "solve")
    builder.add_edge("solve", "agree")
    builder.add_edge("agree", END)
    return builder.compile(name="stat-make")


class _Nodes:
    def __init__(self, params: Params, settings: Evaluate) -> None:
        self.params = params
        self.settings = settings
        self.sampling = Sampling(temperature=params.temperature, max_tokens=params.max_tokens)
        self.writer = Agent("propose", "teacher", "propose_question", NewQuestion, self.sampling)
        self.imitator = Agent("propose", "teacher", "propose_like", NewQuestion, self.sampling)
        self.solver = load_prompt("solve")
        self.rewriter = load_prompt("rewrite")

    async def select(self, state: Making, runtime: Runtime[Context]) -> Making:
        """STAT-Sel, replay, nearest questions and any: a pool question with its own solution."""
        data, context = state["seed"].data, runtime.context
        pool: Pool = context.extras["pool"]
        if data["kind"] == "sel":
            question = context.rng.choice(pool.of_skill(data["skill"]))
        else:
            question = pool.by_id[data["question"]]
        if self.params.rewrites and data["kind"] != "replay":
            return {"references": [question]}
        solution = question.solution or question.answer
        return {"samples": [self._sample(context, state["seed"], question, solution, parents=[question])]}

    async def rewrite(self, state: Making, runtime: Runtime[Context]) -> Making:
        """The teacher's rewritings of the solution; but for the faithful arm those alone that come
        to the known answer."""
        (question,) = state["references"]
        solution = question.solution or question.answer
        messages = self.rewriter.render(question=question.question, solution=solution)
        texts = await self._say(runtime.context, messages, self.rewriter, "rewrite", self.params.rewrites)
        right = texts
        if not self.params.faithful and question.answer:
            verifier = self.settings.verifier
            right = [text for text in texts if (await judge(text, question, verifier)).correct]
        if not right:
            raise Dropped(
                "wrong-rewrite",
                "rewrite",
                f"none of {self.params.rewrites} rewritings comes to the known answer",
                raw="\n---\n".join(texts),
                data={"question": question.question},
            )
        return {
            "samples": [
                self._sample(runtime.context, state["seed"], question, text, [question])
                for text in dict.fromkeys(right)
            ]
        }

    async def propose(self, state: Making, runtime: Runtime[Context]) -> Making:
        """STAT-Syn: the teacher writes a new question, references in view: of the skill, or in
        `control-embed-syn` those nearest to the failed one, which it sees in every arm but the faithful."""
        data, context = state["seed"].data, runtime.context
        pool: Pool = context.extras["pool"]
        failed, draw = "" if self.params.faithful else data["question"], data["draw"]
        if data["kind"] == "near-syn":
            references = [pool.by_id[name] for name in data["references"]]
            said = await self.imitator(context, failed=failed, references=references, sample=draw)
        else:
            of_skill, skill = pool.of_skill(data["skill"]), data["skill"]
            references = context.rng.sample(of_skill, min(self.params.references, len(of_skill)))
            said = await self.writer(context, skill=skill, failed=failed, references=references, sample=draw)
        shown = {data["question"], *(reference.question for reference in references)}
        if not self.params.faithful and said.question in shown:
            raise Dropped("copied", "propose", "the new question is one of those shown", raw=said.question)
        return {"references": references, "question": said.question}

    async def solve(self, state: Making, runtime: Runtime[Context]) -> Making:
        """Independent solutions of the new question."""
        messages = self.solver.render(question=state["question"], references=state["references"])
        number = self.params.solutions
        return {"solutions": await self._say(runtime.context, messages, self.solver, "solve", number)}

    async def _say(
        self, context: Context, messages: list[Message], prompt: Prompt, agent: str, n: int
    ) -> list[str]:
        """`n` plain answers of the teacher, without those that are empty or cut off."""
        replies = await ask(
            context, "teacher", messages, self.sampling, agent=agent, prompt_hash=prompt.hash, n=n
        )
        whole = (reply.text.strip() for reply in replies if not reply.truncated)
        return [text for text in whole if text]

    async def agree(self, state: Making, runtime: Runtime[Context]) -> Making:
        """Keep the solutions of the commonest answer, if enough of them agree on it."""
        blank = _unanswered(state["question"], state["references"])
        answer, agreeing = commonest(state["solutions"], blank)
        if len(agreeing) < self.params.agreement:
            raise Dropped(
                "disagreed",
                "agree",
                f"{len(agreeing)} of {self.params.solutions} solutions agree, not {self.params.agreement}",
                raw="\n---\n".join(state["solutions"]),
                data={"question": state["question"]},
            )
        question = blank.model_copy(update={"answer": answer})
        verdict = Verdict(by="agreement", name="solutions", value=float(len(agreeing)))
        return {
            "samples": [
                self._sample(runtime.context, state["seed"], question, text, state["references"], verdict)
                for text in dict.fromkeys(agreeing)
            ]
        }

    def _sample(
        self,
        context: Context,
        seed: Seed,
        question: Question,
        solution: str,
        parents: list[Question],
        *verdicts: Verdict,
    ) -> Sample:
        data = seed.data
        failed = (data["failed"],) if data["failed"] else ()
        return Sample.sft(
            question_messages(question.question, self.settings),
            solution,
            seed_id=seed.id,
            flow=context.flow,
            arm=context.arm,
            round=context.round,
            skills=(data["skill"],) if data["skill"] else question.skills,
            family=question.family,
            licence=question.licence,
            verdicts=verdicts,
            lineage=context.lineage(*(parent.id for parent in parents), *failed),
            meta={"kind": data["kind"], "question": question.question, "answer": question.answer},
        )


def _unanswered(text: str, references: list[Question]) -> Question:
    """The new question, to be read like its references. Labels that differ from one reference to
    the next belong to each question alone: then the answer is read as free text."""
    like = references[0]
    shared = all(reference.choices == like.choices for reference in references)
    return Question.of(
        text,
        "",
        kind=like.kind if shared else "text",
        choices=like.choices if shared else (),
        family=like.family,
        licence=like.licence,
    )
