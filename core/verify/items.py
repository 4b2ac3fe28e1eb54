"""The list a response gives as its answer: numbers or words, in order."""

from __future__ import annotations

import re

from synth.verify.number import NUMBER, plain_number

__all__ = ["items", "read_list"]

BRACKETS = re.compile(r"\[([^\[\]]+)\]")
BULLET = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+(\S.*?)\s*$")
AFTER = re.compile(r"(?::|=|\b(?:is|are|be|becomes?)\b)[\s\"'(]*", re.I)
ASIDE = re.compile(r"\([^()]*\)")
RUN = re.compile(rf"{NUMBER}(?:(?:\s*[,;<>→]\s*|\s+)(?:and\s+)?{NUMBER})*")
END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])|\n+(?!\s*[-\d])")
EDGE = " \t\n\"'\u201c\u201d\u2018\u2019`*.,;:!?()[]{}"
PROSE = 12
"""Words from which on a line without commas is prose, not a list."""


def items(text: str) -> list[str]:
    """The words and numbers of a list, without the punctuation around them."""
    parts = (part.strip(EDGE) for part in re.split(r"[\s,;<>→\[\]|]+", text))
    return [plain_number(part) if re.fullmatch(NUMBER, part) else part for part in parts if part]


def read_list(text: str, question: str = "") -> list[str]:
    """The list in brackets, in bullets, after the last `:`, "is" or "are", or on a line of its own.

    A list that only repeats the question's own is no answer, unless it is stated as one.
    """
    if found := BRACKETS.findall(text):
        return items(found[-1])
    if bullets := _bullets(text):
        return bullets
    text = ASIDE.sub(" ", text).strip()
    if RUN.fullmatch(text.strip(EDGE)):
        return items(text)
    if entries := _separated(text) or _stated(text):
        return entries
    lines = [line for line in text.splitlines() if line.strip(EDGE)]
    for line in (*lines[:1], *lines[-1:]):
        entries = _separated(line)
        if entries and " ".join(entries).casefold() not in " ".join(items(question)).casefold():
            return entries
    bare = len(lines) == 1 and not re.search("[,:]", text) and len(text.split()) < PROSE
    return items(text) if bare else []


def _bullets(text: str) -> list[str]:
    """The last run of at least two bulleted or numbered lines."""
    runs: list[list[str]] = [[]]
    for line in text.splitlines():
        if match := BULLET.match(line):
            runs[-1].append(match[1])
        elif runs[-1]:
            runs.append([])
    long = [run for run in runs if len(run) > 1]
    return items(", ".join(long[-1])) if long else []


def _separated(text: str) -> list[str]:
    """The entries of a line that is nothing but short entries between commas."""
    parts = [part for part in text.split(",") if part.strip(EDGE)]
    if "\n" in text or ":" in text or len(parts) < 2 or any(len(part.split()) > 3 for part in parts):
        return []
    return _entries(parts)


def _entries(parts: list[str]) -> list[str]:
    """Entries of a list with commas; `5 and 9` are two, `and 9` is one."""
    split = [re.sub(r"^\s*and\s+(?=\S)|(?<=\S)\s+and\s+(?=\S)", " ", part) for part in parts]
    return items(",".join(split))


def _stated(text: str) -> list[str]:
    """The list of the last sentence that states one: after its last `:`, else its first "is" or "are"."""
    for sentence in reversed(END.split(text)):
        cues = list(AFTER.finditer(sentence))
        marks = [cue for cue in cues if cue[0][0] in ":="]
        for cue in (*reversed(marks), *cues):
            rest = sentence[cue.end() :]
            run = RUN.match(rest)
            numbers = _entries(run[0].split(",")) if run else []
            if entries := numbers if len(numbers) > 1 else _separated(rest) or numbers:
                return entries
    return []
