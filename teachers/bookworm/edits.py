"""Refinements by reading: the answer taken out of the text or changed in it, an option or a link added."""

from __future__ import annotations

import json
import re
from typing import Any

from synth.teachers.bookworm.answers import filled
from synth.teachers.bookworm.pages import look_alike
from synth.teachers.bookworm.reading import alike, ending

__all__ = ["edit", "suggest"]


def suggest(text: str, task: str, goals: str) -> list[dict[str, str]]:
    """Changes towards the goals that are named, for tasks with a gap; for others none."""
    line = look_alike(task) if "look_alikes:" in goals else ""
    if line:
        return [{"goal": "look_alikes", "change": f"Add this line to the page: {line}"}]
    gapped = next((line for line in task.splitlines() if "____" in line), "")
    word = filled(text, gapped) if gapped else ""
    if not word:
        return []
    offered = re.findall(r"^(\w+):", goals, re.MULTILINE)
    whole = gapped.replace("____", word)
    options = [option.lower() for option in re.findall(r"^[A-J]\) (.*)$", task, re.MULTILINE)]
    # Another word keeps the text grammatical only if it is used in the same way.
    same = [w for w in alike(word, text) if w not in whole and ending(w) and ending(w) == ending(word)]
    other = next((w for w in same if not options or w.lower() in options), "")
    ways = {"unanswerable": f"Take this sentence out of the text: {whole}"}
    if other:
        ways["answer_changes"] = f'In the text, write "{other}" for "{word}" in this sentence: {whole}'
    known = {word.lower(), *options}
    fifth = next((w for w in alike(word, text) if w.lower() not in known and w not in gapped), "")
    if fifth and options:
        ways["more_complex"] = f"Add this option: {fifth}"
    usable = [goal for goal in offered if goal in ways]
    # Which goal comes first depends on the task, so that each has its turn.
    turn = sum(map(ord, gapped)) % max(1, len(usable))
    return [{"goal": goal, "change": ways[goal]} for goal in (*usable[turn:], *usable[:turn])]


def edit(text: str, task: str, change: str) -> tuple[str, dict[str, Any]]:
    """Text and task after a change that `suggest` may have asked for. Raises `ValueError` for another."""
    draft: dict[str, Any] = json.loads(task)
    if change.startswith("Take this sentence out of the text: "):
        return _swapped(text, change.split(": ", 1)[1], ""), draft
    put = re.match(r'In the text, write "(.+?)" for "(.+?)" in this sentence: (.*)', change, re.DOTALL)
    if put:
        new, old, whole = put.groups()
        return _swapped(text, whole, re.sub(rf"\b{re.escape(old)}\b", new, whole)), draft
    if change.startswith("Add this option: "):
        return text, {**draft, "options": [*draft["options"], change.split(": ", 1)[1]]}
    if change.startswith("Add this line to the page: "):
        return text, {**draft, "page": f"{draft['page']}\n{change.split(': ', 1)[1]}"}
    raise ValueError(f"it cannot make this change: {change[:80]!r}")


def _swapped(text: str, old: str, new: str) -> str:
    """`old` replaced wherever lines may break in it; the blanks after it go with it."""
    pattern = r"\s+".join(map(re.escape, old.split())) + ("" if new else r"[ \t]*")
    return re.sub(pattern, lambda match: new, text, count=1)
