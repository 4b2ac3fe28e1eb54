"""Which replies are fit to be chosen: the checks that the published code does without."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from synth.chat import Reply
from synth.data import normalise
from synth.flows.drift.signals import Signal
from synth.verify.constraints.language import language_of

__all__ = ["fault", "language_switched"]

LETTERS = 40
"""Letters a text must have for its language to be told from it."""
_APOLOGY = re.compile(
    r"[^.!?\n]*\b(?:sorry|apologi[sz]e|apolog(?:y|ies)|my mistake|i understand (?:your|that you)"
    r"|thank you for (?:pointing|your (?:feedback|patience)))\b",
    re.IGNORECASE,
)
"""In the first sentence."""
_ASKED_FOR = re.compile(r"sorry|apolog|excus", re.IGNORECASE)
_IDENTITY = re.compile(
    r"\bas an? (?:ai|artificial intelligence|(?:large )?language model)\b"
    r"|\bi(?: a|')m (?:an? (?:ai|artificial intelligence|(?:large )?language model)|chatgpt)\b",
    re.IGNORECASE,
)
_SPEAKER = re.compile(r"^(?:user|human|assistant|system)\s*:", re.IGNORECASE | re.MULTILINE)


def fault(reply: Reply, rejected: str, signal: Signal) -> str:
    """Why a reply may not be chosen over `rejected`, in one word; empty if it may.

    `truncated`, `empty`, `identical` (to what it is to beat, but for spacing and case), `role`
    (it plays on for user or assistant), `identity` (it speaks of itself as a model),
    `apology` (it begins with one: for a complaint that is not there when it is learnt) or
    `language`. The patterns for `identity` and `apology` are English.
    """
    text = reply.text.strip()
    if reply.truncated:
        return "truncated"
    if not text:
        return "empty"
    if normalise(text) == normalise(rejected):
        return "identical"
    if _SPEAKER.search(text):
        return "role"
    if _IDENTITY.search(text):
        return "identity"
    if _APOLOGY.match(text) and not _ASKED_FOR.search(signal.prompt[-1]["content"]):
        return "apology"
    return "language" if language_switched(text, signal) else ""


def language_switched(text: str, signal: Signal) -> bool:
    """Whether a reply is in another language than the request, the reply before and the complaint.

    Only where all of it is long enough to tell; a constraint on the language settles it itself.
    """
    if any(one["type"].startswith("language:") for one in signal.constraints):
        return False
    known = _languages([signal.prompt[-1]["content"], signal.reply, signal.feedback])
    return bool(known) and bool(_languages([text]) - known)


def _languages(texts: Sequence[str]) -> set[str]:
    long = (text for text in texts if sum(map(str.isalpha, text)) >= LETTERS)
    return {language for text in long if (language := _language(text))}


@lru_cache(maxsize=4096)
def _language(text: str) -> str:
    """Cached: request, reply and complaint are looked at again for every candidate."""
    return language_of(text)
