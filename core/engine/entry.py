"""A compiled LangGraph graph, made ready to be run for seeds by the thousand."""

from __future__ import annotations

from typing import Any, Protocol

__all__ = ["Graph", "entered"]

_RESULTS = ("samples", "rejections", "output")


class Graph(Protocol):
    """A compiled LangGraph graph. Its state starts with `seed` and may end with `samples`
    (list of `Sample`), `rejections` (list of `Rejection`) and `output` (a JSON object)."""

    async def ainvoke(self, input: Any, config: Any = None, *, context: Any = None, **kwargs: Any) -> Any: ...


def entered(graph: Graph) -> tuple[Graph, dict[str, None]]:
    """The same graph entered at its first nodes, and what its input holds beside `seed` for that.

    LangGraph spends a step of its own on START, which copies the input into the state; a graph
    of three nodes gets by with three quarters of the work when its input goes to the state, and
    to the channels that start the first nodes, directly. Only results are read from the state.
    A graph that begins with a choice keeps its step.
    """
    from langgraph.graph import START
    from langgraph.graph.state import CompiledStateGraph

    if not isinstance(graph, CompiledStateGraph):
        return graph, {}
    results = [name for name in _RESULTS if name in graph.channels]
    if not results:  # a state without named fields
        return graph, {}
    first = sorted(end for start, end in graph.builder.edges if start == START)
    signals = [f"branch:to:{name}" for name in first]
    plain = first and START not in graph.builder.branches and "seed" in graph.channels
    if not (plain and all(graph.nodes[n].triggers == [s] for n, s in zip(first, signals, strict=True))):
        return graph.copy({"output_channels": results}), {}
    update = {"input_channels": ["seed", *signals], "output_channels": results}
    return graph.copy(update), dict.fromkeys(signals)
