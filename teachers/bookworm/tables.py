"""Tables of a text: a row written out, a cell said in a sentence."""

from __future__ import annotations

import random
import re
from typing import Any

from synth.teachers.bookworm.reading import table

__all__ = ["WAYS", "WRITERS"]

Said = dict[str, Any]
LOOK = (
    'What does the column "{column}" of this table say of "{row}"? Answer in one sentence.',
    'What does this table give as "{column}" for "{row}"? Answer in one sentence.',
    'Say in one sentence what "{column}" is for "{row}" in this table.',
)
WRITE_OUT = 'Write out the {} row of this table as "column: value", one column a line.'
ROWS = {"first": 0, "second": 1, "last": -1}


def _clean(text: str) -> list[str]:
    """The lines of a table whose rows are short and alike; nothing where they are not."""
    lines = table(text)
    alike = lines and "\\|" not in "".join(lines) and len({len(row) for row in _cells(lines)}) == 1
    return lines if alike and max(map(len, lines)) <= 240 else []


def _cells(lines: list[str]) -> list[list[str]]:
    """The header and the rows, without the rule between."""
    bare = [
        re.split(r"(?<!\\)\|", line.strip().removeprefix("|").removesuffix("|"))
        for line in (lines[0], *lines[2:])
    ]
    return [[cell.strip() for cell in line] for line in bare]


def described(text: str) -> list[Said]:
    """Rows of a table, written out."""
    lines = _clean(text)[:6]
    which = random.Random(text).sample(list(ROWS), 2) if len(lines) > 4 else ["first"]
    shown = "\n".join(lines)
    return [{"instruction": WRITE_OUT.format(name), "table": shown} for name in which] if lines else []


def _row(text: str, task: str) -> Said:
    ask, _, shown = task.partition("\n\n")
    head, *rows = _cells(shown.splitlines())
    name = ask.removeprefix("Write out the ").split()[0]
    pairs = enumerate(zip(head, rows[ROWS[name]], strict=True), 1)
    told = [f"{name or f'column {place}'}: {cell or 'empty'}" for place, (name, cell) in pairs]
    return {"answer": "\n".join(told)}


def looked_up(text: str) -> list[Said]:
    """A cell by its row and column, both of which the table has once."""
    lines = _clean(text)[:8]
    if not lines:
        return []
    head, *rows = _cells(lines)
    first = [row[0] for row in rows]
    cells = [
        (head[at], row[0])
        for row in rows
        if 0 < len(row[0]) <= 40 and first.count(row[0]) == 1
        for at in range(1, len(head))
        if head[at] and 0 < len(row[at]) <= 120 and '"' not in row[at] and head.count(head[at]) == 1
    ]
    rng = random.Random(text)
    chosen = rng.sample(cells, min(2, len(cells)))
    return [
        {"instruction": rng.choice(LOOK).format(column=column, row=row), "table": "\n".join(lines)}
        for column, row in chosen
    ]


def _cell(text: str, task: str) -> Said:
    ask, _, shown = task.partition("\n\n")
    ways = (re.escape(way).replace(r"\{column\}", "(.+)").replace(r"\{row\}", "(.+)") for way in LOOK)
    found = next(filter(None, (re.fullmatch(way, ask) for way in ways)), None)
    head, *rows = _cells(shown.splitlines())
    row = next((row for row in rows if found and row[0] == found[2]), None)
    if not found or row is None or found[1] not in head:
        return {"reason": "The table has no such cell.", "answerable": False}
    said = row[head.index(found[1])].strip(".")
    return {"answer": f'For "{found[2]}" the table gives "{said}" as "{found[1]}".'}


WRITERS = {"describe_a_row": described, "question_on_table": looked_up}
WAYS = (
    *((WRITE_OUT.format(name)[:24], _row) for name in ROWS),
    *((way.partition('"')[0], _cell) for way in LOOK),
)
