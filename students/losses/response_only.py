"""Response tuning (arXiv 2410.02465): the answer is learnt without its question.

The loss is that of supervised fine-tuning; what differs is that the template is given the
assistant's turn alone. What a template puts before every conversation, such as a system message of
its own, stays, and is not learnt.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from transformers import PreTrainedTokenizerBase

from synth.errors import TrainError

__all__ = ["response_alone"]


def response_alone(
    tokenizer: PreTrainedTokenizerBase, answer: list[Any], options: dict[str, Any], cut: Sequence[str] = ()
) -> tuple[list[int], list[int]]:
    """Ids of what the template puts before an answer, and of the answer with its end.

    Raises `TrainError` for a template that does not begin with the assistant or changes its words.
    """
    unfinished = {"continue_final_message": "completion" in cut}
    text = tokenizer.apply_chat_template(answer, tokenize=False, **{**options, **unfinished})
    said = answer[0]["content"].strip()
    before, found, after = text.partition(said)
    if not found or not said:
        raise TrainError(
            "train.objective: response-only: the model's chat template does not repeat an answer that stands "
            f"alone: {said[:60]!r}",
            "write objective: sft, or give the model a template that takes any order of roles",
        )
    ids = [list(tokenizer(part, add_special_tokens=False)["input_ids"]) for part in (before, found + after)]
    return ids[0], ids[1]
