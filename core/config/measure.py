"""How a student is measured, and when it is kept."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator, model_validator

from synth.config.selection import Embedder
from synth.config.strict import Strict

__all__ = ["VERIFIERS", "CollapseRules", "Evaluate", "Gate", "Guard"]


VERIFIERS = ("answer", "math", "constraints")
"""The built-in ones."""


class Evaluate(Strict):
    """How the student is measured."""

    verifier: str = "answer"
    """`answer` reads the answer by its kind; `math` compares mathematical expressions;
    `constraints` checks IFEval's constraints; `module:function` is your own."""
    max_tokens: int = Field(default=64, gt=0)
    temperature: float = Field(default=0.0, ge=0)
    """Of the answers in an exam. Greedy ones tell what a student does most, drawn ones how often: where it
    follows a request every second time, a greedy answer does so always or never."""
    system: str | None = None
    """System message put before every question, in training and in evaluation."""
    prompt: str = "{question}"
    """How a question is put to the student; must contain `{question}`."""

    @field_validator("verifier")
    @classmethod
    def _known_verifier(cls, verifier: str) -> str:
        if verifier not in VERIFIERS and not re.fullmatch(r"[\w.]+:\w+", verifier):
            known = ", ".join(VERIFIERS)
            raise ValueError(f"'{verifier}' is no verifier; write {known}, or module:function")
        return verifier

    @field_validator("prompt")
    @classmethod
    def _has_question(cls, prompt: str) -> str:
        if "{question}" not in prompt:
            raise ValueError("the prompt leaves no place for the question; write {question} where it goes")
        return prompt


class Guard(Strict):
    """A further held-out source on which a new student may not fall."""

    data: str
    """Name of the data source; nothing is trained on it."""
    margin: float = Field(default=0.02, gt=0, lt=1)
    """The fall that must be ruled out: a share of the items, of a mean score in its unit."""


class Gate(Strict):
    """When a new student replaces the current one."""

    metric: Literal["accuracy", "strict_accuracy", "score"] = "accuracy"
    test: Literal["mcnemar", "bootstrap", "wilcoxon"] = "mcnemar"
    alpha: float = Field(default=0.05, gt=0, lt=1)
    promote: Literal["if-better", "always"] = "if-better"
    """`always`: every round's student goes on, as in papers that iterate without a gate."""
    on_reject: Literal["stop", "continue", "halve_lr"] = "continue"
    """After a round that is not let through: end the run, go on alike, or halve the learning rates of
    the next round. They are whole again after a round that is."""
    guards: dict[str, Guard] = Field(default_factory=dict)
    """Name -> suite on which a fall by more than its margin must be ruled out, whatever `promote` says."""
    noise: bool = False
    """Examine the current student twice, and say how many answers turn without any training."""
    spend: Literal["none", "bonferroni"] = "bonferroni"
    """`bonferroni`: alpha is divided by `rounds`, so that a look every round makes no false promotion
    likelier; `none`: every round has all of it."""

    @field_validator("guards")
    @classmethod
    def _guards_are_named(cls, guards: dict[str, Guard]) -> dict[str, Guard]:
        for name in guards:
            if not re.fullmatch(r"[A-Za-z0-9][\w-]*", name):
                raise ValueError(
                    f"a guard's name is part of file names, and '{name}' cannot be; write a word"
                )
        return guards

    @model_validator(mode="after")
    def _test_fits(self) -> Gate:
        if self.metric == "score" and self.test == "mcnemar":
            raise ValueError("mcnemar counts right and wrong; for a score write test: wilcoxon or bootstrap")
        if self.metric != "score" and self.test == "wilcoxon":
            raise ValueError("wilcoxon ranks scores; for right and wrong write test: mcnemar or bootstrap")
        return self


class CollapseRules(Strict):
    """When a round's data end the run, before training. Each is off unless it is written."""

    embedding: Embedder | None = None
    """Vendi score and spread by meaning: `embedding: {}` asks the role `embedder`. Else by shared words."""
    min_distinct: float | None = Field(default=None, gt=0)
    """Least distinct n-grams (EAD) of the examples."""
    max_vendi_fall: float | None = Field(default=None, gt=0, lt=1)
    """Most the Vendi score may fall below round 1's, as a share of it."""
    max_similar: float | None = Field(default=None, ge=0, le=1)
    """Largest share of examples that nearly repeat another one of their round."""
    max_inflation: float | None = Field(default=None, ge=0)
    """Most the mean of a judge's numbers may rise above round 1's while the exam does not rise."""
    max_length_drift: float | None = Field(default=None, gt=0)
    """Most the mean answer length may differ from round 1's, as a share of it."""
    max_repeated: float | None = Field(default=None, ge=0, le=1)
    """Largest share of examples that repeat, or nearly, one of an earlier round."""

    @property
    def embedders(self) -> tuple[Embedder, ...]:
        """Who embeds texts for the watch."""
        return (self.embedding,) if self.embedding is not None else ()
