"""Small edits that make a text follow one constraint and leave the rest of it as it is.

An edit takes the text and the constraint's arguments, by the names IFEval gives them. There is
none for the language of a text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from itertools import cycle, islice
from typing import Any

from synth.teachers.adding import FILLERS, append, grouped, prepend
from synth.verify.constraints import check
from synth.verify.constraints.length import sentence_spans

__all__ = ["EDITS", "edit"]

MOST = 400
"""Additions after which an edit gives up."""


def edit(text: str, constraint: Mapping[str, Any]) -> str:
    """The text edited until it follows one constraint; where it does so, it stays.

    An empty text, or one of which nothing would be left, is replaced by a filler.
    """
    body, change = text.strip() or FILLERS[0], EDITS.get(constraint["type"])
    if change is None or _follows(body, constraint["type"], constraint["args"]):
        return body
    return str(change(body, **constraint["args"])).strip() or FILLERS[0]


def _follows(text: str, kind: str, args: Mapping[str, Any]) -> bool:
    return all(check(text, [{"type": kind, "args": args}]).strict)


def _until(text: str, kind: str, args: dict[str, Any], additions: tuple[str, ...]) -> str:
    """The text with additions at its end until it follows the constraint."""
    for addition in islice(cycle(additions), MOST):
        if _follows(text, kind, args):
            break
        text = append(text, addition)
    return text


def _keep(pattern: str, text: str, most: int, found: Callable[[str], int]) -> str:
    """The text without those matches that would bring the count of what is `found` in them above `most`."""
    seen = 0

    def kept(match: re.Match[str]) -> str:
        nonlocal seen
        here = found(match[0])
        if here and seen + here > most:
            return ""
        seen += here
        return match[0]

    return re.sub(pattern, kept, text).strip()


def _existence(text: str, keywords: list[str]) -> str:
    missing = [word for word in keywords if word.lower() not in text.lower()]
    return append(text, f"This has to do with {' and '.join(missing)}.")


def _frequency(text: str, keyword: str, frequency: int, relation: str) -> str:
    if relation == "at least":
        missing = frequency - text.lower().count(keyword.lower())
        return append(text, f"In short: {' and '.join([keyword] * missing)}.")
    return _keep(r"\s*\S+", text, frequency - 1, lambda word: word.lower().count(keyword.lower()))


def _forbidden(text: str, forbidden_words: list[str]) -> str:
    for word in forbidden_words:
        text = re.sub(rf"\s*\b{re.escape(word)}\b", "", text, flags=re.I)
    return text.strip()


def _letters(text: str, letter: str, let_frequency: int, let_relation: str) -> str:
    if let_relation == "at least":
        missing = let_frequency - text.lower().count(letter.lower())
        return append(text, f"{' '.join([letter] * missing)}.")
    return _keep(r"\s*\S+", text, let_frequency - 1, lambda word: word.lower().count(letter.lower()))


def _words(text: str, num_words: int, relation: str) -> str:
    if relation == "at least":
        args = {"num_words": num_words, "relation": relation}
        return _until(text, "length_constraints:number_words", args, FILLERS)
    ends = [match.end() for match in re.finditer(r"\w+", text)]
    return text[: ends[num_words - 2]] + "." if num_words > 1 else ""


def _sentences(text: str, num_sentences: int, relation: str) -> str:
    if relation == "at least":
        args = {"num_sentences": num_sentences, "relation": relation}
        return _until(text, "length_constraints:number_sentences", args, FILLERS)
    spans = sentence_spans(text)
    return text[: spans[num_sentences - 2][1]] if num_sentences > 1 else ""


def _paragraphs(text: str, num_paragraphs: int) -> str:
    return "\n***\n".join(grouped(text.replace("*", ""), num_paragraphs))


def _first_word(text: str, num_paragraphs: int, nth_paragraph: int, first_word: str) -> str:
    paragraphs = grouped(" ".join(text.split()), num_paragraphs)
    begun = paragraphs[nth_paragraph - 1]
    paragraphs[nth_paragraph - 1] = prepend(begun, f"{first_word.capitalize()} comes first.", " ")
    return "\n\n".join(paragraphs)


def _placeholders(text: str, num_placeholders: int) -> str:
    args = {"num_placeholders": num_placeholders}
    places = ("[name]", "[date]", "[place]", "[time]", "[number]")
    return _until(text, "detectable_content:number_placeholders", args, places)


def _bullets(text: str, num_bullets: int) -> str:
    """Points too many lose their mark, missing ones are added."""
    lines, points = text.split("\n"), 0
    for place, line in enumerate(lines):
        point = re.match(r"\s*(?:-|\*(?!\*))\s*", line)
        points += point is not None
        if point is not None and points > num_bullets:
            lines[place] = line[point.end() :].lstrip("-* ")
    for number in range(num_bullets - points):
        lines.append(f"* {FILLERS[number % len(FILLERS)]}")
    return "\n".join(lines)


def _highlights(text: str, num_highlights: int) -> str:
    """Words are emphasised from the beginning on, in addition to what is."""
    marked = re.sub(r"(?<![*\w])(\w{4,})(?![*\w])", r"*\1*", text, count=num_highlights)
    args = {"num_highlights": num_highlights}
    return _until(marked, "detectable_format:number_highlighted_sections", args, ("*this*",))


def _sections(text: str, section_spliter: str, num_sections: int) -> str:
    groups = enumerate(grouped(text, num_sections), 1)
    return "\n\n".join(f"{section_spliter} {number}\n{group}" for number, group in groups)


def _two(text: str) -> str:
    one = text.replace("******", " ").strip()
    return f"{one}\n******\n{append(one, FILLERS[0])}"


def _capitals(text: str, capital_frequency: int, capital_relation: str) -> str:
    if capital_relation == "less than":
        return re.sub(r"\w+", lambda word: word[0].lower() if word[0].isupper() else word[0], text)
    marked = re.sub(r"\b[a-z]{3,}\b", lambda word: word[0].upper(), text, count=capital_frequency)
    args = {"capital_frequency": capital_frequency, "capital_relation": capital_relation}
    return _until(marked, "change_case:capital_word_frequency", args, ("YES.",))


EDITS: Mapping[str, Callable[..., str]] = {
    "keywords:existence": _existence,
    "keywords:frequency": _frequency,
    "keywords:forbidden_words": _forbidden,
    "keywords:letter_frequency": _letters,
    "length_constraints:number_sentences": _sentences,
    "length_constraints:number_paragraphs": _paragraphs,
    "length_constraints:number_words": _words,
    "length_constraints:nth_paragraph_first_word": _first_word,
    "detectable_content:number_placeholders": _placeholders,
    "detectable_content:postscript": lambda text, postscript_marker: append(
        text, f"{postscript_marker} Thank you for reading.", "\n\n"
    ),
    "detectable_format:number_bullet_lists": _bullets,
    "detectable_format:constrained_response": lambda text: f"{text} My answer is yes.",
    "detectable_format:number_highlighted_sections": _highlights,
    "detectable_format:multiple_sections": _sections,
    "detectable_format:json_format": lambda text: json.dumps({"answer": text}, ensure_ascii=False),
    "detectable_format:title": lambda text: prepend(text, "<<An answer>>"),
    "combination:two_responses": _two,
    "combination:repeat_prompt": lambda text, prompt_to_repeat: f"{prompt_to_repeat}\n\n{text}",
    "startend:end_checker": lambda text, end_phrase: append(text, end_phrase),
    "startend:quotation": lambda text: f'"{text.strip(chr(34))}"',
    "punctuation:no_comma": lambda text: text.replace(",", ""),
    "change_case:capital_word_frequency": _capitals,
    "change_case:english_capital": str.upper,
    "change_case:english_lowercase": str.lower,
}
"""Constraint type -> its edit."""
