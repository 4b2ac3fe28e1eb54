"""Constraints as sentences of a prompt, and such sentences read back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_origin

import yaml

from synth.verify.constraints.constraint import Constraint, arguments

__all__ = ["describe", "find_constraints", "wordings"]

RELATIONS = {"at least": "at least", "less than": "fewer than"}
MEANT = {said: relation for relation, said in RELATIONS.items()}
QUOTED = r'"[^"\n]+"'
NUMBER, TEXT, RELATION, LIST = r"\d+", r'[^"\n]+?', "|".join(MEANT), rf"{QUOTED}(?:, {QUOTED})*"
SLOT = re.compile(r"\{(\w+)\}")


@lru_cache(maxsize=1)
def wordings() -> Mapping[str, tuple[str, ...]]:
    """The wordings of every type, with places for its arguments."""
    entries = yaml.safe_load(Path(__file__).with_name("wordings.yaml").read_text(encoding="utf-8"))
    return {kind: tuple(texts) for kind, texts in entries.items()}


def describe(constraint: Mapping[str, Any], wording: int = 0) -> str:
    """The constraint as an instruction; `wording` picks one of its wordings, counted round."""
    texts, args = wordings()[constraint["type"]], constraint["args"]
    return SLOT.sub(lambda slot: _said(args[slot[1]]), texts[wording % len(texts)])


def find_constraints(prompt: str) -> list[Constraint]:
    """The constraints whose sentences stand in a prompt, in their order.

    Arguments without double quotes and line breaks are read back as they were.
    """
    found: dict[int, Constraint] = {}
    for kind, pattern in _patterns():
        for match in pattern.finditer(prompt):
            args = {name: _meant(kind, name, text) for name, text in match.groupdict().items()}
            found[match.start()] = Constraint(type=kind, args=args)
    return [found[place] for place in sorted(found)]


def _said(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(f'"{word}"' for word in value)
    return RELATIONS.get(value, str(value)) if isinstance(value, str) else str(value)


def _meant(kind: str, name: str, text: str) -> Any:
    form = _form(kind, name)
    if form == LIST:
        return [word.strip('"') for word in re.findall(QUOTED, text)]
    if form == NUMBER:
        return int(text)
    return MEANT[text] if form == RELATION else text


@lru_cache(maxsize=1)
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Every wording of every type as a pattern; the same slot twice must hold the same."""
    return tuple((kind, _pattern(kind, text)) for kind, texts in wordings().items() for text in texts)


def _pattern(kind: str, text: str) -> re.Pattern[str]:
    parts, seen = SLOT.split(text), set[str]()
    for place in range(1, len(parts), 2):
        name = parts[place]
        parts[place] = f"(?P={name})" if name in seen else f"(?P<{name}>{_form(kind, name)})"
        seen.add(name)
    parts[::2] = map(re.escape, parts[::2])
    return re.compile("".join(parts))


def _form(kind: str, name: str) -> str:
    """What an argument of its type looks like in a sentence."""
    wanted = arguments(kind).model_fields[name].annotation
    if wanted is int or wanted is str:
        return NUMBER if wanted is int else TEXT
    return RELATION if get_origin(wanted) is Literal else LIST
