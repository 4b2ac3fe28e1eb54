"""A teacher that only reads: it plays AgentInstruct's agents for tasks a text answers by itself.

`{program: "synth.teachers.bookworm:answer"}` gets the prompts a language model would get
(`agents/prompts/agentinstruct/`) and answers in the same form: gaps, orders, names and numbers
copied out, tables read, doctests, exact edits. A task is written without its answer; the answer is
found in a call of its own, from the text and the task alone. What it cannot do it refuses.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from synth.records import Message
from synth.teachers.bookworm.answers import respond
from synth.teachers.bookworm.edits import edit, suggest
from synth.teachers.bookworm.tasks import WRITERS

__all__ = ["answer"]


def answer(messages: Sequence[Message]) -> str:
    """Answer one of AgentInstruct's prompts. Raises `ValueError` for a transformation, type or task
    that takes more than reading."""
    prompt = messages[1]["content"]
    if "<transformation " in prompt:
        raise ValueError(f"it cannot rewrite a text as {_name(prompt, 'transformation')!r}")
    if "<type " in prompt:
        return json.dumps({"tasks": _write(prompt)})
    if "<goals>" in prompt:
        return json.dumps(
            {
                "suggestions": suggest(
                    _inside(prompt, "text"), _inside(prompt, "task"), _inside(prompt, "goals")
                )
            }
        )
    if "<change " in prompt:
        text, task = edit(_inside(prompt, "text"), _inside(prompt, "task"), _inside(prompt, "change"))
        return json.dumps({"text": text, "task": task})
    return json.dumps(respond(_inside(prompt, "text"), _inside(prompt, "task")))


def _write(prompt: str) -> list[dict[str, Any]]:
    name = _name(prompt, "type")
    if name not in WRITERS:
        raise ValueError(f"it writes no tasks of the type {name!r}")
    count = re.search(r"up to (\d+) different tasks", prompt)
    return WRITERS[name](_inside(prompt, "text"))[: int(count[1]) if count else 1]


def _name(prompt: str, tag: str) -> str:
    found = re.search(rf'<{tag} name="([^"]*)"', prompt)
    return found[1] if found else ""


def _inside(prompt: str, tag: str) -> str:
    """What stands between the first opening and the last closing tag."""
    start = re.search(rf"^<{tag}\b[^>\n]*>\n", prompt, re.MULTILINE)
    end = prompt.rfind(f"\n</{tag}>")
    return prompt[start.end() : end] if start and end >= start.end() else ""
