"""Constraints on words and letters that must or must not occur."""

from __future__ import annotations

import re

from synth.verify.constraints.relation import Count, Relation, Text, Words, compare

__all__ = ["existence", "forbidden_words", "frequency", "letter_frequency"]


def existence(response: str, *, keywords: Words) -> bool:
    """Every keyword occurs somewhere, in any case, also inside a longer word."""
    return all(keyword.lower() in response.lower() for keyword in keywords)


def frequency(response: str, *, keyword: Text, frequency: Count, relation: Relation) -> bool:
    """How often a keyword occurs, in any case, also inside longer words."""
    return compare(response.lower().count(keyword.lower()), relation, frequency)


def forbidden_words(response: str, *, forbidden_words: Words) -> bool:
    """None of the words occurs as a whole word, in any case."""
    return not any(re.search(rf"\b{re.escape(word)}\b", response, re.I) for word in forbidden_words)


def letter_frequency(response: str, *, letter: Text, let_frequency: Count, let_relation: Relation) -> bool:
    """How often a letter (or another character) occurs, in any case."""
    return compare(response.lower().count(letter.lower()), let_relation, let_frequency)
