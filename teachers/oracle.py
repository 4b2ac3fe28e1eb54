"""A teacher that is never wrong: it plays STAT's teacher for the built-in task families.

`{program: "synth.teachers.oracle:task_teacher"}` reads the same prompts a language model
would (`agents/prompts/`), by their tags, and answers in the same form: it names the skill
a question belongs to or fails for, writes a new question of a skill, and solves questions
from their text. It knows nothing else of a question, least of all its stored answer.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from synth.config.flowfile import DataSource
from synth.data import read_questions
from synth.records import Message

__all__ = ["SOLVERS", "solve", "task_teacher"]


def task_teacher(messages: Sequence[Message], sample: int = 0) -> str:
    """Answer one of STAT's prompts. Raises `ValueError` for any other, and for a question
    that belongs to no built-in family."""
    text = messages[-1]["content"]
    if "<skill>" in text:
        return _propose(_tag(text, "skill"), text, sample)
    if "<failed>" in text:
        return _propose(solve(_tag(text, "question"))[0], text, sample)
    if "<answer>" in text:
        return _label(_tag(text, "question"), _tag(text, "answer"))
    if "<names>" in text:
        return json.dumps({"skills": [line.rpartition(" (")[0] for line in _tag(text, "names").splitlines()]})
    if "<naming>" in text or "<skills>" in text:
        return json.dumps({"skills": [solve(_tag(text, "question"))[0]], "reason": "it is of this family"})
    if "<question>" in text:
        return solve(_tag(text, "question"))[1]
    raise ValueError("this is none of STAT's prompts")


def solve(question: str) -> tuple[str, str]:
    """Family and answer of a question, from its text alone."""
    for family, pattern, answer in SOLVERS:
        match = pattern.fullmatch(question.strip())
        if match:
            return family, answer(match)
    raise ValueError(f"no built-in family asks {question[:80]!r}")


def _label(question: str, response: str) -> str:
    family, answer = solve(question)
    right = response.strip() == answer
    said = {"correct": right, "reason": f"the answer is {answer}", "skills": [] if right else [family]}
    return json.dumps(said)


def _propose(skill: str, prompt: str, sample: int) -> str:
    """A question drawn by chance that depends on the prompt and the sample's number alone."""
    digest = hashlib.blake2b(f"{sample}\n{prompt}".encode(), digest_size=4).digest()
    source = DataSource(source="tasks", families=(skill,), size=1, seed=int.from_bytes(digest, "big"))
    question = next(read_questions(source, base=Path()))
    return json.dumps({"reason": f"it exercises {skill}", "draft": "", "question": question.question})


def _tag(text: str, name: str) -> str:
    """What stands in the last `<name>` element: references come before what is asked."""
    found: list[str] = re.findall(rf"<{name}>\n(.*?)\n</{name}>", text, re.DOTALL)
    if not found:
        raise ValueError(f"the prompt has no <{name}>")
    return found[-1]


def _list(text: str) -> list[str]:
    return [item.strip() for item in text.split(",")]


def _sum(match: re.Match[str]) -> str:
    first, sign, second = match.groups()
    return str(int(first) + int(second) if sign == "+" else int(first) - int(second))


def _sort(match: re.Match[str]) -> str:
    numbers = sorted(_list(match[2]), key=int, reverse=match[1] == "descending")
    return ", ".join(numbers)


def _compare(match: re.Match[str]) -> str:
    pick = max if match[1] == "largest" else min
    return pick(_list(match[2]), key=int)


def _rows(match: re.Match[str]) -> list[list[str]]:
    return [line.split() for line in match[1].splitlines()]


def _rotate(match: re.Match[str]) -> str:
    turned = zip(*_rows(match)[::-1], strict=True)
    return "\n".join(" ".join(row) for row in turned)


def _reverse(match: re.Match[str]) -> str:
    return ", ".join(_list(match[1])[::-1])


def _palindrome(match: re.Match[str]) -> str:
    """Of three letters two are alike: they stand around the third."""
    letters = sorted(match.groups(), key=match.groups().count)
    return f"{letters[-1]} {letters[0]} {letters[-1]}"


def _transpose(match: re.Match[str]) -> str:
    return "\n".join(" ".join(column) for column in zip(*_rows(match), strict=True))


def _spiral(match: re.Match[str]) -> str:
    rows, order = _rows(match), []
    while rows:
        order += rows.pop(0)
        rows = [list(row) for row in zip(*rows, strict=True)][::-1]
    return " ".join(order)


def _needle(match: re.Match[str]) -> str:
    found = re.search(rf"(?:^|[.] )([^.]+?) {re.escape(match[2])}[.]", match[1])
    if found is None:
        raise ValueError(f"nobody in the text {match[2]}")
    return found[1]


SOLVERS: tuple[tuple[str, re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    ("addition", re.compile(r"(-?\d+) ([+-]) (-?\d+) = \?"), _sum),
    ("multiplication", re.compile(r"(\d+) \* (\d+) = \?"), lambda m: str(int(m[1]) * int(m[2]))),
    ("palindrome", re.compile(r"Make a palindrome from: (\w) (\w) (\w)"), _palindrome),
    ("number_sorting", re.compile(r"Sort in (ascending|descending) order: (.+)"), _sort),
    ("number_comparison", re.compile(r"Which number is the (largest|smallest)\? (.+)"), _compare),
    ("spell_backward", re.compile(r"Spell backward: (\w+)"), lambda m: m[1][::-1]),
    ("list_reversal", re.compile(r"Reverse this list of words: (.+)"), _reverse),
    ("matrix_rotation", re.compile(r"Rotate 90 degrees clockwise:\n(.+)", re.DOTALL), _rotate),
    ("matrix_transpose", re.compile(r"Transpose the matrix:\n(.+)", re.DOTALL), _transpose),
    ("matrix_spiral", re.compile(r"Spiral order of the matrix:\n(.+)", re.DOTALL), _spiral),
    ("fact_lookup", re.compile(r"(.+?)\s+Who ([^?]+)\?", re.DOTALL), _needle),
)
"""(family, what its questions look like, how they are solved)."""
