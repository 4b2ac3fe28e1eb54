"""Many seeds in little memory, and as many graphs at once as the models take."""

from __future__ import annotations

import asyncio

from synth.engine.ids import Ids
from synth.engine.runner import run_graph
from synth.journal import Journal
from tests.engine.test_runner import context, one_node
from tests.support.graphs import State, seeds


def test_ids_are_remembered_in_a_few_bytes_each() -> None:
    """A hundred thousand ids are told apart from as many others, in 16 to 32 bytes each."""
    ids = Ids()
    assert all(ids.add(f"seed-{number}") for number in range(100_000))
    assert not any(ids.add(f"seed-{number}") for number in range(0, 100_000, 17))
    assert all(f"seed-{number}" in ids for number in range(0, 100_000, 13))
    assert not any(f"other-{number}" in ids for number in range(100_000))
    assert len(ids) == 100_000
    assert ids._table.itemsize * len(ids._table) <= 32 * 100_000


async def test_a_seed_that_comes_twice_is_run_once(journal: Journal) -> None:
    """Also across a resume: what was finished counts as resumed, once."""
    ran: list[str] = []

    async def node(state: State) -> State:
        ran.append(state["seed"].id)
        return {"samples": []}

    twice = [*seeds(5), *seeds(5)]
    first = await run_graph(one_node(node), twice, context, journal, stage="1/make", window=3)
    again = await run_graph(one_node(node), [*twice, *seeds(8)], context, journal, stage="1/make")
    assert (first.seeds, first.resumed) == (5, 0)
    assert (again.seeds, again.resumed) == (3, 5)
    assert sorted(ran) == [seed.id for seed in seeds(8)]


async def test_the_window_follows_what_the_models_take(journal: Journal) -> None:
    """Graphs at once are never the hidden limit: more are begun as soon as the window widens."""
    window, running, most = 4, 0, 0

    async def node(state: State) -> State:
        nonlocal running, most, window
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        running -= 1
        if int(state["seed"].id, 16) == 20:
            window = 32
        return {"samples": []}

    counts = await run_graph(
        one_node(node), seeds(200), context, journal, stage="1/make", window=lambda: window
    )
    assert counts.seeds == 200
    assert 4 < most <= 32
