"""Settings of the process that runs graphs by the thousand."""

from __future__ import annotations

import gc

__all__ = ["quiet_gc"]


def quiet_gc() -> None:
    """Make the cyclic collector rare: with thousands of graphs alive it would walk them all
    again and again, and halve the throughput; little of what graphs make is cyclic."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
