"""Constraints on the language of a response, and what recognises one."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from synth.verify.constraints.relation import Text

__all__ = ["is_language", "language_of", "response_language"]

LONGEST = 10_000
"""Characters the recogniser looks at, its own limit."""


def response_language(response: str, *, language: Text) -> bool:
    """The response is written in the language of that ISO 639-1 code, such as `de`."""
    return is_language(response, language)


def is_language(text: str, language: str) -> bool:
    """Whether `text` is in `language`; a text without any letters is in all of them."""
    detect, undecided = _recogniser()
    try:
        return bool(detect(text[:LONGEST]) == language)
    except undecided:
        return True


def language_of(text: str, sure: float = 0.9) -> str:
    """The ISO 639-1 code of the language of `text`; empty where the recogniser is not `sure`."""
    _, undecided = _recogniser()
    from langdetect import detect_langs

    try:
        best = detect_langs(text[:LONGEST])[0]
    except undecided:
        return ""
    return str(best.lang) if best.prob >= sure else ""


@lru_cache(maxsize=1)
def _recogniser() -> tuple[Any, type[Exception]]:
    # Lazy: its language profiles take a while to read, and most constraints do without.
    from langdetect import DetectorFactory, LangDetectException, detect

    # It draws at random: without a seed the same text gets different verdicts.
    DetectorFactory.seed = 0
    return detect, LangDetectException
