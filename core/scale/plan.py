"""What a run's owner asks of scale: who works, how many, and where they meet."""

from __future__ import annotations

from dataclasses import dataclass

from synth.scale.executor import Executor, LocalExecutor, Others

__all__ = ["Executor", "Scale"]


@dataclass(frozen=True)
class Scale:
    """`synth run --executor ...`. `workers` 0 waits for those that are started elsewhere.

    `store` is a folder or URL, by default a folder of the run's; `shard` is seeds a shard, by default
    chosen by their number. A lease that is not renewed for `lease_seconds` is another worker's.
    """

    executor: str = "local"
    workers: int = 2
    address: str | None = None
    store: str | None = None
    shard: int | None = None
    lease_seconds: float = 30.0

    def crew(self) -> Executor:
        """Who starts the workers. Raises `RunError` where Ray is asked for and not installed."""
        if self.workers == 0:
            return Others()
        if self.executor == "ray":
            from synth.scale.on_ray import RayExecutor

            return RayExecutor(self.workers, self.address)
        return LocalExecutor(self.workers)
