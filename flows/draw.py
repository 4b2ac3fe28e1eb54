"""Draws the flows' graphs into their pages, from the graphs themselves.

    python -m synth.flows.draw docs/flows/*.md

A page bears the name of its flow, as `docs/flows/spar.md` does. Between the lines
`<!-- graph:NAME -->` and `<!-- /graph -->` comes the graph that `Flow.graphs` calls NAME.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from synth.engine import Flow
from synth.errors import SynthError
from synth.flows import load_flow_module

__all__ = ["draw", "main"]

BLOCK = re.compile(r"<!-- graph:([\w-]+) -->\n.*?<!-- /graph -->", re.DOTALL)


def draw(page: str, flow: Flow) -> str:
    """The page with every block filled in anew. Raises `SynthError` for a graph the flow does not have."""
    graphs = flow.graphs()

    def block(match: re.Match[str]) -> str:
        name = match[1]
        if name not in graphs:
            known = ", ".join(sorted(graphs)) or "none"
            raise SynthError(f"the flow {flow.name!r} has no graph {name!r}", f"its graphs: {known}")
        drawn = graphs[name].get_graph().draw_mermaid(with_styles=False).strip()
        return f"<!-- graph:{name} -->\n```mermaid\n{drawn}\n```\n<!-- /graph -->"

    return BLOCK.sub(block, page)


def main(paths: Sequence[str]) -> None:
    """Rewrite pages in place and name those that changed."""
    for path in map(Path, paths):
        page = path.read_text(encoding="utf-8")
        drawn = draw(page, load_flow_module(path.stem))
        if drawn != page:
            path.write_text(drawn, encoding="utf-8")
            print(path)


if __name__ == "__main__":
    main(sys.argv[1:])
