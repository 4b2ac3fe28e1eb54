"""Which of the sound samples a student learns from: those a recipe wants, those that are like the student."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from synth.config.strict import Strict

__all__ = ["LEVELS", "Alignment", "Embedder", "Level", "Rebalance", "Recipe"]

Level = Literal["very poor", "poor", "average", "good", "excellent"]
LEVELS: tuple[Level, ...] = ("very poor", "poor", "average", "good", "excellent")
"""How good a request is, as Magpie (arXiv 2406.08464) tags it, from worst to best."""


class Embedder(Strict):
    """Who embeds texts, and in what pieces."""

    role: str = "embedder"
    """A role under `models` with `api: embeddings`, or a program."""
    piece: int = Field(default=500, gt=0)
    """Most characters that are embedded at once (small encoders take 256 tokens); of a longer text the mean
    of its pieces is taken."""


class Alignment(Strict):
    """Of several answers to a prompt those that are like the student's own (arXiv 2502.11779)."""

    select: Literal["response", "method"] = "response"
    """`response`: of every prompt the answer that is most like the student's. `method`: the way of making
    answers that is most like them on the average, for all prompts, as in the paper."""
    by: str = "model"
    """What a method is: `model` (that wrote the answer), `family`, `skill`, `meta.NAME` or a verdict."""
    role: str = "student"
    """Whose answers the candidates are held against: a role under `models`."""
    samples: int = Field(default=4, gt=0)
    """The student's answers to a prompt; a candidate's alignment is its mean similarity to them."""
    temperature: float = Field(default=0.7, ge=0)
    max_tokens: int = Field(default=512, gt=0)
    prompts: int = Field(default=64, gt=0)
    """Prompts on which methods are compared, drawn by the run's seed from those that all methods answered."""
    embedding: Embedder | None = None
    """Compare meanings (cosine); by default shared words in their order are compared."""


class Rebalance(Strict):
    """Categories that the bounds cost more than others get rows back, the best first, until they have the
    share that they had before or nothing is left within these wider bounds."""

    by: str = "category"
    """`category`, or another tag, as under `balance`."""
    input_quality: Level = "average"
    reward: int = Field(default=3, ge=1, le=5)


class Recipe(Strict):
    """Tag, keep what is good, rebalance: the recipe of TuluTalk (arXiv 2506.06522). Its bounds are not known
    to us; these are ours."""

    role: str = "judge"
    """Who tags: a role under `models`. Whether it may drop anything the judge's calibration says."""
    input_quality: Level = "good"
    """Least quality of the request."""
    reward: int = Field(default=4, ge=1, le=5)
    """Least score of the judge for the answer."""
    safe: bool = True
    """Drop what is tagged as unsafe."""
    languages: tuple[str, ...] = ()
    """ISO 639-1 codes of the languages that are kept; none written keeps all."""
    rebalance: Rebalance | None = Rebalance()
    max_tokens: int = Field(default=256, gt=0)
