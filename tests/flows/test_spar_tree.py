"""SPaR's tree search against trees worked out by hand: order, stops, ties, budget, cache."""

from __future__ import annotations

from collections import Counter

import pytest

from synth.flows.spar.judgement import Judgement
from synth.flows.spar.tree import Draft, Limits, Node, Tree, search

BFS, DFS = Limits("bfs"), Limits("dfs")


class World:
    """Refines `r` to `r1`, `r2`, ..., and judges by a table of Yes votes out of five (else none)."""

    def __init__(self, **yes: int) -> None:
        self.yes = yes
        self.refined: list[str] = []
        self.judged: Counter[str] = Counter()

    async def refine(self, node: Node, count: int) -> list[Draft | None]:
        self.refined.append(node.response)
        return [Draft(f"{node.response}{i + 1}", f"better: {node.response}{i + 1}") for i in range(count)]

    async def judge(self, response: str) -> Judgement:
        self.judged[response] += 1
        yes = self.yes.get(response, 0)
        return Judgement.of([True] * yes + [False] * (5 - yes))

    async def grow(self, limits: Limits) -> Tree:
        return await search(Node("r"), limits, self.refine, self.judge)


def names(tree: Tree) -> list[str]:
    return [node.response for node in tree.nodes]


async def test_breadth_first_finishes_a_level_and_refines_its_best_two() -> None:
    """r3 and r1 are the best of level 1; their six children are all valued before r12 is taken,
    though r31, which is refined first, passes the gate as well."""
    world = World(r1=1, r2=0, r3=2, r31=3, r12=4)
    tree = await world.grow(BFS)
    assert world.refined == ["r", "r3", "r1"]
    assert names(tree) == ["r", "r1", "r2", "r3", "r31", "r32", "r33", "r11", "r12", "r13"]
    assert tree.found is not None
    assert tree.nodes[tree.found].response == "r12"
    assert [tree.nodes[i].response for i in tree.path(tree.found)] == ["r", "r1", "r12"]
    assert tree.nodes[tree.found].value == 0.8


async def test_depth_first_goes_down_the_best_child_before_the_next() -> None:
    """Under r3 nothing passes, so r1 is searched after all that is below r3, and r12 ends it."""
    world = World(r1=1, r2=0, r3=2, r32=1, r12=4)
    tree = await world.grow(DFS)
    assert world.refined == ["r", "r3", "r32", "r31", "r1"]
    assert tree.found is not None
    assert tree.nodes[tree.found].response == "r12"


async def test_depth_first_stops_at_the_first_success() -> None:
    """r1 and r3 are equal, so r1 comes first; r121 below it ends the search, and r3 is never refined."""
    world = World(r3=2, r1=2, r12=2, r31=1, r121=5, r123=2)
    tree = await world.grow(DFS)
    assert world.refined == ["r", "r1", "r12"]
    assert tree.found is not None
    assert tree.nodes[tree.found].response == "r121"
    assert tree.nodes[tree.found].depth == 3


@pytest.mark.parametrize(("limits", "count"), [(BFS, 15), (DFS, 21)])
async def test_a_search_without_success_costs_what_the_limits_say(limits: Limits, count: int) -> None:
    """3 + 6 + 6 refinements breadth-first, 3 + 2 x (3 + 2 x 3) depth-first; the best node is kept."""
    world = World(r2=1, r21=2)
    tree = await world.grow(limits)
    assert tree.found is None
    assert tree.asked == limits.most == count == len(tree.nodes) - 1
    assert tree.best is not None
    assert tree.nodes[tree.best].response == "r21"


async def test_the_gate_must_be_passed_not_met() -> None:
    """With four readable votes two of them are not more than half: a tie, and no node at all."""

    async def judge(response: str) -> Judgement:
        return Judgement.of([True, True, False, False, None] if response == "r1" else [False] * 5)

    tree = await search(Node("r"), BFS, World().refine, judge)
    assert tree.nodes[1].value is None
    assert tree.found is None
    assert "r11" not in names(tree)


async def test_the_budget_counts_refinements() -> None:
    """Seven: three, three under r1, and one under r2; then nothing is asked any more."""
    world = World()
    tree = await world.grow(Limits("bfs", budget=7))
    assert names(tree) == ["r", "r1", "r2", "r3", "r11", "r12", "r13", "r21"]
    assert tree.asked == 7


async def test_a_text_is_judged_once_however_often_it_comes_up() -> None:
    """Refiners repeat themselves; their judges are not asked again, and the value is the same."""

    async def same(node: Node, count: int) -> list[Draft | None]:
        return [Draft("again") for _ in range(count)]

    world = World(again=2)
    tree = await search(Node("r"), BFS, same, world.judge)
    assert world.judged == {"again": 1}
    assert {node.value for node in tree.nodes[1:]} == {0.4}


async def test_an_unreadable_refinement_costs_its_branch_alone() -> None:
    """The others go on; where none can be read the search ends without a node."""
    world = World(r2=4)

    async def second(node: Node, count: int) -> list[Draft | None]:
        return [None, Draft("r2"), None][:count]

    async def nothing(node: Node, count: int) -> list[Draft | None]:
        return [None] * count

    tree = await search(Node("r"), BFS, second, world.judge)
    assert (tree.found, tree.skipped) == (1, 2)
    for limits in (BFS, DFS):
        empty = await search(Node("r"), limits, nothing, world.judge)
        assert (empty.found, empty.best, len(empty.nodes), empty.skipped) == (None, None, 1, 3)


async def test_without_a_tree_there_is_one_refinement() -> None:
    world = World(r1=2)
    tree = await world.grow(Limits("bfs", branch=1, keep=1, depth=1, budget=1))
    assert names(tree) == ["r", "r1"]
