"""Which of the admissible labels a response chooses."""

from __future__ import annotations

import re
from collections.abc import Sequence
from string import ascii_uppercase

__all__ = ["read_choice"]

NEGATED = re.compile(r"\b(?:not|never|neither|nor|isn't|wasn't|than)\s+(?:(?!but\b)\w+\s+){0,2}$", re.I)
HEAD = re.compile(r"[\s\"'“*(\[]*")
STOP = re.compile(r"[\s\"'”*)\]]*(?:[.,:;!\n-]|$)")
HEDGE = re.compile(r"\s*(?:,?\s*\bor\b|/)\s*(?:an?\b|the\b)?\s*", re.I)
CUE = (
    r"\b(?:answer|option|choice)\b(?:\s+(?!not\b)\w+){0,3}?\s*(?:\bis\b|:|=)?\s*(?:the\s+|an?\s+|option\s+)?"
)


def read_choice(text: str, choices: Sequence[str], question: str = "") -> str:
    """The label after "the answer is", at the head of the response, or mentioned last.

    Labels are whole words; a hyphen may be written as a space; labels of one letter must be
    capitals that stand apart. Negated mentions do not count, nor do labels the question
    itself names where the response names another. Empty if none, or if two are offered.
    """
    labels = {label.casefold(): label for label in choices or ascii_uppercase[:10]}
    pattern = _pattern(list(labels.values()))
    cued = re.compile(rf"{CUE}[\s\"'“*(\[]*(?:{pattern})", re.I)
    if matches := [match for match in cued.finditer(text) if _capital(match)]:
        return _label(matches[-1], labels)
    mentions = [match for match in re.finditer(pattern, text, re.I) if _real(match)]
    if mentions and HEAD.fullmatch(text[: mentions[0].start()]) and STOP.match(text[mentions[0].end() :]):
        return _label(mentions[0], labels)
    mentions = [match for match in mentions if not NEGATED.search(text[: match.start()])]
    asked = {_label(match, labels) for match in re.finditer(pattern, question, re.I) if _real(match)}
    mentions = [match for match in mentions if _label(match, labels) not in asked] or mentions
    if not mentions or _offered(text, mentions, labels):
        return ""
    return _label(mentions[-1], labels)


def _pattern(labels: Sequence[str]) -> str:
    """Longest first, so that `mother-in-law` is not read as `mother`."""
    forms = [re.escape(label).replace(r"\-", "[- ]") for label in sorted(labels, key=len, reverse=True)]
    return rf"(?<![\w-])(?P<label>{'|'.join(forms)})(?![\w-])"


def _label(match: re.Match[str], labels: dict[str, str]) -> str:
    found = match["label"].casefold()
    return labels.get(found) or labels[found.replace(" ", "-")]


def _capital(match: re.Match[str]) -> bool:
    """Whether a label of one letter is a capital."""
    found = match["label"]
    return len(found) > 1 or found.isupper() or not found.isalpha()


def _real(match: re.Match[str]) -> bool:
    """Whether a label is no word of the sentence, as `A` and `I` often are."""
    after = match.string[match.end() : match.end() + 2]
    return _capital(match) and not (match["label"] in ("A", "I") and re.match(r"\s[a-z]|'", after))


def _offered(text: str, mentions: Sequence[re.Match[str]], labels: dict[str, str]) -> bool:
    """Whether the last mention is one of two offered: `son or daughter`."""
    if len(mentions) < 2:
        return False
    last, before = mentions[-1], mentions[-2]
    between = text[before.end() : last.start()]
    return _label(last, labels) != _label(before, labels) and HEDGE.fullmatch(between) is not None
