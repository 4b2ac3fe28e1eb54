"""The graphs in the docs are those of the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from synth.errors import SynthError
from synth.flows import BUILT_IN, load_flow_module
from synth.flows.draw import draw, main

FOLDER = Path(__file__).parents[2] / "docs" / "flows"
PAGES = [page for page in sorted(FOLDER.glob("*.md")) if page.stem in BUILT_IN]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_pages_show_the_graphs_as_they_are(page: Path) -> None:
    """After a change: python -m synth.flows.draw docs/flows/*.md"""
    text = page.read_text(encoding="utf-8")
    assert draw(text, load_flow_module(page.stem)) == text


def test_blocks_are_filled_and_the_rest_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "spar.md"
    page.write_text("before\n<!-- graph:evolve -->\nold\n<!-- /graph -->\nafter\n")
    main([str(page)])
    main([str(page)])
    lines = page.read_text().splitlines()
    assert (lines[0], lines[-1]) == ("before", "after")
    assert "\t__start__ --> evolve;" in lines
    assert capsys.readouterr().out.splitlines() == [str(page)]


def test_an_unknown_graph_is_named() -> None:
    with pytest.raises(SynthError, match="no graph 'plaay'"):
        draw("<!-- graph:plaay -->\n<!-- /graph -->", load_flow_module("spar"))
