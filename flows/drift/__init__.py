"""DRIFT, dissatisfaction-refined iterative preference training (arXiv 2510.02341), as LangGraph graphs.

The *signals* graph finds replies that displeased: a rubric agent reads conversations, or a
simulated user complains of what a checker missed; tagged data need no graph. The *pairs*
graph asks the current student for a better reply with the complaint in view, and sets it
against the one that displeased; it is learnt without the complaint. The first round may
train on repairs alone, replies that were revised until they pleased.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

from synth.chat import Reply
from synth.config import Evaluate, Train
from synth.engine import Flow
from synth.engine.folder import RunFolder
from synth.engine.session import Session
from synth.errors import DataError
from synth.flows.answering import question_seeds
from synth.flows.drift.check import check
from synth.flows.drift.detect import conversation_seeds, rubric_graph
from synth.flows.drift.figures import figures_of
from synth.flows.drift.fit import fault
from synth.flows.drift.guide import Guide
from synth.flows.drift.pairs import pair_graph, pair_seeds
from synth.flows.drift.params import Params
from synth.flows.drift.plan import plan
from synth.flows.drift.ruler import Ruler
from synth.flows.drift.signals import Signal, shuffled, signals_of
from synth.flows.drift.simulate import simulator_graph
from synth.records import Question, Sample

__all__ = ["Params", "build"]


def build() -> Flow:
    """The flow `drift`: role `student`, with `user` to simulate one and `annotator` to judge by a
    rubric; data `test`, with `pool` (prompts with constraints) to simulate or `conversations`."""
    return Flow(
        name="drift",
        params=Params,
        generate=generate,
        roles=("student", "user", "annotator"),
        sources=("pool", "conversations", "test"),
        graphs=_graphs,
        plan=plan,
        check=check,
        makes=lambda params: {"student": "pairs"},
        training=training,
        citation="DRIFT: Dissatisfaction-Refined Iterative preFerence Training, arXiv 2510.02341",
    )


async def generate(session: Session) -> Iterable[Sample]:
    """One round: find what displeased, once, then make its pairs. Samples come in seed order."""
    params = session.params
    assert isinstance(params, Params)
    guide = Guide(params.max_prompt, Ruler(session.folder.path / "tokenizer.json"))
    signals = await _signals(session, params, guide)
    warm = _warming(session, params)
    kept = _repairs(signals) if warm else _records(signals, params, session.flow.seed)
    seeds = pair_seeds(kept, "repair" if warm else "iteration")
    results = await session.stage("pairs", pair_graph(params, guide), seeds, total=len(seeds))
    figures = figures_of(
        signals,
        results,
        round_number=session.round,
        arm=params.arm,
        kind="repair" if warm else "iteration",
    )
    RunFolder.write_json(session.folder.round(session.round) / "drift.json", figures)
    return session.samples("pairs")


def training(session: Session) -> Train:
    """The warm start goes over its few pairs more often than an iteration over its many."""
    params, settings = session.params, session.flow.train
    assert isinstance(params, Params)
    if not _warming(session, params):
        return settings
    return settings.model_copy(update={"epochs": params.repair_epochs})


def _warming(session: Session, params: Params) -> bool:
    return params.repairs_first and session.round == 1


async def _signals(session: Session, params: Params, guide: Guide) -> list[Signal]:
    """All signals, in the order of their source. They are found in the first round and stay: later
    students answer the same complaints."""
    if params.detect == "tags":
        found = [one for dialogue in session.conversations("conversations") for one in signals_of(dialogue)]
        return _unique(found)
    if session.round == 1:
        await _find(session, params, guide)
    stored = (result.output.get("signals", ()) for result in session.results("signals", round=1))
    return _unique([Signal.model_validate(signal) for signals in stored for signal in signals])


async def _find(session: Session, params: Params, guide: Guide) -> None:
    if params.detect == "rubric":
        seeds = conversation_seeds(session.conversations("conversations"))
        await session.run_stage("signals", rubric_graph(params, guide.ruler), seeds, total=len(seeds))
        return
    seeds = question_seeds(_checkable(session.questions("pool")))
    graph = simulator_graph(params, session.flow.evaluate, guide)
    await session.run_stage("signals", graph, seeds, total=len(seeds))


def _checkable(questions: list[Question]) -> list[Question]:
    """Raises `DataError` where there is nothing a simulated user could miss."""
    for question in questions:
        if not question.meta.get("constraints"):
            raise DataError(
                f"a simulated user needs constraints to check, and {question.source} has none",
                "write source: instructions under data: pool:, or with: {detect: tags} and conversations",
            )
    return questions


def _unique(signals: list[Signal]) -> list[Signal]:
    return list({signal.id: signal for signal in signals}.values())


def _repairs(signals: list[Signal]) -> list[Signal]:
    """What the warm start trains on. Raises `DataError` if there is nothing."""
    found = [signal for signal in signals if signal.repair]
    if not found:
        raise DataError(
            f"no reply of {len(signals)} that were rated displeased and was then revised so that it pleased",
            "leave the warm start out: with: {repairs_first: false}",
        )
    return found


def _records(signals: list[Signal], params: Params, seed: int) -> list[Signal]:
    """What an iteration makes pairs of, as the arm has it: replies that displeased with the complaint
    about them; in SPIN as many that pleased, in the placebo as many of all that are fit to be chosen.

    Raises `DataError` if there is nothing.
    """
    displeased = [one for one in signals if not one.satisfied and (one.feedback or one.wish)]
    if not displeased:
        raise DataError(
            f"no reply of {len(signals)} that were rated displeased with a word of the user's about it",
            "take more conversations, or constraints that the student misses more often",
        )
    if params.arm == "control-shuffled":
        return shuffled(displeased, seed)
    if params.arm == "control-random":
        return _lot(signals, len(displeased), seed)
    if params.arm != "control-spin":
        return displeased
    pleased = [one for one in signals if one.satisfied]
    if not pleased:
        raise DataError(
            "SPIN needs replies that pleased, and there is none",
            "take more conversations, or another arm",
        )
    return random.Random(f"{seed}/spin").sample(pleased, min(len(pleased), len(displeased)))


def _lot(signals: list[Signal], size: int, seed: int) -> list[Signal]:
    """The placebo's rejected replies. Both of its sides pass the same check, or chosen ones would be finished
    more often. Raises `DataError` if there is nothing."""
    fit = [one for one in signals if one.finished and not fault(Reply(one.reply), "", one)]
    if not fit:
        raise DataError(
            f"none of {len(signals)} replies is fit to be chosen, so nothing can be drawn by lot",
            "raise with.max_tokens if they were cut off, or take another arm",
        )
    return random.Random(f"{seed}/lot").sample(fit, min(len(fit), size))


def _graphs() -> dict[str, Any]:
    params, settings = Params(), Evaluate()
    guide = Guide(params.max_prompt)
    return {
        "signals": simulator_graph(params, settings, guide),
        "rubric": rubric_graph(params, guide.ruler),
        "pairs": pair_graph(params, guide),
    }
