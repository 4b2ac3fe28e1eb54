"""YAML's syntax errors in plain words, placed where the fault is rather than where it is noticed."""

from __future__ import annotations

from typing import NamedTuple

import yaml
from yaml.reader import ReaderError

__all__ = ["Mark", "explain_syntax"]


class Mark(NamedTuple):
    """A position in a text, both counted from 0."""

    line: int
    column: int

    @classmethod
    def of(cls, text: str) -> Mark:
        """The position right after this text."""
        return cls(text.count("\n"), len(text) - text.rfind("\n") - 1)


_QUOTE = 'put the value in quotes: "..."'

# (what PyYAML says, our message, cure, whether the fault is where its context begins)
_FAULTS = (
    ("found character '\\t'", "a tab where only spaces may stand", "indent with spaces", False),
    (
        "mapping values are not allowed here",
        "a second ':' on one line, or a line indented too far",
        "put a value that holds ': ' in quotes; indent keys of one section alike",
        False,
    ),
    ("could not find expected ':'", "this line is no 'key: value'", "write ': ' after the key", True),
    ("found unexpected end of stream", "this quote is never closed", "close it", True),
    (
        "expected <block end>",
        "this line fits no section above it",
        "indent keys of one section alike; put 'key: value' on a line of its own",
        False,
    ),
    (
        "expected '<document start>'",
        "this line fits nothing above it",
        "begin every key at the same column",
        False,
    ),
    ("mapping keys are not allowed", "a '?' where no key can stand", _QUOTE, False),
    ("while scanning a tag", "a value cannot begin with '!'", _QUOTE, True),
    ("expected ',' or '}'", "this '{' is never closed, or a comma is missing", "close it with '}'", True),
    ("expected ',' or ']'", "this '[' is never closed, or a comma is missing", "close it with ']'", True),
    ("expected a single document", "a second document begins here", "remove the '---' line", False),
    ("found unknown escape character", "an unknown escape after '\\'", "use single quotes: '...'", False),
    ("found undefined alias", "'*' refers to an anchor that is not there", _QUOTE, False),
    ("found duplicate anchor", "this anchor is used twice", "give it another name", False),
    ("expected alphabetic or numeric", "a value cannot begin with '*', '&' or '!'", _QUOTE, True),
    ("that cannot start any token", "a value cannot begin with this character", _QUOTE, False),
    ("but found '<stream end>'", "the file ends before a bracket is closed", "close it", False),
    ("expected the node content", "a value cannot begin with this character", _QUOTE, False),
    ("expected a comment or a line break", "text after '|' or '>' begins on the next line", _QUOTE, True),
    ("expected chomping or indentation", "text after '|' or '>' begins on the next line", _QUOTE, True),
    ("sequence entries are not allowed here", "a list cannot begin here", "put '- ' on its own line", False),
)


def explain_syntax(error: yaml.YAMLError | RecursionError, text: str) -> tuple[Mark, str, str]:
    """Position, message and cure."""
    if isinstance(error, RecursionError):
        return Mark(0, 0), "this nests too deeply or grows too large", "write it out without anchors"
    if isinstance(error, ReaderError):
        before = text[: error.position]
        return Mark.of(before), f"a control character ({error.character:#04x})", "remove it"
    if not isinstance(error, yaml.MarkedYAMLError):
        return Mark(0, 0), "not valid YAML", "see the examples"
    said = f"{error.problem or ''} {error.context or ''}"
    for sign, message, cure, at_context in _FAULTS:
        if sign in said:
            mark = error.context_mark if at_context and error.context_mark else error.problem_mark
            return _mark(mark), message, cure
    return _mark(error.problem_mark or error.context_mark), f"not valid YAML: {error.problem}", _QUOTE


def _mark(mark: yaml.Mark | None) -> Mark:
    return Mark(mark.line, mark.column) if mark else Mark(0, 0)
