"""Held-out questions in other words: what a user asks, and a question whose vector points the same way.

Only what was asked is compared. A text with other numbers than the question's is another task.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from synth.config.curation import SameQuestion
from synth.curation.step import Check, Fault
from synth.records import Sample, content_id

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vector = NDArray[np.float32]

__all__ = ["asked_texts", "by_question"]

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def asked_texts(sample: Sample) -> list[str]:
    """The user's turns, and the bare question where the prompt frames it."""
    texts = [message["content"] for message in sample.prompt if message["role"] == "user"]
    question = sample.meta.get("question")
    return [*texts, question] if isinstance(question, str) and question not in texts else texts


def by_question(rule: SameQuestion, held_out: Mapping[str, str], vectors: Mapping[str, Vector]) -> Check:
    """A step; `held_out` are questions with their sources' names, `vectors` of length one by the content id
    of their text. What has no vector passes."""
    import numpy as np

    rows: defaultdict[Sequence[str], list[tuple[str, Vector]]] = defaultdict(list)
    for text, source in held_out.items():
        if (vector := vectors.get(content_id(text))) is not None:
            rows[_numbers(text, rule)].append((source, vector))
    groups = {
        key: ([source for source, _ in found], np.stack([v for _, v in found])) for key, found in rows.items()
    }

    def nearest(texts: Iterable[str]) -> tuple[float, str]:
        best = (0.0, "")
        for text in texts:
            vector, group = vectors.get(content_id(text)), groups.get(_numbers(text, rule))
            if vector is not None and group is not None:
                cosines = group[1] @ vector
                at = int(cosines.argmax())
                best = max(best, (float(cosines[at]), group[0][at]))
        return best

    def check(sample: Sample) -> Sample | Fault:
        cosine, source = nearest(asked_texts(sample))
        if cosine < rule.threshold:
            return sample
        return Fault(
            "contaminated", f"asks what a held-out question of {source} asks, at a cosine of {cosine:.3f}"
        )

    return check


def _numbers(text: str, rule: SameQuestion) -> Sequence[str]:
    return tuple(sorted(_NUMBER.findall(text))) if rule.numbers else ()
