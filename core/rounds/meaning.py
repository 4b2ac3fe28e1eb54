"""Texts compared by meaning: a model embeds what is left of a round's samples, and curation compares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from synth.agents.embed import embed_graph
from synth.config.curation import EmbeddingRule, NearRule, SameQuestion
from synth.config.selection import Embedder
from synth.curation import Curated, sift
from synth.curation.meaning import by_meaning, compared, pieces
from synth.curation.paraphrase import asked_texts, by_question
from synth.curation.step import Step
from synth.engine.session import Session
from synth.measure.vectors import unit
from synth.records import Seed, content_id

if TYPE_CHECKING:
    from synth.curation.meaning import Vector

__all__ = ["drop_held_out_meaning", "drop_same_meaning", "embedded"]


async def drop_held_out_meaning(
    session: Session, rule: SameQuestion, held_out: Mapping[str, str], curated: Curated
) -> None:
    """Drop what asks a held-out question in other words. Raises as `embedded` does."""
    texts = [*held_out, *(text for sample in curated.samples for text in asked_texts(sample))]
    vectors = await embedded(session, "embed-held-out", rule, {content_id(text): text for text in texts})
    samples, curated.samples = curated.samples, []
    sift(curated, samples, [Step("held-out-meaning", by_question(rule, held_out, vectors))])


async def drop_same_meaning(
    session: Session, rule: NearRule, embedding: EmbeddingRule, curated: Curated
) -> None:
    """Drop what says the same as an earlier sample. Raises as `embedded` does."""
    vectors = await embedded(session, "embed-samples", embedding, compared(curated.samples, rule.least))
    samples, curated.samples = curated.samples, []
    sift(curated, samples, [Step("same-meaning", by_meaning(rule, samples, vectors))])


async def embedded(
    session: Session, stage: str, embedder: Embedder, texts: Mapping[str, str]
) -> dict[str, Vector]:
    """Name -> vector of length one, of every text that could be embedded; each is embedded once.

    A text whose vector is lost is a rejection of the stage. Raises `SynthError` where it cannot go on.
    """
    import numpy as np

    asked = {
        name: [Seed.of(text=piece) for piece in pieces(text, embedder.piece)] for name, text in texts.items()
    }
    seeds = {seed.id: seed for found in asked.values() for seed in found}
    await session.run_stage(stage, embed_graph(embedder.role, "text"), seeds.values(), total=len(seeds))
    said = {
        result.seed: np.asarray(result.output["vector"], dtype=np.float32)
        for result in session.results(stage)
        if result.output
    }
    return {
        name: unit(np.mean([said[seed.id] for seed in found], axis=0, keepdims=True, dtype=np.float32))[0]
        for name, found in asked.items()
        if all(seed.id in said for seed in found)
    }
