"""Which answer most of several responses come to."""

from __future__ import annotations

from collections.abc import Sequence

from synth.records import Question
from synth.verify import extract_answer, same_answer

__all__ = ["commonest"]


def commonest(responses: Sequence[str], question: Question) -> tuple[str, list[str]]:
    """The commonest answer and the responses that come to it; of equals the first. Responses
    without an answer count for none."""
    groups: list[tuple[str, list[str]]] = []
    for response in responses:
        answer = extract_answer(response, question)
        if not answer:
            continue
        for known, texts in groups:
            if same_answer(answer, known, question):
                texts.append(response)
                break
        else:
            groups.append((answer, [response]))
    return max(groups, key=lambda group: len(group[1]), default=("", []))
