"""Constraints on how long a response is, and how its paragraphs stand."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Annotated, Any

from pydantic import Field

from synth.verify.constraints.relation import Count, Relation, Text, compare

__all__ = [
    "nth_paragraph_first_word",
    "number_paragraphs",
    "number_sentences",
    "number_words",
    "sentence_spans",
]

WORD_END = re.compile(r"""[.,?!'"]""")


def number_words(response: str, *, num_words: Count, relation: Relation) -> bool:
    """How many words there are: runs of letters, digits and underscores."""
    return compare(len(re.findall(r"\w+", response)), relation, num_words)


def number_sentences(response: str, *, num_sentences: Count, relation: Relation) -> bool:
    """How many sentences there are, as the English Punkt model splits them."""
    return compare(len(sentence_spans(response)), relation, num_sentences)


def number_paragraphs(response: str, *, num_paragraphs: Count) -> bool:
    """Exactly so many paragraphs between dividers `***`; an empty one only at either end."""
    parts = [part.strip() for part in response.split("***")]
    return all(parts[1:-1]) and sum(map(bool, parts)) == num_paragraphs


def nth_paragraph_first_word(
    response: str, *, num_paragraphs: Count, nth_paragraph: Annotated[int, Field(ge=1)], first_word: Text
) -> bool:
    """So many paragraphs between empty lines, and one of them begins with a word, in any case."""
    paragraphs = response.split("\n\n")
    filled = sum(1 for paragraph in paragraphs if paragraph.strip())
    if filled != num_paragraphs or nth_paragraph > filled:
        return False
    words = paragraphs[nth_paragraph - 1].split(maxsplit=1)
    if not words:
        return False
    begun = words[0].lstrip("'").lstrip('"')
    return WORD_END.split(begun, maxsplit=1)[0].lower() == first_word.lower()


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Where each sentence of an English text begins and ends."""
    return list(_punkt().span_tokenize(text))


@lru_cache(maxsize=1)
def _punkt() -> Any:
    # Lazy: the model is read once it is needed.
    from punkt import PunktSentenceTokenizer, load_model

    return PunktSentenceTokenizer(load_model("english"))
