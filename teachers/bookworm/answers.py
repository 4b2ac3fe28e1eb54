"""Answers found by reading: each looks at the text and the task as a student would see it."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable
from typing import Any

from synth.teachers.bookworm import order, pages, puzzles, questions, shots, tables, talks, verses
from synth.teachers.bookworm.reading import examples, names, numbers, parsed, sentences
from synth.teachers.bookworm.tasks import NUMBER, first_function

__all__ = ["filled", "respond"]

Said = dict[str, Any]
MISSING = {"reason": "The text does not have this sentence.", "answerable": False}


def respond(text: str, task: str) -> Said:
    """The answer, or that the text has none. Raises `ValueError` for a task that takes more."""
    for sign, way in WAYS:
        if task.startswith(sign):
            return way(text, task)
    raise ValueError(f"it cannot do this task: {task[:80]!r}")


def filled(text: str, gapped: str) -> str:
    """The words that stand in the gap in the text; nothing where the sentence is not there."""
    before, _, after = (" ".join(part.split()) for part in gapped.partition("____"))
    found = re.search(rf"{re.escape(before)}\s*(\S+?)\s*{re.escape(after)}", " ".join(text.split()))
    return found[1].strip(".,;:") if found else ""


def _fill(text: str, task: str) -> Said:
    word = filled(text, task.split("\n\n", 1)[1])
    return {"answer": word} if word else MISSING


def _options(text: str) -> list[str]:
    return re.findall(r"^[A-J]\) (.*)$", text, re.MULTILINE)


def _choose(text: str, task: str) -> Said:
    word = filled(text, task.split("\n\n")[1])
    options = [option.lower() for option in _options(task)]
    if word.lower() not in options:
        return MISSING
    return {"answer": "ABCDEFGHIJ"[options.index(word.lower())]}


def _order(text: str, task: str) -> Said:
    whole = " ".join(text.split())
    places = {letter: whole.find(start) for letter, start in zip("ABCDEFGHIJ", _options(task), strict=False)}
    if min(places.values()) < 0:
        return MISSING
    return {"answer": sorted(places, key=places.__getitem__)}


def _fields(text: str, task: str) -> Said:
    node = first_function(text)
    if node is None:
        return {"reason": "The code defines no function.", "answerable": False}
    parameters = [
        argument.arg for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
    ]
    returns = ast.unparse(node.returns) if node.returns else None
    return {"answer": json.dumps({"name": node.name, "parameters": parameters, "returns": returns})}


def _kind(text: str, task: str) -> Said:
    lines = [line for line in text.splitlines() if line.strip()]
    items = sum(bool(re.match(r"\s*([-*+]|\d+[.)])\s", line)) for line in lines)
    bars = sum(line.strip().startswith("|") for line in lines)
    tree = parsed(text)
    code = bool(tree and tree.body and re.search(r"^(def|class|import|from|@|async) ", text, re.MULTILINE))
    most = 0.5 * len(lines)
    return {
        "answer": "source code"
        if code
        else "table"
        if bars > most
        else "list"
        if items > most
        else "running text"
    }


def _prints(text: str, task: str) -> Said:
    call = re.search(r"print\(repr\((.*)\)\)\n```", task)
    for one in examples(text):
        if call and one.call == call[1] and one.source in task:
            return {"answer": one.result}
    return {"reason": "The text has no example of this call.", "answerable": False}


def _function(text: str, task: str) -> Said:
    name = re.search(r"function `(\w+)\(", task)
    source = next((one.source for one in examples(text) if name and one.function == name[1]), "")
    return {"code": source} if source else {"reason": "The text has no such function.", "answerable": False}


def _replace(text: str, task: str) -> Said:
    found = re.match(r'Replace the word "(.+?)" by "(.+?)" in this sentence: (.*)', task, re.DOTALL)
    if not found:
        raise ValueError("nothing is said of what to replace")
    old, new, sentence = found.groups()
    return {"answer": re.sub(rf"\b{re.escape(old)}\b", new, sentence)}


def _in_documents(text: str, task: str) -> Said:
    """`task` begins with the documents themselves."""
    gapped = next(line for line in task.splitlines()[::-1] if "____" in line)
    for number, document in re.findall(
        r"^Document (\d+):\n(.*?)(?=\n\nDocument \d+:|\Z)", task, re.DOTALL | re.MULTILINE
    ):
        word = filled(document.replace(gapped, ""), gapped)
        if word:
            return {"answer": word, "documents": [int(number)]}
    return {"reason": "None of the documents has this sentence.", "answerable": False}


def _sentences(text: str, task: str) -> Said:
    word = re.search(r'the word "(.+)"', task)
    found = [one for one in sentences(text) if word and re.search(rf"\b{re.escape(word[1])}\b", one)]
    return {"answer": found} if found else {"reason": "No sentence has this word.", "answerable": False}


def _after_colon(change: Callable[[str], str]) -> Callable[[str, str], Said]:
    return lambda text, task: {"answer": change(task.split(": ", 1)[1])}


def _listed(some: str) -> str:
    return "\n".join(f"- {sentence}" for sentence in re.split(r"(?<=[.!?])\s+(?=[A-Z`])", some))


WAYS: tuple[tuple[str, Callable[[str, str], Said]], ...] = (
    ("Fill in the word", _fill),
    ("Which word fills the gap in this sentence of the text", _choose),
    ("Put these beginnings", _order),
    ("Copy out everything the text sets in backticks", lambda text, task: {"answer": names(text)}),
    ("Copy out every number", lambda text, task: {"answer": numbers(text)}),
    ("Describe the first function", _fields),
    ("What is this text in the main", _kind),
    ("What does this program print", _prints),
    ("Write the Python function", _function),
    ("Replace the word", _replace),
    ("Write this sentence in capital letters", _after_colon(str.upper)),
    ("Write this sentence in small letters", _after_colon(str.lower)),
    ("Remove all punctuation", _after_colon(lambda s: re.sub(r"[^\w\s]", "", s))),
    ("Write these sentences as a bulleted list", _after_colon(_listed)),
    (
        "Put square brackets around every number",
        _after_colon(lambda s: NUMBER.sub(r"[\g<0>]", s)),
    ),
    ("Hide every digit", _after_colon(lambda s: re.sub(r"\d", "#", s))),
    ("Copy out every sentence of the text that has", _sentences),
    ("Document 1:", _in_documents),
    *puzzles.WAYS,
    *order.WAYS,
    *pages.WAYS,
    *tables.WAYS,
    *shots.WAYS,
    *verses.WAYS,
    *questions.WAYS,
    *talks.WAYS,
)
"""How a task begins -> how it is answered."""
