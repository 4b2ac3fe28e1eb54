"""The word, expression or text a response gives as its answer."""

from __future__ import annotations

import re

__all__ = ["boxed", "read_math", "read_text", "read_word"]

EDGE = " \t\n\"'\u201c\u201d\u2018\u2019`*.,;:!?()[]{}"
OPEN, CLOSE = "\"\u201c\u2018'", "\"\u201d\u2019'"
BOXED = re.compile(r"\\boxed\s*\{")
LONGEST = 500
"""Characters of a box."""
QUOTED = re.compile(rf"(?<![\w])[{OPEN}]([^{OPEN}{CLOSE}\n]+)[{CLOSE}](?!\w)")
SAYS = re.compile(
    r"(?:\b(?:is|be|becomes?|gives?|get|reads?|spells)\b|[:=→])[ \t]*"
    rf"(?:[{OPEN}]([^{OPEN}{CLOSE}\n]+)[{CLOSE}]|(\w(?: \w)+)(?!\w)|(\S+))",
    re.I,
)
FILLER = (
    "a an the is are not to of in it that this as by just simply called written spelled spelt reversed "
    "backward backwards you we i so be would"
)
"""Words that follow "is" without being the answer."""
ANSWER = re.compile(r"\banswer\b(?:\s+\w+){0,4}?\s*(?:\bis\b|:|=)\s*(.+)", re.I)
DOLLARS = re.compile(r"\$\$?([^$\n]+?)\$\$?")


def boxed(text: str) -> str:
    r"""What stands in the last complete `\boxed{...}`, empty if there is none."""
    for start in (match.end() for match in reversed(list(BOXED.finditer(text)))):
        depth = 1
        for place, character in enumerate(text[start : start + LONGEST], start):
            depth += {"{": 1, "}": -1}.get(character, 0)
            if depth == 0:
                return text[start:place].strip()
    return ""


def read_word(text: str, question: str = "") -> str:
    """The bare word, the one after "is", `:` or "becomes", a quoted one, or a last line of one word.

    A quoted word that only repeats the question is no answer. Empty if there is none.
    """
    lines = [line for line in text.splitlines() if line.strip(EDGE)]
    words = text.strip(EDGE).split()
    if len(words) == 1 or (words and all(len(word) == 1 for word in words)):
        return " ".join(words)
    said = [(match[1] or match[2] or match[3]).strip(EDGE) for match in SAYS.finditer(text)]
    said = [word for word in said if word and word.casefold() not in FILLER.split()]
    if said:
        return said[-1]
    asked = {word.strip(EDGE).casefold() for word in question.split()}
    quoted: list[str] = [word.strip(EDGE) for word in QUOTED.findall(text)]
    quoted = [word for word in quoted if word and word.casefold() not in asked]
    if quoted:
        return quoted[-1]
    return lines[-1].strip(EDGE) if lines and len(lines[-1].split()) == 1 else ""


def read_math(text: str) -> str:
    """The expression after "answer is", else the last one between dollars, else a bare response."""
    if found := ANSWER.findall(text):
        return _tidy(str(found[-1]))
    if found := DOLLARS.findall(text):
        return _tidy(str(found[-1]))
    bare = "\n" not in text and len(text.split()) <= 8 and "\\boxed" not in text
    return _tidy(text) if bare else ""


def read_text(text: str) -> str:
    """What follows "answer is" or "answer:" on its line, else the whole response, without quotes."""
    found = ANSWER.findall(text)
    return str(found[-1]).strip(EDGE) if found else text.strip().strip("\"\u201c\u201d'").strip()


def _tidy(expression: str) -> str:
    """Without dollars around it and punctuation after it."""
    inner = DOLLARS.search(expression)
    bare: str = inner[1] if inner else expression
    return bare.strip().rstrip(".,;").strip()
