"""Constraints on capital and small letters."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from synth.verify.constraints.language import is_language
from synth.verify.constraints.length import sentence_spans
from synth.verify.constraints.relation import Count, Relation, compare

__all__ = ["capital_word_frequency", "english_capital", "english_lowercase"]


def english_capital(response: str) -> bool:
    """English, and all letters are capitals."""
    return response.isupper() and is_language(response, "en")


def english_lowercase(response: str) -> bool:
    """English, and no letter is a capital."""
    return response.islower() and is_language(response, "en")


def capital_word_frequency(response: str, *, capital_frequency: Count, capital_relation: Relation) -> bool:
    """How many words stand all in capitals, as the Penn Treebank rules split words."""
    tokenise = _tokeniser().tokenize
    sentences = (response[start:end] for start, end in sentence_spans(response))
    words = (word for sentence in sentences for word in tokenise(sentence))
    return compare(sum(word.isupper() for word in words), capital_relation, capital_frequency)


@lru_cache(maxsize=1)
def _tokeniser() -> Any:
    # Lazy: importing it takes more than a second.
    from nltk.tokenize.destructive import NLTKWordTokenizer

    return NLTKWordTokenizer()
