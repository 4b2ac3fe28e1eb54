"""Tasks a reader without understanding can write: the right answer stands in the text or follows by rule."""

from __future__ import annotations

import ast
import random
import re
from collections.abc import Callable
from typing import Any

from synth.teachers.bookworm.reading import (
    Example,
    alike,
    clear_cut,
    examples,
    gaps,
    names,
    numbers,
    parsed,
    sentences,
    wordlike,
)
from synth.teachers.bookworm.synonyms import SYNONYMS

__all__ = ["NUMBER", "WRITERS", "first_function"]

Drafts = list[dict[str, Any]]
NUMBER = re.compile(r"(?<![\w.,/-])\d[\d,]*(?:\.\d+)?(?![\w/-]|\.\d)")
"""A number that stands by itself."""


def fill_in(text: str) -> Drafts:
    """Gaps in sentences of the text."""
    ask = "Fill in the word that is missing from this sentence of the text. Answer with the word alone."
    return [{"instruction": ask, "sentence": gapped} for gapped, _ in _spread(gaps(text))]


def ordering(text: str) -> Drafts:
    """Beginnings of sentences in the order of the text."""
    starts = list(dict.fromkeys(" ".join(s.split()[:9]) for s in sentences(text)))
    ask = (
        "Put these beginnings of sentences in the order in which they stand in the text. "
        "Answer with the letters in order."
    )
    return [{"instruction": ask, "items": sorted(_spread(starts)[:4])}] if len(starts) >= 3 else []


def choice(text: str) -> Drafts:
    """Gaps with options: the word, and others of the text of its kind."""
    found = []
    for gapped, word in _spread(gaps(text)):
        others = [other for other in alike(word, text) if other not in gapped][:3]
        if len(others) == 3:
            ask = "Which word fills the gap in this sentence of the text? Answer with the letter alone."
            options = sorted([word, *others], key=str.lower)
            found.append({"instruction": f"{ask}\n\n{gapped}", "options": options})
    return found


def spans(text: str) -> Drafts:
    """Names in backticks, or numbers."""
    found = []
    if 2 <= len(names(text)) <= 12:
        found.append(
            {"instruction": "Copy out everything the text sets in backticks, once each, one to a line."}
        )
    # A version, an address or a name with digits would leave it open what a number is.
    if 2 <= len(numbers(text)) <= 10 and not re.search(r"\d", NUMBER.sub("", text)):
        found.append(
            {"instruction": "Copy out every number in the text, each once and in order, one to a line."}
        )
    return found


def fields(text: str) -> Drafts:
    """The first function of a piece of code, as data."""
    ask = "Describe the first function defined in this code."
    return [{"instruction": ask, "fields": ["name", "parameters", "returns"]}] if first_function(text) else []


def first_function(text: str) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """The first function at the top of a module."""
    tree = parsed(text)
    if tree is None:
        return None
    functions = (n for n in tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
    return next(functions, None)


def label(text: str) -> Drafts:
    """What kind of writing this is, by its form."""
    labels = ["source code", "table", "list", "running text"]
    if not clear_cut(text):
        return []
    return [{"instruction": "What is this text in the main? Answer with the label alone.", "labels": labels}]


def output(text: str) -> Drafts:
    """What a function returns for the arguments of its doctest."""
    ask = "What does this program print? Answer with the output alone."
    found = _spread(examples(text))
    return [{"instruction": ask, "program": f"{one.source}\n\n\nprint(repr({one.call}))"} for one in found]


def code(text: str) -> Drafts:
    """A function to be written from its description; all its doctests but the one shown are tests."""
    by_name: dict[str, list[Example]] = {}
    for one in examples(text):
        by_name.setdefault(one.function, []).append(one)
    found = []
    for first, *others in by_name.values():
        if first.about and others:
            ask = f"Write the Python function `{first.head}`. {first.about}"
            tests = [f"assert repr({one.call}) == {one.result!r}" for one in others[:6]]
            shown = f"For example, {first.call} is {first.result}."
            found.append({"instruction": f"{ask}\n\n{shown}", "tests": tests})
    return found


def keyword_replacement(text: str) -> Drafts:
    """A word of a sentence replaced by another that may stand in its place."""
    found = []
    for sentence in _spread(sentences(text)):
        old = next((word for word in re.findall(r"[a-z]+", sentence) if word in SYNONYMS), "")
        if old and len(re.findall(rf"\b{old}\b", sentence)) == 1:
            ask = f'Replace the word "{old}" by "{SYNONYMS[old]}" in this sentence: {sentence}'
            found.append({"instruction": ask})
    return found


def capitalisation(text: str) -> Drafts:
    """A sentence in capitals, or in small letters."""
    ways = ("in capital letters", "in small letters")
    chosen = zip(ways, _spread(sentences(text)), strict=False)
    return [{"instruction": f"Write this sentence {way}: {sentence}"} for way, sentence in chosen]


def removal(text: str) -> Drafts:
    """A sentence without the marks at its end and inside."""
    return [
        {"instruction": f"Remove all punctuation from this sentence: {s}"} for s in _spread(sentences(text))
    ]


def formatting(text: str) -> Drafts:
    """Sentences as a list."""
    some = sentences(text)[:3]
    ask = f"Write these sentences as a bulleted list, one to a line: {' '.join(some)}"
    return [{"instruction": ask}] if len(some) == 3 else []


def annotation(text: str) -> Drafts:
    """Numbers marked up."""
    # A version or a name with digits would leave it open what a number is.
    some = [s for s in sentences(text) if NUMBER.search(s) and not re.search(r"\[|\d", NUMBER.sub("", s))]
    ask = "Put square brackets around every number in this sentence: {}"
    return [{"instruction": ask.format(sentence)} for sentence in _spread(some)]


def obfuscation(text: str) -> Drafts:
    """Digits hidden."""
    some = [s for s in sentences(text) if re.search(r"\d", s) and "#" not in s]
    return [{"instruction": f"Hide every digit in this sentence behind #: {s}"} for s in _spread(some)]


def key_sentences(text: str) -> Drafts:
    """The sentences that have a word which some have and others do not."""
    known = sentences(text)
    words = dict.fromkeys(word for sentence in known for word in wordlike(sentence) if word.islower())
    count = {w: sum(bool(re.search(rf"\b{w}\b", sentence)) for sentence in known) for w in words}
    some = [word for word in words if 2 <= count[word] < min(len(known), 4)]
    ask = 'Copy out every sentence of the text that has the word "{}", one to a line.'
    return [{"instruction": ask.format(word)} for word in _spread(some)]


def cited(text: str) -> Drafts:
    """A gap to be filled from one of several documents."""
    ask = "Which word fills the gap in this sentence of one of the documents? Answer with the word.\n\n{}"
    return [{"instruction": ask.format(gapped), "documents": []} for gapped, _ in _spread(gaps(text))]


def _spread(found: list[Any]) -> list[Any]:
    """All of them, in an order of chance that depends on them alone."""
    order = list(found)
    random.Random(repr(found)).shuffle(order)
    return order


WRITERS: dict[str, Callable[[str], Drafts]] = {
    "vocabulary_and_language_use": fill_in,
    "sequencing_events": ordering,
    "cloze_with_options": choice,
    "marked_terms": spans,
    "function_signature": fields,
    "kind_of_text": label,
    "predict_the_output": output,
    "write_the_function": code,
    "keyword_replacement": keyword_replacement,
    "capitalisation": capitalisation,
    "removal": removal,
    "formatting": formatting,
    "annotation": annotation,
    "obfuscation": obfuscation,
    "key_sentences": key_sentences,
    "single_document": cited,
    "not_there": cited,
}
"""Task type -> who writes tasks of it."""
