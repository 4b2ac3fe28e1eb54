"""The tree search over refinements, as a pure algorithm: who refines and who judges is given to it.

The root is a response that was judged wrong. A node's children are refinements of its response,
each valued by the share of judgements that say Yes. The search ends with the first that passes
the gate. Breadth-first, a level is finished first and its best kept nodes are refined next;
depth-first, a node's best kept children are searched one after the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from synth.flows.spar.judgement import Judgement
from synth.flows.spar.marks import before_marks

__all__ = ["Draft", "Limits", "Node", "Tree", "search", "together"]

T = TypeVar("T")


@dataclass(frozen=True)
class Limits:
    """How far a tree grows (`Params` says what each means)."""

    order: Literal["bfs", "dfs"] = "bfs"
    branch: int = 3
    keep: int = 2
    depth: int = 3
    budget: int = 1000
    gate: float = 0.5

    @property
    def most(self) -> int:
        """Refinements of a tree that never succeeds."""
        below = self.branch
        for level in range(1, self.depth):
            wide = min(self.keep, self.branch)
            below = self.branch * (1 + wide * level) if self.order == "bfs" else self.branch + wide * below
        return min(below, self.budget)


@dataclass(frozen=True, slots=True)
class Draft:
    """A refinement as it came: the refined response, the whole reply, and the call's key."""

    response: str
    reply: str = ""
    key: str = ""


@dataclass(slots=True)
class Node:
    """A response in a tree; `parent` is the index of the node it refines.

    `value` is None where no majority came about, and 0 for the root. `checked` is what a rule-based
    checker says of the response, if one can.
    """

    response: str
    judgement: Judgement = field(default_factory=Judgement)
    value: float | None = 0.0
    depth: int = 0
    parent: int | None = None
    reply: str = ""
    key: str = ""
    checked: bool | None = None

    def dump(self) -> dict[str, Any]:
        """As it is stored and shown."""
        return {
            "response": self.response,
            "reflection": before_marks(self.reply),
            "critique": self.judgement.critique,
            "value": self.value,
            "votes": list(self.judgement.votes),
            "depth": self.depth,
            "parent": self.parent,
            "checked": self.checked,
        }


@dataclass(slots=True)
class Tree:
    """All nodes in the order they were made, the root first; `found` is the one that passed.

    `asked` counts refinements asked for, `skipped` those that could not be read.
    """

    nodes: list[Node]
    found: int | None = None
    asked: int = 0
    skipped: int = 0

    @property
    def best(self) -> int | None:
        """The node of the highest value, the first of equals; None if nothing was valued."""
        valued = [i for i, node in enumerate(self.nodes) if i and node.value is not None]
        return max(valued, key=lambda i: self.nodes[i].value or 0.0, default=None)

    @property
    def told(self) -> str:
        """How the search went, in a line."""
        best = self.nodes[self.best].value if self.best is not None else None
        unread = f", {self.skipped} of them unreadable" if self.skipped else ""
        valued = "none was valued" if best is None else f"the best value was {best:.2g}"
        return f"{self.asked} refinements{unread}; {valued}"

    def path(self, index: int) -> list[int]:
        """The nodes from the root to this one."""
        parent = self.nodes[index].parent
        return [*(self.path(parent) if parent is not None else ()), index]

    def dump(self) -> dict[str, Any]:
        """As it is stored and shown."""
        return {"found": self.found, "asked": self.asked, "nodes": [node.dump() for node in self.nodes]}


Refine = Callable[[Node, int], Awaitable[list[Draft | None]]]
"""(node, how many) -> refinements of it, None for one that could not be read."""
Judging = Callable[[str], Awaitable[Judgement]]
"""Response -> judgement of it; no majority after all attempts discards the node."""


async def search(root: Node, limits: Limits, refine: Refine, judge: Judging) -> Tree:
    """Grow the tree of `root` until a refinement passes the gate or the limits are reached."""
    growing = _Growing(Tree([root]), limits, refine, judge)
    await (growing.breadth() if limits.order == "bfs" else growing.below(0))
    return growing.tree


class _Growing:
    def __init__(self, tree: Tree, limits: Limits, refine: Refine, judge: Judging) -> None:
        self.tree, self.limits = tree, limits
        self._refine, self._judge = refine, judge
        self._judged: dict[str, asyncio.Future[Judgement]] = {}

    async def breadth(self) -> None:
        level = [0]
        while level and self.tree.nodes[level[0]].depth < self.limits.depth and self.tree.found is None:
            level = self._kept(await self._expand(level))

    async def below(self, index: int) -> None:
        if self.tree.nodes[index].depth == self.limits.depth:
            return
        for child in self._kept(await self._expand([index])):
            if self.tree.found is None:
                await self.below(child)

    def _kept(self, children: Iterable[int]) -> list[int]:
        """The children worth refining, the best first; notes the best as found if it passes the gate."""
        nodes = self.tree.nodes
        valued = [(nodes[i].value or 0.0, i) for i in children if nodes[i].value is not None]
        best = sorted(valued, key=lambda pair: -pair[0])
        if best and best[0][0] > self.limits.gate:
            self.tree.found = best[0][1]
        return [i for _, i in best[: self.limits.keep]]

    async def _expand(self, parents: Sequence[int]) -> list[int]:
        """Refine nodes and value what comes of it, all at once; indices of the children in order."""
        tree, nodes = self.tree, self.tree.nodes
        asked: list[tuple[int, int]] = []
        for parent in parents:
            share = min(self.limits.branch, self.limits.budget - tree.asked)
            tree.asked += share
            asked += [(parent, share)] if share else []
        drafts = await together(self._refine(nodes[parent], share) for parent, share in asked)
        made: list[tuple[int, Draft]] = []
        for (parent, share), some in zip(asked, drafts, strict=True):
            read = [(parent, draft) for draft in some if draft is not None]
            tree.skipped += share - len(read)
            made += read
        judgements = await together(self._judgement(draft.response) for _, draft in made)
        first = len(nodes)
        for (parent, draft), judgement in zip(made, judgements, strict=True):
            depth, value = nodes[parent].depth + 1, judgement.value
            nodes.append(Node(draft.response, judgement, value, depth, parent, draft.reply, draft.key))
        return list(range(first, len(nodes)))

    async def _judgement(self, response: str) -> Judgement:
        """Each text is judged once, however often it comes up."""
        if response not in self._judged:
            self._judged[response] = asyncio.ensure_future(self._judge(response))
        return await self._judged[response]


async def together(work: Iterable[Awaitable[T]]) -> list[T]:
    """All results in order. What is in flight is finished before the first error is raised."""
    done = await asyncio.gather(*work, return_exceptions=True)
    for one in done:
        if isinstance(one, BaseException):
            raise one
    return [one for one in done if not isinstance(one, BaseException)]
