"""What can be seen in a text without understanding it: sentences, rare words, names, doctests."""

from __future__ import annotations

import ast
import doctest
import re
import warnings
from collections import Counter
from dataclasses import dataclass

__all__ = [
    "Example",
    "alike",
    "clear_cut",
    "ending",
    "examples",
    "gaps",
    "names",
    "nouns",
    "numbers",
    "paragraphs",
    "parsed",
    "sentences",
    "table",
    "wordlike",
]

_COMMON_WORDS = (
    "about after again also because been before being between both cannot could does during each "
    "either every first from have here however into itself more most much must never nothing often "
    "only other others over rather same should since some such than that their them then there these "
    "they this those through under until very what when where whether which while will with within "
    "without would your like second third ours "
)
_COMMON = frozenset(_COMMON_WORDS.split())


def paragraphs(text: str) -> list[str]:
    """Running text on one line each, without headings, lists, tables and code."""
    bare = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    parts = (" ".join(part.split()) for part in re.split(r"\n\s*\n", bare))
    return [part for part in parts if part and not re.match(r"[#|>*\-+=.]|\d+[.)] |\.\. ", part)]


_BROKEN = re.compile(r"____|\]\(|[.:;] [-*] ")
"""A gap, a link, or the mark of a list entry that a line break hid."""


def sentences(text: str) -> list[str]:
    """Whole sentences of 6 to 40 words, without links."""
    found = [s for part in paragraphs(text) for s in re.split(r"(?<=[.!?])\s+(?=[A-Z`])", part)]
    return [
        s
        for s in found
        if 6 <= len(s.split()) <= 40 and s[0].isupper() and s[-1] in ".!?" and not _BROKEN.search(s)
    ]


def wordlike(text: str) -> list[str]:
    """Words of at least five letters that mean something, in order."""
    return [
        word
        for word in re.findall(r"(?<![\w`/.])[A-Za-z]{5,}\b(?![`/(.]\w|`|_)", text)
        if word.lower() not in _COMMON
    ]


_ENDINGS = ("ing", "ed", "ly", "tion", "tions", "ness", "ment", "ments", "able", "ible", "al", "ous", "ive")


def ending(word: str) -> str:
    """What a word ends in that says how it is used: verbs in -ing, adverbs in -ly, plurals in -s."""
    found = max((e for e in _ENDINGS if word.lower().endswith(e)), key=len, default="")
    return found or ("s" if word.endswith("s") and not word.endswith("ss") else "")


def alike(word: str, text: str) -> list[str]:
    """Other words of the text, those used in the same way first, then those of like length."""
    same_case = [w for w in wordlike(text) if w.islower() == word.islower() and w.lower() != word.lower()]
    others = {w.lower(): w for w in same_case}.values()
    return sorted(others, key=lambda w: (ending(w) != ending(word), abs(len(w) - len(word)), w))


_AFTER = "of|is|are|was|were|and|or|but|in|on|at|for|to|with|from|by|as|that|which|who|has|had|can|will|when"
_NOUN = re.compile(
    rf"\b(?:the|a|an|of|each|every|its|their|no|his|her)\s+([a-z]{{4,18}})(?=[,.;:]|\s+(?:{_AFTER})\b)"
)


_ADJECTIVE = re.compile(r"(ly|est|ous|able|ible|ful|ical|less|ive|ish|ent|ary)$")


def nouns(text: str) -> list[str]:
    """Words that stand where nouns do: after an article, before a mark or a small word; each once."""
    bare = re.sub(r"`[^`]*`", "`", text)
    found = [word for word in _NOUN.findall(bare) if word not in _COMMON and not _ADJECTIVE.search(word)]
    # Of a word and its plural the first.
    once = {word.removesuffix("s"): word for word in reversed(found)}
    return [word for word in dict.fromkeys(found) if once[word.removesuffix("s")] == word]


def gaps(text: str) -> list[tuple[str, str]]:
    """(sentence with a gap, what fills it): the longest word of a sentence that the text has only once."""
    seen = Counter(word.lower() for word in re.findall(r"[A-Za-z]+", text))
    found = []
    for sentence in sentences(text):
        plain = re.sub(r"`[^`]*`", " ", sentence)
        rare = [word for word in wordlike(plain) if seen[word.lower()] == 1]
        if rare:
            word = max(rare, key=len)
            found.append((re.sub(rf"\b{word}\b", "____", sentence, count=1), word))
    return found


def names(text: str) -> list[str]:
    """What the text sets in backticks, each once."""
    return list(dict.fromkeys(re.findall(r"(?<!`)`+([^`\n]{2,40})`+(?!`)", text)))


def numbers(text: str) -> list[str]:
    """Numbers, each once."""
    return list(dict.fromkeys(re.findall(r"(?<![\w.,])\d[\d,]*(?:\.\d+)?(?![\w,]*\w)", text)))


_CODED = re.compile(
    r"^\s*(def|class|return|raise|yield|self\.|import|else:|elif)\b|[(\[{]$|^\s*[)\]}]+,?$| = "
)


def clear_cut(text: str) -> bool:
    """Whether nearly all lines are of one kind: of a table, of a list, or of neither."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    bars = sum(line.strip().startswith("|") for line in lines)
    items = sum(bool(re.match(r"\s*([-*+]|\d+[.)])\s", line)) for line in lines)
    most = max(bars, items, len(lines) - bars - items)
    # A piece of a program is neither source that can be read nor running text.
    coded = parsed(text) is None and sum(bool(_CODED.search(line)) for line in lines) > 0.2 * len(lines)
    return bool(lines) and most >= 0.75 * len(lines) and "```" not in text and not coded


def table(text: str) -> list[str]:
    """The lines of the first Markdown table: a header, a rule, and rows."""
    found = re.search(r"^.*\|.*\n\|?[ :|-]*-[ :|-]*\|[ :|-]*\n(?:\|.*(?:\n|\Z))+", text, re.MULTILINE)
    return [line.strip() for line in found[0].strip().splitlines()] if found else []


@dataclass(frozen=True)
class Example:
    """A doctest of a function: its source and head, the call, and what the doctest says comes of it."""

    function: str
    head: str
    about: str
    source: str
    call: str
    result: str


def parsed(text: str) -> ast.Module | None:
    """The text as Python; None where it is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about escapes in somebody's strings
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return None


def examples(text: str) -> list[Example]:
    """Doctests of one line in and one line out, of functions that need nothing beside themselves
    and the standard library's imports."""
    tree = parsed(text)
    if tree is None:
        return []
    imports = [
        ast.get_source_segment(text, node) or ""
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    found = []
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef) or node.decorator_list:
            continue
        source = "\n".join([*imports, _bare(text, node)]).strip()
        said = ast.get_docstring(node) or ""
        head = f"{node.name}({ast.unparse(node.args)})"
        about = " ".join(re.split(r"\n\s*\n|>>>|:param|:return|Args:|Parameters", said)[0].split())
        for test in _doctests(said):
            call, result = test.source.strip(), test.want.strip()
            if call.startswith(f"{node.name}(") and result and "\n" not in call + result:
                found.append(Example(node.name, head, about, source, call, result))
    return [one for one in found if not re.search(r"Traceback|\.\.\.|<", one.result)]


def _doctests(text: str) -> list[doctest.Example]:
    try:
        return doctest.DocTestParser().get_examples(text)
    except ValueError:
        return []


def _bare(text: str, node: ast.FunctionDef) -> str:
    """A function's source without its docstring, which would give its results away."""
    lines = (ast.get_source_segment(text, node) or "").split("\n")
    first = node.body[0]
    held = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and len(node.body) > 1
    if not held:
        return "\n".join(lines)
    start, end = first.lineno - node.lineno, (first.end_lineno or first.lineno) - node.lineno
    return "\n".join([*lines[:start], *lines[end + 1 :]])
