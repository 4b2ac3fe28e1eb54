"""What differs between two settings, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["differences"]


def differences(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """`dotted.path: 1 then, 2 now` for every value that differs."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in {**before, **after}:
            yield from differences(before.get(key), after.get(key), f"{path}.{key}" if path else str(key))
    elif before != after:
        yield f"{path}: {before!r} then, {after!r} now"
