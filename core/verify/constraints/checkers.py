"""The 25 published constraint types (IFEval, arXiv 2311.07911): id -> checker.

A checker is a function of the response and the constraint's published arguments; the types
of its parameters say what a valid constraint is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from synth.config.suggest import suggestion
from synth.verify.constraints import case, content, format, keywords, language, length, whole

__all__ = ["CHECKERS", "Checker", "group", "meant"]

Checker = Callable[..., bool]

CHECKERS: Mapping[str, Checker] = {
    "keywords:existence": keywords.existence,
    "keywords:frequency": keywords.frequency,
    "keywords:forbidden_words": keywords.forbidden_words,
    "keywords:letter_frequency": keywords.letter_frequency,
    "language:response_language": language.response_language,
    "length_constraints:number_sentences": length.number_sentences,
    "length_constraints:number_paragraphs": length.number_paragraphs,
    "length_constraints:number_words": length.number_words,
    "length_constraints:nth_paragraph_first_word": length.nth_paragraph_first_word,
    "detectable_content:number_placeholders": content.number_placeholders,
    "detectable_content:postscript": content.postscript,
    "detectable_format:number_bullet_lists": format.number_bullet_lists,
    "detectable_format:constrained_response": format.constrained_response,
    "detectable_format:number_highlighted_sections": format.number_highlighted_sections,
    "detectable_format:multiple_sections": format.multiple_sections,
    "detectable_format:json_format": format.json_format,
    "detectable_format:title": format.title,
    "combination:two_responses": whole.two_responses,
    "combination:repeat_prompt": whole.repeat_prompt,
    "startend:end_checker": whole.end_checker,
    "startend:quotation": whole.quotation,
    "punctuation:no_comma": whole.no_comma,
    "change_case:capital_word_frequency": case.capital_word_frequency,
    "change_case:english_capital": case.english_capital,
    "change_case:english_lowercase": case.english_lowercase,
}


def group(kind: str) -> str:
    """The group a type belongs to: what stands before the colon."""
    return kind.partition(":")[0]


def meant(kind: str) -> str:
    """A cure for an unknown id: the nearest of the published ones; the group may be missing."""
    tails = {known.partition(":")[2]: known for known in CHECKERS}
    return suggestion(tails.get(kind, kind), CHECKERS, known="the types are")
