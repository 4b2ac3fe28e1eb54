"""Rows as token ids: the chat template applied and checked, rows that do not fit left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from datasets import Dataset
from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from synth.config import Train
from synth.errors import DataError, TrainError
from synth.students.examples import UNFINISHED
from synth.students.losses.response_only import response_alone

__all__ = ["ROW", "Taken", "shared_start", "tokenised"]

ROW = "row"
"""Column with a row's number in its file, from 0, so that a message can name it."""

LEAST = 2
"""Tokens a prompt must leave for an answer to be cut to: one, and the end."""
Options = dict[str, Any]


class Taken(NamedTuple):
    """Rows that fit, how many were left out for their length, and the longest of them in tokens."""

    rows: Dataset
    left_out: int
    longest: int


def tokenised(rows: Dataset, tokenizer: PreTrainedTokenizerBase, train: Train, options: Options) -> Taken:
    """The rows as token ids (`prompt_ids`, `chosen_ids`, ...).

    A row fits if the prompt with any one of its answers has at most `max_length` tokens as the
    chat template puts it. An unfinished answer gets no end, unless `overlong: cut` ends it where the
    room does. Raises `DataError` if no row fits, `TrainError` for a template that cannot say what is to
    be learnt.
    """
    _check_template(tokenizer)

    def ids(row: dict[str, Any], number: int) -> dict[str, Any]:
        made = _whole(row, tokenizer, train, options)
        if train.overlong == "cut" and "prompt_ids" in made:
            made = _ended(made, train.max_length, tokenizer.eos_token_id)
        prompt = made.get("prompt_ids", [])
        answers = [
            len(value) for name, value in made.items() if name.endswith("_ids") and name != "prompt_ids"
        ]
        return {**made, ROW: number, "length": len(prompt) + max(answers, default=0)}

    try:
        made = rows.map(ids, with_indices=True, remove_columns=rows.column_names)
    except TemplateError as error:
        raise DataError(
            f"putting the rows into the model's chat template: {error}",
            "see which roles the template takes, and in which order",
        ) from error
    lengths = list(made["length"])
    fitting = [index for index, length in enumerate(lengths) if length <= train.max_length]
    if not fitting:
        raise DataError(
            f"all {len(rows)} rows exceed {train.max_length} tokens; the shortest has {min(lengths)}",
            "raise train.max_length",
        )
    longest = max(lengths[index] for index in fitting)
    return Taken(made.remove_columns("length").select(fitting), len(rows) - len(fitting), longest)


def _check_template(tokenizer: PreTrainedTokenizerBase) -> None:
    if not tokenizer.chat_template:
        raise TrainError(
            f"the tokenizer of {tokenizer.name_or_path} has no chat template to say where an answer begins",
            "take an instruction-tuned model, or put a chat_template into its tokenizer_config.json",
        )


def _whole(
    row: dict[str, Any], tokenizer: PreTrainedTokenizerBase, train: Train, options: Options
) -> dict[str, Any]:
    """One row's columns of ids, as its objective reads them."""
    if train.objective == "response-only":
        prompt, answer = response_alone(tokenizer, row["completion"], options, _cut(row))
        return {"prompt_ids": prompt, "completion_ids": answer}
    if train.loss_on == "assistant":
        ids, mask = _turns(tokenizer, [*row["prompt"], *row["completion"]], options)
        return {"input_ids": ids, "completion_mask": mask}
    return _sides(row, tokenizer, options)


def _ended(made: dict[str, Any], longest: int, end: int) -> dict[str, Any]:
    """The answers cut to what the prompt leaves of `longest` tokens, the last of which is the end."""
    room = longest - len(made["prompt_ids"])
    sides = [name for name in made if name.endswith("_ids") and name != "prompt_ids"]
    if room < LEAST:
        return made
    return {**made, **{n: [*made[n][: room - 1], end] for n in sides if len(made[n]) > room}}


def _cut(row: dict[str, Any]) -> Sequence[str]:
    return row.get(UNFINISHED) or ()


def _sides(row: dict[str, Any], tokenizer: PreTrainedTokenizerBase, options: Options) -> dict[str, Any]:
    """The prompt and each of its answers."""
    prompt = _ids(tokenizer, row["prompt"], {**options, "add_generation_prompt": True})
    cut = _cut(row)
    whole = {
        side: _ids(tokenizer, row["prompt"] + row[side], {**options, "continue_final_message": side in cut})
        for side in row
        if side in ("completion", "chosen", "rejected")
    }
    # Where a template puts an answered prompt otherwise, the answers begin where the texts part.
    start = min(shared_start(prompt, text) for text in whole.values())
    return {"prompt_ids": prompt[:start], **{f"{side}_ids": text[start:] for side, text in whole.items()}}


def _turns(
    tokenizer: PreTrainedTokenizerBase, messages: list[Any], options: Options
) -> tuple[list[int], list[int]]:
    """A conversation's ids, and 1 where an assistant speaks.

    Each turn is found by what the template adds for it, which needs no marks in the template; one
    that puts earlier turns otherwise once more follow is refused.
    """
    ids = _ids(tokenizer, messages, options)
    mask = [0] * len(ids)
    for at, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        before = _ids(tokenizer, messages[:at], {**options, "add_generation_prompt": True}) if at else []
        after = _ids(tokenizer, messages[: at + 1], options)
        if ids[: len(after)] != after:
            raise TrainError(
                "train.loss_on: assistant: the model's chat template changes earlier turns when more follow; "
                f"turn {at + 1} of a conversation is nowhere in the whole",
                "write loss_on: answer, or give the model a template that leaves turns as they are",
            )
        start = shared_start(before, after)
        mask[start : len(after)] = [1] * (len(after) - start)
    return ids, mask


def _ids(tokenizer: PreTrainedTokenizerBase, messages: list[Any], options: Options) -> list[int]:
    text = tokenizer.apply_chat_template(messages, tokenize=False, **options)
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def shared_start(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two texts have in common from their beginning."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))
