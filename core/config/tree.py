"""A flow file as plain data that remembers where each key and value was written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from synth.errors import Problem

__all__ = ["KeyPath", "Place", "Tree", "dotted"]

KeyPath = tuple[str | int, ...]


def dotted(path: KeyPath) -> str:
    """`("data", "pool", "families", 0)` as `data.pool.families.0`."""
    return ".".join(str(part) for part in path)


@dataclass(frozen=True)
class Place:
    """Where a key stands and where its value begins: `file:line:column`, or `--set key`.

    `name` is the dotted key as it is written there; in a profile it begins with
    `profiles.`. `layer` is 0 for the file itself, 1 for a profile, 2 for the command line.
    """

    key: str
    value: str
    name: str
    layer: int = 0


@dataclass
class Tree:
    """Plain data (mappings, lists, scalars) and the place of every key path in it."""

    data: Any
    places: dict[KeyPath, Place] = field(default_factory=dict)

    def get(self, path: KeyPath) -> Any:
        """The value at a path; None where there is nothing."""
        here = self.data
        for part in path:
            inside = isinstance(here, dict) and part in here
            if not inside and not (isinstance(here, list) and isinstance(part, int) and part < len(here)):
                return None
            here = here[part]
        return here

    def put(self, path: KeyPath, value: Any, places: dict[KeyPath, Place]) -> None:
        """Replace what stands at a path, with the places of the new value and all below it."""
        parent = self.get(path[:-1])
        parent[path[-1]] = value
        self.places = {p: place for p, place in self.places.items() if p[: len(path)] != path}
        self.places.update(places)

    def keys(self, path: KeyPath = ()) -> Iterator[str]:
        """Keys of the mapping at a path; none if it is no mapping."""
        here = self.get(path)
        if isinstance(here, dict):
            yield from here

    def problem(self, path: KeyPath, message: str, cure: str = "", *, at_key: bool = False) -> Problem:
        """A problem with the value at a path, or with its key.

        What is not written down is placed at the nearest section above that is.
        """
        known = path
        while known and known not in self.places:
            known = known[:-1]
        place = self.places.get(known, Place("", "", ""))
        below = dotted(path[len(known) :])
        name = f"{place.name}.{below}" if place.name and below else place.name or below
        at_key = at_key or known != path or isinstance(self.get(path), dict | list)
        return Problem(place.key if at_key else place.value, name, message, cure)
