"""A set of ids that fits a million of them in a few dozen megabytes."""

from __future__ import annotations

from array import array

__all__ = ["Ids"]


class Ids:
    """Remembers which ids it has seen, by 64-bit hashes in one flat table (16 to 32 bytes an id).

    Two of a million different ids share a hash with a chance of 3 in 100 million.
    """

    def __init__(self) -> None:
        self._table = array("Q", bytes(8 * 1024))
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, name: str) -> bool:
        """Remember an id; whether it is new."""
        if 2 * self._count >= len(self._table):
            self._grow()
        mark = _mark(name)
        place = _place(self._table, mark)
        new = not self._table[place]
        self._table[place] = mark
        self._count += new
        return new

    def __contains__(self, name: str) -> bool:
        return self._table[_place(self._table, _mark(name))] != 0

    def _grow(self) -> None:
        wider = array("Q", bytes(2 * 8 * len(self._table)))
        for mark in self._table:
            if mark:
                wider[_place(wider, mark)] = mark
        self._table = wider


def _mark(name: str) -> int:
    return (hash(name) & 0xFFFFFFFFFFFFFFFF) or 1  # 0 marks a free place


def _place(table: array[int], mark: int) -> int:
    """Where `mark` stands, or where it would be put."""
    mask = len(table) - 1
    place = mark & mask
    while table[place] not in (0, mark):
        place = (place + 1) & mask
    return place
