"""Delta Learning (arXiv 2507.06187) as one LangGraph graph: preference pairs by model identity.

Two models answer each prompt greedily. The stronger one's answer is chosen, the weaker one's rejected,
and nobody judges either: what a student learns is the difference between them, which may
take it beyond both.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from synth.config import Evaluate
from synth.engine import Flow
from synth.engine.folder import RunFolder
from synth.engine.session import Session
from synth.errors import DataError
from synth.flows.answering import question_seeds
from synth.flows.delta.check import check
from synth.flows.delta.measure import measure
from synth.flows.delta.pairs import pair_graph
from synth.flows.delta.params import Params
from synth.flows.delta.plan import plan
from synth.records import Sample

__all__ = ["Params", "build"]


def build() -> Flow:
    """The flow `delta`: role `student` and the two of the pair, data `prompts` and `test`."""
    return Flow(
        name="delta",
        params=Params,
        generate=generate,
        roles=("student",),
        sources=("prompts", "test"),
        graphs=_graphs,
        plan=plan,
        check=check,
        citation="The Delta Learning Hypothesis, arXiv 2507.06187",
    )


async def generate(session: Session) -> Iterable[Sample]:
    """One round: answers of both roles to every prompt, paired. Samples come in the prompts' order.

    Raises `DataError` if no pair is left.
    """
    params = session.params
    assert isinstance(params, Params)
    asked = session.questions("prompts")
    graph = pair_graph(params, session.flow.evaluate)
    await session.run_stage("pair", graph, question_seeds(asked), total=len(asked))
    report = measure(session.results("pair"), params)
    RunFolder.write_json(session.folder.round(session.round) / "delta.json", report)
    if not report.taught:
        raise DataError(
            f"none of {len(asked)} prompts gave a pair in the arm {params.arm!r}",
            f"see {session.folder.round(session.round) / 'delta.json'}: cut-off answers need a larger "
            "with.max_tokens, lengths that differ a larger with.length_ratio",
        )
    return session.samples("pair")


def _graphs() -> dict[str, Any]:
    return {"pair": pair_graph(Params(), Evaluate())}
