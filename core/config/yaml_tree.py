"""YAML text to a `Tree`. Numbers and booleans are read as YAML 1.2 reads them.

PyYAML follows YAML 1.1, where `1e-4` is text, `off` is a boolean, `1:30` is ninety and
`2026-01-01` a date. A flow file means a number, a word, and text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from typing import Any

import yaml

from synth.config.tree import KeyPath, Place, Tree, dotted
from synth.config.yaml_fault import Mark, explain_syntax
from synth.errors import Problem

__all__ = ["read_yaml"]

MAX_DEPTH = 40
MAX_VALUES = 20_000
_TAG = "tag:yaml.org,2002:"
_TAGS = ("str", "int", "float", "bool", "null", "map", "seq")
_INT = re.compile(r"[-+]?[0-9][0-9_]*|0x[0-9a-fA-F_]+|0o[0-7_]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


class _Loader(yaml.SafeLoader):
    """Only composes nodes, so no tag can construct anything."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  (PyYAML's own attribute)


_Loader.add_implicit_resolver(f"{_TAG}bool", re.compile("^([tT]rue|TRUE|[fF]alse|FALSE)$"), list("tTfF"))
_Loader.add_implicit_resolver(f"{_TAG}null", re.compile(r"^(~|null|Null|NULL|)$"), ["~", "n", "N", ""])
_Loader.add_implicit_resolver(f"{_TAG}int", re.compile(f"^({_INT.pattern})$"), list("-+0123456789"))
_Loader.add_implicit_resolver(f"{_TAG}float", re.compile(f"^({_FLOAT.pattern})$"), list("-+.0123456789"))
_Loader.add_implicit_resolver(f"{_TAG}merge", re.compile("^<<$"), ["<"])


def read_yaml(
    text: str, where: Callable[[Mark], str], at: KeyPath = (), layer: int = 0
) -> tuple[Tree, list[Problem]]:
    """The text as a tree, and what is wrong with it as YAML.

    `where` turns a position into a place for people; `at` is the key path the text stands
    for. After a syntax error the tree holds nothing.
    """
    builder = _Builder(where, layer)
    try:
        node = _Loader(text).get_single_node()
        data = None if node is None else builder.build(node, at, None)
    except (yaml.YAMLError, RecursionError) as error:
        mark, message, cure = explain_syntax(error, text)
        return Tree(None), [Problem(where(mark), dotted(at), message, cure)]
    return Tree(data, builder.places), builder.problems


class _Builder:
    """Turns composed nodes into data, writing down places and problems on the way."""

    def __init__(self, where: Callable[[Mark], str], layer: int) -> None:
        self.places: dict[KeyPath, Place] = {}
        self.problems: list[Problem] = []
        self._where = where
        self._layer = layer
        self._values = 0
        self._open: set[int] = set()

    def build(self, node: yaml.Node, path: KeyPath, key: yaml.Node | None) -> Any:
        """The node's data; an alias is built anew wherever it is used."""
        self.places[path] = Place(self._at(key or node), self._at(node), dotted(path), self._layer)
        self._count()
        if id(node) in self._open or len(self._open) > MAX_DEPTH:
            raise RecursionError
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, path)
            if isinstance(node, yaml.SequenceNode):
                return [self.build(item, (*path, i), None) for i, item in enumerate(node.value)]
            return self._scalar(node, path)
        finally:
            self._open.discard(id(node))

    def _count(self) -> None:
        """Aliases of aliases grow without bound in a few lines."""
        self._values += 1
        if self._values > MAX_VALUES:
            raise RecursionError

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        self._known_tag(node, path)
        data: dict[str, Any] = {}
        merged: list[tuple[yaml.Node, yaml.Node]] = []
        for key, value in node.value:
            if key.tag == f"{_TAG}merge":
                merged.extend(self._merged(value, path))
            elif not isinstance(key, yaml.ScalarNode) or not _is_text(key.value):
                self._problem(key, path, "a key must be one word", 'put a value with { or [ in quotes: "..."')
            elif key.value in data:
                inner = (*path, key.value)
                self._problem(key, inner, f"written twice, first at {self.places[inner].key}", "keep one")
            else:
                data[key.value] = self.build(value, (*path, key.value), key)
        for key, value in merged:
            if isinstance(key, yaml.ScalarNode) and key.value not in data:
                data[key.value] = self.build(value, (*path, key.value), key)
        return data

    def _merged(self, value: yaml.Node, path: KeyPath) -> Iterator[tuple[yaml.Node, yaml.Node]]:
        """Pairs that `<<: *anchor` brings in; they yield to keys written beside it."""
        for source in value.value if isinstance(value, yaml.SequenceNode) else [value]:
            self._count()
            if not isinstance(source, yaml.MappingNode):
                cure = "write &name at it and '<<: *name' here"
                self._problem(value, path, "'<<' takes in a section", cure)
                continue
            yield from (pair for pair in source.value if pair[0].tag != f"{_TAG}merge")
            for key, inner in source.value:
                if key.tag == f"{_TAG}merge":
                    yield from self._merged(inner, path)

    def _scalar(self, node: yaml.Node, path: KeyPath) -> Any:
        text: str = node.value
        self._known_tag(node, path)
        if not _is_text(text):
            self._problem(node, path, "half of a character, which is no text", "remove the \\ud... escape")
            return None
        try:
            return _convert(node.tag.removeprefix(_TAG), text)
        except ValueError:
            self._problem(node, path, f"this is no {node.tag.removeprefix(_TAG)}", "remove the tag before it")
            return None

    def _known_tag(self, node: yaml.Node, path: KeyPath) -> None:
        kind = node.tag.removeprefix(_TAG)
        if kind not in _TAGS:
            name = node.tag.replace(_TAG, "!!")
            self._problem(node, path, f"the tag {name} has no meaning here", "remove it")

    def _problem(self, node: yaml.Node, path: KeyPath, message: str, cure: str) -> None:
        self.problems.append(Problem(self._at(node), dotted(path), message, cure))

    def _at(self, node: yaml.Node) -> str:
        return self._where(Mark(node.start_mark.line, node.start_mark.column))


def _is_text(text: str) -> bool:
    """Whether it can be written down: an escape can name half of a surrogate pair."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _convert(kind: str, text: str) -> Any:
    """A scalar by its tag; `1e6` is a whole number, so that it may stand where one is asked for."""
    digits = text.replace("_", "")
    if kind == "null":
        return None
    if kind == "bool":
        if text.lower() not in ("true", "false"):
            raise ValueError(text)
        return text.lower() == "true"
    if kind == "int":
        return int(digits, {"0x": 16, "0o": 8}.get(digits[:2], 10))
    if kind == "float":
        number = float(digits)
        if not math.isfinite(number):
            return text
        return int(number) if number.is_integer() and "." not in digits and "-" not in digits[1:] else number
    return text
