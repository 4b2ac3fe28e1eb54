"""Questions of general knowledge, from sentences that define something or give a reason."""

from __future__ import annotations

import re
from typing import Any

from synth.teachers.bookworm.reading import sentences

__all__ = ["WAYS", "WRITERS"]

Said = dict[str, Any]
_DEFINES = re.compile(
    r"(?:(An?|The) ([a-zA-Z][\w -]{2,40}?)|([A-Z][\w -]{3,40}?)) (is|are) ((?:an?|the) [^;:]{12,160})\."
)
_VAGUE = re.compile(
    r"\b(this|that|it|its|these|those|they|he|she|we|you|i|there|here|what|which|all|only|one|first|last|"
    r"next|other|same|following|below|above|result|reason|problem|goal|idea|key|point|rest|my|his|her|their|"
    r"if|when|where|for|to|in|on|as|by|with|and|or|but|at|from|not|no|how|why|while|since|because|whereas|so|such)\b",
    re.IGNORECASE,
)
_LOCAL = re.compile(
    r"\b(this|these|we|our|you|your|chapter|listing|figure|section|example|above|below|same|one|bit|here)\b",
    re.IGNORECASE,
)
"""What speaks of the text itself, or of its reader."""
_KIND = re.compile(
    r"(?:an?|the) (?:\w[\w-]* ){1,4}(?:of|that|which|who|with|in|for|to|by|between|behind|on|from|when|at) "
)
"""A kind of thing, and what sets it apart."""
_REASON = re.compile(r"([A-Z][^,;:]{8,120}?),? because ([^;:]{15,140})\.")


def _plain(text: str) -> list[str]:
    """Sentences without the marks of emphasis and code."""
    return sentences(re.sub(r"(?<!\w)[*_]{1,2}|[*_]{1,2}(?!\w)|`", "", text))


def factoid(text: str) -> list[Said]:
    """What something is, from a sentence that says so."""
    facts = (_DEFINES.fullmatch(sentence) for sentence in _plain(text))
    return [
        {"instruction": f"{_what(said)}? Answer in a few words."} for said in facts if said and _clear(said)
    ]


def _clear(said: re.Match[str]) -> bool:
    """Whether a reader who does not see the text would know what is meant, and what is said defines it."""
    name = said[2] or said[3]
    plain = (
        len(name.split()) <= 4 and not _VAGUE.search(name) and not re.search(r"\d|\bbecause\b", name, re.I)
    )
    return plain and not _LOCAL.search(said[5]) and bool(_KIND.match(said[5]))


def _what(said: re.Match[str]) -> str:
    if said[3]:
        return f'What is meant by "{said[3]}"'
    return f"What {said[4]} {said[1].lower()} {said[2]}"


def _fact(text: str, task: str) -> Said:
    for sentence in _plain(text):
        said = _DEFINES.fullmatch(sentence)
        if said and task.startswith(f"{_what(said)}?"):
            return {"answer": said[5]}
    return {"reason": "The text does not say what it is.", "answerable": False}


def causes(text: str) -> list[Said]:
    """The reason for something, from a sentence that gives it."""
    found = []
    for sentence in _plain(text):
        said = _REASON.fullmatch(sentence)
        if said and not _VAGUE.search(" ".join(said[1].split()[:3])):
            found.append({"instruction": f"Give the reason in one sentence: {said[1]}. Why?"})
    return found


def _cause(text: str, task: str) -> Said:
    for sentence in _plain(text):
        said = _REASON.fullmatch(sentence)
        if said and f": {said[1]}. Why?" in task:
            return {"answer": f"Because {said[2]}."}
    return {"reason": "The text gives no reason.", "answerable": False}


WRITERS = {"factoid": factoid, "causes_and_consequences": causes}
WAYS = (("What is ", _fact), ("What are ", _fact), ("Give the reason in one sentence", _cause))
