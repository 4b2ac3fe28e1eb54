"""How an export's data were made, for its card: the flow's paper and graphs, and the papers of curation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

__all__ = ["Method", "papers_of"]

PAPERS = {
    "near": "near-duplicates: MinHash, Broder 1997",
    "overlap": "held-out questions: n-grams with coverage, after Tulu 3 (arXiv 2411.15124)",
    "repetition": "repetition: Gopher (arXiv 2112.11446)",
    "recipe": "tags and balance: TuluTalk (arXiv 2506.06522), with Magpie's tags (arXiv 2406.08464)",
    "alignment": "answers like the student's own: arXiv 2502.11779",
    "markers": "markers in training: Treasure Hunt (arXiv 2506.14702)",
}
"""Section of `curate` -> what its step follows."""


@dataclass(frozen=True)
class Method:
    """What is known of the flow, where it can be loaded."""

    citation: str = ""
    """Its paper."""
    graphs: Mapping[str, str] = field(default_factory=dict)
    """Name -> the graph as Mermaid draws it."""


def papers_of(flow: Path) -> list[str]:
    """What the steps of curation that are on in a resolved flow file follow; none without a file."""
    try:
        found: Any = yaml.safe_load(flow.read_bytes())
    except (OSError, yaml.YAMLError):
        return []
    rules = (found.get("curate") or {}) if isinstance(found, dict) else {}
    return [said for name, said in PAPERS.items() if rules.get(name) is not None]
