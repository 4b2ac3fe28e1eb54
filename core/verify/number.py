"""The number a response gives as its answer."""

from __future__ import annotations

import re

__all__ = ["NUMBER", "plain_number", "read_number"]

NUMBER = r"(?:(?<![\w.)-])[-+])?\$?(?:\d{1,3}(?:,\d{3})+(?![\d,])|\d+)(?:\.\d+|/\d+)?(?:[eE][-+]?\d+(?!\w))?"
"""An integer, decimal, fraction or number with thousands commas; a sign only where it is no minus."""
STATED = rf"(?<![\w.,/])(?<!\d [-+*/])(?<!\d [-+*/] )(?<!\bor )(?P<number>{NUMBER})(?!\w|/\d|[.,]\d)" + (
    r"(?!\s*(?:[-+*/\u00d7·^]|or\b|to\b)\s*\(?\d)"
)
"""A number that is neither part of a word, nor of a calculation, nor one of two offered."""
FILLER = (
    r"[^\w-]{0,3}(?:(?:the|a|about|approximately|exactly|equal|to|therefore|thus|then|simply|just|only|now|"
    r"number|value)\b\s*){0,4}[^\w-]{0,3}"
)
MARKED = re.compile(rf"####[^\w-]{{0,3}}{STATED}")
ANSWERED = re.compile(
    rf"\banswer\b(?:(?!\n\n).){{0,80}}?(?:\bis\b|\bare\b|:|=)\s*(?!not\b){FILLER}{STATED}", re.I | re.S
)
EQUALS = re.compile(rf"[=≈]\s*\(?{STATED}")
CONCLUDED = re.compile(
    r"\b(?:is|are|was|were|be|equals?|gives?|gets?|makes?|becomes?|has|have|had|contains?|appears|"
    rf"leaves|leaving|total of|so|therefore|thus|hence)[,:]?\s+{FILLER}{STATED}",
    re.I,
)
ANY = re.compile(STATED)
SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
BRIEF = 4
"""Words of a response so short that whatever number it holds is its answer."""

NAMES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen twenty"
)
SPELLED = {**{word: str(value) for value, word in enumerate(NAMES.split())}, "once": "1", "twice": "2"}
SPELLED_WORD = re.compile(rf"\b({'|'.join(SPELLED)})\b", re.I)
ONE = re.compile(r"^\W*one\W*$|\bis one\b|\bone (?:time|letter)\b|\bonce\b", re.I)


def plain_number(number: str) -> str:
    """Without thousands commas, currency sign and plus."""
    return re.sub(r"[,$+]", "", number)


def read_number(text: str, question: str = "") -> str:
    """The number after `####` or "the answer is", else that of the last sentence which concludes with one.

    A number repeated from the question is an answer only where it is stated as one ("the
    largest is 52"). Without any digit, one number spelled out (zero to twenty, once, twice)
    counts. Empty if there is none.
    """
    text = (
        text.replace("\u2212", "-")
        .replace("\\$", "$")
        .replace("{,}", ",")
        .replace("\\(", " ")
        .replace("\\)", " ")
    )
    for pattern in (MARKED, ANSWERED):
        if found := _last(pattern, text):
            return found
    if len(text.split()) <= BRIEF and (found := _last(EQUALS, text) or _last(ANY, text)):
        return found
    known = {plain_number(number) for number in re.findall(NUMBER, question)}
    for sentence in reversed(SENTENCE_END.split(text)):
        found = _last(EQUALS, sentence) or _last(CONCLUDED, sentence)
        new = [number for number in map(plain_number, ANY.findall(sentence)) if number not in known]
        if found or new:
            return found or new[-1]
    return "" if re.search(r"\d", text) else _spelled(text)


def _last(pattern: re.Pattern[str], text: str) -> str:
    found = [match["number"] for match in pattern.finditer(text)]
    return plain_number(found[-1]) if found else ""


def _spelled(text: str) -> str:
    """The one number word of the text; "one" alone is mostly a pronoun."""
    found = {SPELLED[word.lower()] for word in SPELLED_WORD.findall(text)}
    if "1" in found and not ONE.search(text):
        found.discard("1")
    return found.pop() if len(found) == 1 else ""
