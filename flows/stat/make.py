"""STAT's second stage: training examples for the missing skills, drawn (Sel) or written (Syn)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from pydantic import BaseModel

from synth.agents import Agent, ask, load_prompt
from synth.chat import Dropped
from synth.config import Evaluate
from synth.engine import Context, Graph
from synth.flows.answering import question_messages
from synth.flows.stat.params import Params
from synth.records import Question, Sample, Sampling, Seed, Verdict
from synth.verify import extract_answer, same_answer

__all__ = ["NewQuestion", "Pool", "make_graph"]


class NewQuestion(BaseModel):
    """A question the teacher wrote; the thinking comes first, so that it shapes the question."""

    reason: str = ""
    draft: str = ""
    question: str


@dataclass(frozen=True)
class Pool:
    """The training pool by id and by skill, shared by all invocations as `extras["pool"]`."""

    by_id: Mapping[str, Question]
    by_skill: Mapping[str, list[Question]] = field(default_factory=dict)

    @classmethod
    def of(cls, questions: list[Question]) -> Pool:
        """Index a list of questions."""
        by_skill: dict[str, list[Question]] = {}
        for question in questions:
            for skill in question.skills:
                by_skill.setdefault(skill, []).append(question)
        return cls({question.id: question for question in questions}, by_skill)


class Making(TypedDict, total=False):
    """State of the graph: the seed, what the teacher wrote, and the samples at the end."""

    seed: Seed
    references: list[Question]
    question: str
    solutions: list[str]
    samples: list[Sample]


def make_graph(params: Params, settings: Evaluate) -> Graph:
    """select, or propose -> solve -> agree, by the seed's `kind` (sel, replay or syn)."""
    nodes = _Nodes(params, settings)

    def way(state: Making) -> Literal["propose", "select"]:
        return "propose" if state["seed"].data["kind"] == "syn" else "select"

    builder = StateGraph(Making, context_schema=Context)
    builder.add_node("select", nodes.select)
    builder.add_node("propose", nodes.propose)
    builder.add_node("solve", nodes.solve)
    builder.add_node("agree", nodes.agree)
    builder.add_conditional_edges(START, way)
    builder.add_edge("select", END)
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
        self.solver = load_prompt("solve")

    async def select(self, state: Making, runtime: Runtime[Context]) -> Making:
        """STAT-Sel and replay: a pool question with its own solution."""
        data, context = state["seed"].data, runtime.context
        pool: Pool = context.extras["pool"]
        if data["kind"] == "replay":
            question = pool.by_id[data["question"]]
        else:
            question = context.rng.choice(_of_skill(pool, data["skill"]))
        solution = question.solution or question.answer
        return {"samples": [self._sample(context, state["seed"], question, solution, parents=[question])]}

    async def propose(self, state: Making, runtime: Runtime[Context]) -> Making:
        """STAT-Syn: the teacher writes a new question beside the failed one, references in view."""
        data, context = state["seed"].data, runtime.context
        pool = _of_skill(context.extras["pool"], data["skill"])
        references = context.rng.sample(pool, min(self.params.references, len(pool)))
        said = await self.writer(
            context, sample=data["draw"], skill=data["skill"], failed=data["question"], references=references
        )
        shown = {data["question"], *(reference.question for reference in references)}
        if self.params.arm != "faithful" and said.question in shown:
            raise Dropped("copied", "propose", "the new question is one of those shown", raw=said.question)
        return {"references": references, "question": said.question}

    async def solve(self, state: Making, runtime: Runtime[Context]) -> Making:
        """Independent solutions of the new question."""
        messages = self.solver.render(question=state["question"], references=state["references"])
        replies = await ask(
            runtime.context,
            "teacher",
            messages,
            self.sampling,
            agent="solve",
            prompt_hash=self.solver.hash,
            n=self.params.solutions,
        )
        whole = (reply.text.strip() for reply in replies if not reply.truncated)
        return {"solutions": [text for text in whole if text]}

    async def agree(self, state: Making, runtime: Runtime[Context]) -> Making:
        """Keep the solutions of the commonest answer, if enough of them agree on it."""
        blank = _unanswered(state["question"], state["references"])
        answer, agreeing = _commonest(state["solutions"], blank)
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


def _of_skill(pool: Pool, skill: str) -> list[Question]:
    questions = pool.by_skill.get(skill)
    if not questions:
        raise Dropped("no-pool", "select", f"the pool has no question for the skill {skill!r}")
    return questions


def _commonest(solutions: list[str], question: Question) -> tuple[str, list[str]]:
    """The answer most solutions come to, and those solutions."""
    groups: list[tuple[str, list[str]]] = []
    for solution in solutions:
        answer = extract_answer(solution, question)
        if not answer:
            continue
        for known, texts in groups:
            if same_answer(answer, known, question):
                texts.append(solution)
                break
        else:
            groups.append((answer, [solution]))
    return max(groups, key=lambda group: len(group[1]), default=("", []))
