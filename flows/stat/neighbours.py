"""Nearest pool questions of the failed ones, whatever their skills: the paper's Embed-Sel baseline.

With a model in the role `embedder` (`api: embeddings`) the vectors are its own; without one
they are TF-IDF vectors of words, which see shared words and no meaning.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from synth.agents import ask
from synth.chat import Dropped
from synth.engine import Context, Graph
from synth.engine.session import Session
from synth.flows.answering import question_seeds
from synth.measure.vectors import word_vectors
from synth.records import Question, Sampling, Seed
from synth.teachers.reward import numbers_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["embed_graph", "nearest_questions", "word_vectors"]

ROLE = "embedder"
BLOCK = 512
"""Failed questions compared with the whole pool at once."""


class State(TypedDict, total=False):
    """`output` holds the question's `id` and `vector`."""

    seed: Seed
    output: dict[str, Any]


def embed_graph() -> Graph:
    """embed: the text of a question as a vector. A seed is a `Question`."""

    async def embed(state: State, runtime: Runtime[Context]) -> State:
        data = state["seed"].data
        (reply,) = await ask(
            runtime.context,
            ROLE,
            [{"role": "user", "content": data["question"]}],
            Sampling(max_tokens=1),
            agent="embed",
        )
        try:
            vector = numbers_of(reply.text)
        except (TypeError, ValueError) as error:
            raise Dropped("unparsed", "embed", str(error), raw=reply.text[:4000]) from error
        return {"output": {"id": data["id"], "vector": vector}}

    builder = StateGraph(State, context_schema=Context)
    builder.add_node("embed", embed)
    builder.add_edge(START, "embed")
    builder.add_edge("embed", END)
    return builder.compile(name="stat-embed")


async def nearest_questions(
    session: Session, failed: Sequence[Question], pool: Sequence[Question], k: int
) -> dict[str, list[str]]:
    """Failed question's id -> ids of its `k` nearest pool questions, the nearest first.

    Questions that could not be embedded are left out.
    """
    import numpy as np

    if ROLE not in session.models:
        vectors = word_vectors([question.question for question in (*failed, *pool)])
        found = {q.id: row for q, row in zip((*failed, *pool), vectors, strict=True)}
    else:
        every = list({question.id: question for question in (*failed, *pool)}.values())
        results = await session.stage("embed", embed_graph(), question_seeds(every), total=len(every))
        found = {
            r.output["id"]: np.asarray(r.output["vector"], dtype=np.float32) for r in results if r.output
        }
    return _nearest([q.id for q in failed if q.id in found], [q.id for q in pool if q.id in found], found, k)


def _nearest(
    asked: Sequence[str], pool: Sequence[str], vectors: Mapping[str, NDArray[np.float32]], k: int
) -> dict[str, list[str]]:
    """By cosine; of equals the first in the pool."""
    import numpy as np

    if not asked or not pool:
        return {}
    matrix = _unit(np.stack([vectors[name] for name in pool]))
    found: dict[str, list[str]] = {}
    for start in range(0, len(asked), BLOCK):
        names = asked[start : start + BLOCK]
        cosines = _unit(np.stack([vectors[name] for name in names])) @ matrix.T
        order = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
        found |= {name: [pool[n] for n in row] for name, row in zip(names, order, strict=True)}
    return found


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    import numpy as np

    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, np.float32(1))  # type: ignore[no-any-return]
