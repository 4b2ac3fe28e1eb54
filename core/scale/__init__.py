"""More than one process on a run: shards of seeds, leased by stateless workers, merged by the head.

The head (`synth.scale.head`) cuts a stage's seeds into shards and puts them into a store
(`synth.scale.store`), a folder or a bucket. Workers (`synth.scale.worker`) lease shards
(`synth.scale.lease`), run the flow's own graph over them, each shard with a journal of its own, and
the head merges these journals into the run's. See docs/scaling.md.
"""

from synth.scale.head import Head
from synth.scale.merge import take_over
from synth.scale.plan import Executor, Scale

__all__ = ["Executor", "Head", "Scale", "take_over"]
