"""Search trees a flow has kept in `rounds/N/data/trees.jsonl`, read back to be looked at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

import orjson
from pydantic import ValidationError

from synth.runs.runfiles import Part, read_lines

__all__ = ["SearchTree", "TreeNode", "find_tree", "some_trees"]

LOOKED_AT = 200
"""Trees among which the ones to show are chosen."""


class TreeNode(Part):
    """One response in a tree; `parent` is the index of the response it refines.

    `value` is the share of its `votes` for it (those that could be read), None without a
    majority; `checked` is the verdict of a rule-based checker, if there is one.
    """

    response: str
    reflection: str = ""
    critique: str = ""
    value: float | None = None
    votes: tuple[bool | None, ...] = ()
    depth: int = 0
    parent: int | None = None
    checked: bool | None = None


class SearchTree(Part):
    """The refinements of one response, the root first; `found` is the node that succeeded."""

    seed: str
    sample: str | None = None
    instruction: str = ""
    found: int | None = None
    asked: int = 0
    nodes: tuple[TreeNode, ...] = ()

    def children(self, index: int) -> list[int]:
        """Indices of the nodes that refine this one."""
        return [i for i, node in enumerate(self.nodes) if node.parent == index]

    @property
    def path(self) -> frozenset[int]:
        """Indices from the root to the node that succeeded."""
        path, index = set(), self.found
        while index is not None:
            path.add(index)
            index = self.nodes[index].parent
        return frozenset(path)


def find_tree(round_folder: Path, seed: str) -> SearchTree | None:
    """The tree that grew from a seed, if the round has one. Of the others only the bytes are looked at."""
    mark = orjson.dumps(seed)
    try:
        with (round_folder / "data" / "trees.jsonl").open("rb") as file:
            for line in file:
                if mark in line:
                    with suppress(orjson.JSONDecodeError, ValidationError):
                        tree = SearchTree.model_validate(orjson.loads(line))
                        if tree.seed == seed:
                            return tree
    except OSError:
        pass
    return None


def some_trees(round_folder: Path) -> list[SearchTree]:
    """At most two of a round to look at: the deepest success, and a search without one."""
    first = list(islice(_read(round_folder), LOOKED_AT))
    won = [tree for tree in first if tree.found is not None]
    lost = [tree for tree in first if tree.found is None]
    deepest = sorted(won, key=lambda tree: -len(tree.path))
    return [*deepest[:1], *lost[:1]] if lost else deepest[:2]


def _read(round_folder: Path) -> Iterator[SearchTree]:
    return read_lines(round_folder / "data" / "trees.jsonl", SearchTree, [])
