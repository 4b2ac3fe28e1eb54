"""A teacher that only reads: it plays AgentInstruct's agents for tasks a text answers by itself.

`{program: "synth.teachers.bookworm:answer"}` gets the prompts a language model would get
(`agents/prompts/agentinstruct/`) and answers in the same form: gaps, orders, names and numbers
copied out, tables read, doctests, exact edits, puzzles solved by trying everything, calls of
functions described from their source, estimates from round figures. A task is written without its
answer; the answer is found in a call of its own, from the text and the task alone. What it cannot do
it refuses.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from synth.records import Message
from synth.teachers.bookworm import (
    estimates,
    functions,
    order,
    pages,
    puzzles,
    questions,
    shots,
    tables,
    talks,
    tasks,
    verses,
)
from synth.teachers.bookworm.answers import respond
from synth.teachers.bookworm.edits import edit, suggest

__all__ = ["WRITE", "answer"]


WRITE: dict[str, Callable[[str], list[dict[str, Any]]]] = {}
"""Task type -> who writes tasks of it."""
for _part in (tasks, puzzles, order, pages, tables, shots, verses, talks, questions, functions, estimates):
    WRITE |= _part.WRITERS
TEXTS = {**order.TEXTS, **pages.TEXTS}
"""Transformation -> who makes the text."""


def answer(messages: Sequence[Message], sample: int = 0) -> str:
    """Answer one of AgentInstruct's prompts; only an estimate depends on which independent `sample` it
    is. Raises `ValueError` for a transformation, type or task that takes more than reading."""
    prompt = messages[1]["content"]
    if _has(prompt, "transformation"):
        return json.dumps(_transformed(prompt))
    if _has(prompt, "type"):
        return json.dumps({"tasks": _write(prompt)})
    if _has(prompt, "goals"):
        return json.dumps(
            {
                "suggestions": suggest(
                    _inside(prompt, "text"), _inside(prompt, "task"), _inside(prompt, "goals")
                )
            }
        )
    if _has(prompt, "change"):
        text, task = edit(_inside(prompt, "text"), _inside(prompt, "task"), _inside(prompt, "change"))
        return json.dumps({"text": text, "task": task})
    return json.dumps(_responded(prompt, sample))


def _transformed(prompt: str) -> dict[str, Any]:
    name, text = _name(prompt, "transformation"), _inside(prompt, "text")
    if name in ("api_documentation", "api_retrieval"):
        return {"apis": functions.described(_inside(prompt, "found") or text)}
    if name not in TEXTS:
        raise ValueError(f"it cannot rewrite a text as {name!r}")
    return {"text": TEXTS[name](text)}


def _responded(prompt: str, sample: int) -> dict[str, Any]:
    text, task, history = (_inside(prompt, tag) for tag in ("text", "task", "history"))
    if history.startswith("system: You can call"):
        return functions.serve(history, task)
    if history:
        return talks.go_on(history, task)
    if task.startswith(estimates.START):
        return estimates.estimated(text, task, sample)
    return respond(text, task)


def _write(prompt: str) -> list[dict[str, Any]]:
    name = _name(prompt, "type")
    if name not in WRITE:
        raise ValueError(f"it writes no tasks of the type {name!r}")
    count = re.search(r"up to (\d+) different tasks", prompt)
    return WRITE[name](_inside(prompt, "text"))[: int(count[1]) if count else 1]


def _has(prompt: str, tag: str) -> bool:
    """Whether the prompt has such a part; a text may have such a tag in its lines."""
    return bool(re.search(rf'^<{tag}(?: (?:name|goal)="[^"\n]*".*)?>$', prompt, re.MULTILINE))


def _name(prompt: str, tag: str) -> str:
    found = re.search(rf'<{tag} name="([^"]*)"', prompt)
    return found[1] if found else ""


def _inside(prompt: str, tag: str) -> str:
    """What stands between the first opening and the last closing tag."""
    start = re.search(rf"^<{tag}\b[^>\n]*>\n", prompt, re.MULTILINE)
    end = prompt.rfind(f"\n</{tag}>")
    return prompt[start.end() : end] if start and end >= start.end() else ""
