"""Nearest pool questions of the failed ones, whatever their skills: the paper's Embed-Sel baseline.

With a model in the role `embedder` (`api: embeddings`) the vectors are its own; without one
they are TF-IDF vectors of words, which see shared words and no meaning.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from synth.agents.embed import EMBEDDER, embed_graph
from synth.engine.session import Session
from synth.flows.answering import question_seeds
from synth.measure.vectors import unit, word_vectors
from synth.records import Question

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["embed_graph", "nearest_questions", "word_vectors"]

BLOCK = 512
"""Failed questions compared with the whole pool at once."""


async def nearest_questions(
    session: Session, failed: Sequence[Question], pool: Sequence[Question], k: int
) -> dict[str, list[str]]:
    """Failed question's id -> ids of its `k` nearest pool questions, the nearest first.

    Questions that could not be embedded are left out.
    """
    import numpy as np

    if EMBEDDER not in session.models:
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
    matrix = unit(np.stack([vectors[name] for name in pool]))
    found: dict[str, list[str]] = {}
    for start in range(0, len(asked), BLOCK):
        names = asked[start : start + BLOCK]
        cosines = unit(np.stack([vectors[name] for name in names])) @ matrix.T
        order = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
        found |= {name: [pool[n] for n in row] for name, row in zip(names, order, strict=True)}
    return found
