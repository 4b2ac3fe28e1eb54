"""The probe behind `synth plan`: a few seeds of every stage, asked for real.

The calls go into the run's own journal under the keys the run will use, so that it takes
those it makes as well from there. Results, stages and files stay in a temporary folder:
nothing of the run itself is begun. Beside `rounds` and the command line this module alone
imports flows and teachers.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from synth.config import Curriculum, Evaluate, FlowFile, Loaded
from synth.engine.flow import Flow, FlowParams
from synth.engine.folder import RunFolder
from synth.engine.runner import Result
from synth.engine.session import Session
from synth.engine.stage import GraphStage
from synth.errors import SynthError
from synth.flows import load_flow_module
from synth.flows.answering import exam_graph, question_messages, question_seeds
from synth.journal import Journal
from synth.plan import AgentPlan, Plan, Rates, StagePlan, Survey, estimate, mean_prompt
from synth.progress import Progress
from synth.records import Seed
from synth.rounds.prepare import make_team
from synth.rounds.split import split_hint
from synth.runs.cost import Tariff, gpus_held
from synth.runs.pace import training_pace
from synth.runs.runfiles import read_journal

__all__ = ["Probe", "plan_run", "unlimited"]

HELD = 10_000
"""Seeds of a stage among which the probe chooses."""


@dataclass
class Probe(Session):
    """A session that runs only `few` seeds of each stage, evenly spread, and keeps their results."""

    few: int = 8
    found: dict[str, list[Result]] = field(default_factory=dict)

    async def play(self, stage: GraphStage) -> None:
        chosen = _spread(stage.seeds, self.few)
        await super().play(replace(stage, seeds=chosen, total=len(chosen)))
        self.found[stage.name] = list(self.results(stage.name))


def _spread(seeds: Iterable[Seed], few: int) -> list[Seed]:
    """`few` seeds from all parts of a stream; of a long one only every n-th is held."""
    kept: list[Seed] = []
    step = 1
    for index, seed in enumerate(seeds):
        if index % step == 0:
            kept.append(seed)
        if len(kept) > max(HELD, 2 * few):
            kept, step = kept[::2], step * 2
    few = min(few, len(kept))
    return [kept[i * len(kept) // few] for i in range(few)]


async def plan_run(
    loaded: Loaded, folder: RunFolder, probe: int, progress: Progress, rates: Rates | None = None
) -> Plan:
    """What the run in `folder` will take, from `probe` seeds a stage; 0 asks nobody. Times follow from
    `rates`, where they are stated.

    Raises `SynthError` for a flow that does not say how its stages multiply.
    """
    flow = load_flow_module(loaded.flow.flow)
    if flow.plan is None:
        raise SynthError(
            f"the flow {flow.name!r} does not say how its stages multiply",
            "give its Flow a `plan` function; synth.flows.stat.plan is one",
        )
    assert isinstance(loaded.params, FlowParams)
    tariff = Tariff.of(loaded.flow.prices, loaded.flow.models, gpus_held(loaded.flow.models.values()))
    with tempfile.TemporaryDirectory(prefix="synth-plan-") as scratch:
        aside = RunFolder(Path(scratch))
        journal = Journal(aside.journal)
        try:
            session = Probe(
                unlimited(loaded.flow),
                loaded.params,
                aside,
                journal,
                {},
                progress,
                loaded.path,
                few=max(1, probe),
            )
            if probe:
                await _ask(loaded, session, folder, flow)
            calls = read_journal(folder.journal).calls if probe else []
            sources = {name: session.questions(name) for name in loaded.flow.data}
        finally:
            journal.close()
    survey = Survey(loaded.flow, loaded.params, sources, session.found, loaded.path)
    student = loaded.flow.models.get("student")
    pace = training_pace(folder.path.parent, student.title, loaded.flow.train) if student else None
    plan = estimate(
        survey, _whole_round(flow.plan(survey), survey), calls, tariff, probe, pace, rates or Rates()
    )
    hint = split_hint(loaded.flow, loaded.params.examples)
    return plan.model_copy(update={"hints": [hint] if hint else []})


def unlimited(flow: FlowFile) -> FlowFile:
    """The flow file without limits on what may be spent."""
    limits = {"tokens": None, "hours": None, "money": None}
    return flow.model_copy(update={"budget": flow.budget.model_copy(update=limits)})


async def _ask(loaded: Loaded, session: Probe, folder: RunFolder, flow: Flow) -> None:
    """Start the models and put a few seeds of each stage to them."""
    folder.open()
    try:
        journal = Journal(folder.journal)
        try:
            team = await make_team(loaded, journal, folder.path, session.progress)
            try:
                await team.start()
                session.models = team.models
                if "test" in loaded.flow.data:
                    seeds = question_seeds(session.questions("test"))
                    await session.stage("exam-before", exam_graph(loaded.flow.evaluate), seeds)
                list(await flow.generate(session))
            finally:
                await team.aclose()
        finally:
            journal.close()
    finally:
        folder.close()


def _whole_round(stages: list[StagePlan], survey: Survey) -> list[StagePlan]:
    """The flow's own stages between the exam before and training with the exam after."""
    flow = survey.flow
    made = sum(stage.makes for stage in stages)
    limit = flow.budget.train_tokens
    data = min(made, limit) if limit is not None else made
    why = f"{data:.0f} tokens of data{f' (at most {limit})' if limit else ''} x {flow.train.epochs:g} epochs"
    train = StagePlan("train", 0, learns=data * flow.train.epochs, why=why)
    if "test" not in survey.questions:
        return [*stages, train]
    before, after = _exams(survey, flow, "before"), _exams(survey, flow, "after")
    if flow.gate.noise:
        before.insert(1, _exam("exam-again", survey, flow.evaluate, first_only=True))
    if flow.curriculum is not None:
        before.append(_attempts(flow.curriculum, survey, flow.evaluate))
    return [*before, *stages, train, *after]


def _exams(survey: Survey, flow: FlowFile, when: str) -> list[StagePlan]:
    """The exam and the guard suites. What a round asks before, the last one asked after, or it before."""
    sources = {"": "test"} | {f"guard-{name}-": guard.data for name, guard in flow.gate.guards.items()}
    return [
        _exam(f"exam-{name}{when}", survey, flow.evaluate, source, first_only=when == "before")
        for name, source in sources.items()
    ]


def _exam(
    name: str, survey: Survey, settings: Evaluate, source: str = "test", *, first_only: bool
) -> StagePlan:
    """Each held-out question of a source once."""
    questions = survey.questions[source]
    prompt = mean_prompt([question_messages(question.question, settings) for question in questions])
    why = f"{len(questions)} {source} questions"
    agent = AgentPlan("answer", "student", len(questions), why, settings.max_tokens, prompt)
    return StagePlan(name, len(questions), (agent,), like="exam-before", first_only=first_only)


def _attempts(curriculum: Curriculum, survey: Survey, settings: Evaluate) -> StagePlan:
    """The student's answers that tell how much each source of the pool teaches."""
    exam = _exam("curriculum", survey, settings, curriculum.data, first_only=False)
    (answer,) = exam.agents
    why = f"{answer.why} x {curriculum.samples} answers"
    calls = answer.calls * curriculum.samples
    return replace(exam, agents=(replace(answer, calls=calls, why=why),))
