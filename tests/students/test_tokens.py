"""Rows as token ids: what of a conversation is learnt, under the chat templates of small models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from transformers import AutoTokenizer

from synth.config.flowfile import Train
from synth.errors import TrainError
from synth.students.examples import load_examples
from synth.students.tokens import tokenised

CHATML = (
    "{% if messages[0].role != 'system' %}<im>system\nYou help.</im>\n{% endif %}"
    "{% for m in messages %}<im>{{ m.role }}\n{{ m.content }}</im>\n{% endfor %}"
    "{% if add_generation_prompt %}<im>assistant\n{% endif %}"
)
"""As SmolLM2 and Qwen2.5 have it: a system message of its own before a conversation without one."""


def talk(*turns: tuple[str, str]) -> list[dict[str, str]]:
    return [{"role": role, "content": text} for role, text in turns]


def kept(tokenizer: Any, ids: Sequence[int], mask: Sequence[int]) -> str:
    """The text that is learnt."""
    return str(tokenizer.decode([token for token, learnt in zip(ids, mask, strict=True) if learnt]))


@pytest.mark.parametrize("loss_on", ["answer", "assistant"])
@pytest.mark.parametrize("system", [(), (("system", "Be brief."),)])
def test_a_template_with_a_system_message_of_its_own(
    tiny: Path, loss_on: str, system: tuple[tuple[str, str], ...]
) -> None:
    """It is never learnt, nor is the head of a turn; what ends an answer is."""
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    tokenizer.chat_template = CHATML
    prompt = talk(*system, ("user", "a"), ("assistant", "bc"), ("user", "d"))
    rows = Dataset.from_list([{"prompt": prompt, "completion": talk(("assistant", "e"))}])
    made = tokenised(rows, tokenizer, Train(loss_on=loss_on), {}).rows[0]
    whole = tokenizer.apply_chat_template(prompt + talk(("assistant", "e")), tokenize=False)
    if loss_on == "answer":
        ids = made["prompt_ids"] + made["completion_ids"]
        mask = [0] * len(made["prompt_ids"]) + [1] * len(made["completion_ids"])
    else:
        ids, mask = made["input_ids"], made["completion_mask"]
    assert tokenizer.decode(ids) == whole
    assert kept(tokenizer, ids, mask) == ("e</im>\n" if loss_on == "answer" else "bc</im>\ne</im>\n")


def test_a_response_alone_has_no_question(tiny: Path, data: Path) -> None:
    """Response tuning sees the answer and what the template puts before it, nothing of the prompt."""
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    found = load_examples(data)
    made = tokenised(found, tokenizer, Train(objective="response-only"), {}).rows
    answer = found[0]["completion"][0]["content"]
    assert tokenizer.decode(made[0]["prompt_ids"]) == "<|assistant|>"
    assert tokenizer.decode(made[0]["completion_ids"]) == f"{answer}<|end|>"


def test_every_assistant_turn_can_be_learnt(tiny: Path) -> None:
    """The prompt's turns too, without marks in the template; one that rewrites them is refused."""
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    prompt = talk(("user", "a"), ("assistant", "bc"), ("user", "d"))
    rows = Dataset.from_list([{"prompt": prompt, "completion": talk(("assistant", "e"))}])
    made = tokenised(rows, tokenizer, Train(loss_on="assistant"), {}).rows[0]
    assert kept(tokenizer, made["input_ids"], made["completion_mask"]) == "bc<|end|>e<|end|>"
    tokenizer.chat_template = (
        "{% for m in messages %}{{ m.role if loop.last else 'old' }}:{{ m.content }};{% endfor %}"
        "{% if add_generation_prompt %}assistant:{% endif %}"
    )
    with pytest.raises(TrainError, match="changes earlier turns"):
        tokenised(rows, tokenizer, Train(loss_on="assistant"), {})
    tokenizer.chat_template = None
    with pytest.raises(TrainError, match="no chat template"):
        tokenised(rows, tokenizer, Train(), {})


def test_answers_that_are_too_long_are_cut_only_on_demand(tiny: Path) -> None:
    """By default such a row is left out; published code cuts it and teaches the cut as an end. A prompt that
    leaves no room is left out by both, and what fits stays as it is."""
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    sides = {"chosen": talk(("assistant", "x" * 40)), "rejected": talk(("assistant", "yes"))}
    rows = Dataset.from_list(
        [{"prompt": talk(("user", text)), **sides} for text in ("short", "p" * 28)]
        + [{"prompt": talk(("user", "short")), **{**sides, "chosen": sides["rejected"]}}]
    )
    left = tokenised(rows, tokenizer, Train(objective="dpo", max_length=30), {})
    assert (len(left.rows), left.left_out) == (1, 2)
    cut = tokenised(rows, tokenizer, Train(objective="dpo", max_length=30, overlong="cut"), {})
    assert (len(cut.rows), cut.left_out, cut.longest) == (2, 1, 30)
    first, last = cut.rows[0], cut.rows[1]
    prompt = tokenizer.decode(first["prompt_ids"])
    text = tokenizer.decode(first["prompt_ids"] + first["chosen_ids"])
    assert text == prompt + "x" * (29 - len(first["prompt_ids"])) + "<|end|>"
    assert tokenizer.decode(first["rejected_ids"]) == "yes<|end|>"
    assert last["chosen_ids"] == left.rows[0]["chosen_ids"]
