"""Near-duplicates in meaning: a model embeds what is left of a round's samples, and curation compares."""

from __future__ import annotations

from synth.agents.embed import embed_graph
from synth.config.curation import EmbeddingRule, NearRule
from synth.curation import Curated, sift
from synth.curation.meaning import by_meaning, compared, pieces
from synth.curation.step import Step
from synth.engine.session import Session
from synth.measure.vectors import unit
from synth.records import Seed

__all__ = ["drop_same_meaning"]

EMBED = "embed-samples"


async def drop_same_meaning(
    session: Session, rule: NearRule, embedding: EmbeddingRule, curated: Curated
) -> None:
    """Have the texts embedded, and drop what says the same as an earlier sample.

    A text whose vector is lost is a rejection of the stage, and its samples stay. Raises `SynthError` where
    the stage cannot go on.
    """
    import numpy as np

    texts = compared(curated.samples, rule.least)
    asked = {
        name: [Seed.of(text=piece) for piece in pieces(text, embedding.piece)] for name, text in texts.items()
    }
    seeds = {seed.id: seed for found in asked.values() for seed in found}
    await session.run_stage(EMBED, embed_graph(embedding.role, "text"), seeds.values(), total=len(seeds))
    said = {
        result.seed: np.asarray(result.output["vector"], dtype=np.float32)
        for result in session.results(EMBED)
        if result.output
    }
    vectors = {
        name: unit(np.mean([said[seed.id] for seed in found], axis=0, keepdims=True, dtype=np.float32))[0]
        for name, found in asked.items()
        if all(seed.id in said for seed in found)
    }
    samples, curated.samples = curated.samples, []
    sift(curated, samples, [Step("same-meaning", by_meaning(rule, samples, vectors))])
