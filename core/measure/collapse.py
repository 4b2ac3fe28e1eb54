"""The collapse watch: is each round's data as varied as the first's, and not the last round's again?

Models trained on their own output narrow (Shumailov et al., Nature 631, 2024). The figures are of
the student's training examples, and rest on words and tokens; two of them on meanings, where a model embeds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from synth.config.flowfile import CollapseRules
from synth.data.documents.near import NearDuplicates
from synth.measure.variety import distinct, spread, vendi
from synth.measure.vectors import word_vectors
from synth.records import Sample, content_id
from synth.runs.runfiles import Part, read_lines

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Collapse", "compared", "measure"]

MOST = 2000
"""Examples that the n-grams are counted of, the first in training order: EAD depends little on more."""
SPREAD = 400
"""Examples that the Vendi score compares with each other; it is a number of examples, so their
number has to be the same in all rounds."""


class Collapse(Part):
    """How varied a round's training data are; `collapse.json`."""

    examples: int
    distinct: float
    """Distinct n-grams of prompt and answer, as expected of their number (EAD, arXiv 2202.13587), over
    n = 1 to 5 with the student's tokens."""
    distinct_within: float | None = None
    """The same among the answers to one prompt, the mean over prompts that have several."""
    vendi: float
    """Effective number of different examples among at most 400 (arXiv 2210.02410)."""
    vendi_change: float = 0.0
    """Against round 1, as a share of its score."""
    spread: float | None = None
    """Mean cosine distance of two of these examples."""
    compared_by: Literal["words", "meaning"] = "words"
    """What the examples are like each other in, for the two figures above."""
    length: float
    """Mean words of an answer."""
    length_drift: float = 0.0
    """Against round 1, as a share of its length."""
    similar: float
    """Share of examples that nearly repeat another one of the same round."""
    repeated: float = 0.0
    """Share that repeat an example of an earlier round, word for word or nearly."""
    repeated_exactly: float = 0.0
    scores: dict[str, float] = Field(default_factory=dict)
    """Judge and name of a verdict -> mean of its numbers."""
    inflation: dict[str, float] = Field(default_factory=dict)
    """The same, by how much the mean rose since round 1. Held against `exam_change` it tells a better
    student from a kinder judge."""
    exam: float | None = None
    """Where the student that made the data stands on the test, under the gate's metric."""
    exam_change: float = 0.0
    """Against round 1."""

    def broken(self, rules: CollapseRules) -> Iterator[str]:
        """What is beyond the rules, in words."""
        if rules.min_distinct is not None and self.distinct < rules.min_distinct:
            yield f"distinct n-grams {self.distinct:.3g}, at least {rules.min_distinct:g} wanted"
        if rules.max_length_drift is not None and abs(self.length_drift) > rules.max_length_drift:
            yield (
                f"answers of {self.length:.3g} words, {self.length_drift:+.0%} against round 1, "
                f"at most {rules.max_length_drift:.0%} wanted"
            )
        if rules.max_vendi_fall is not None and -self.vendi_change > rules.max_vendi_fall:
            yield (
                f"Vendi score {self.vendi:.3g}, {self.vendi_change:+.0%} against round 1, "
                f"a fall by at most {rules.max_vendi_fall:.0%} wanted"
            )
        if rules.max_similar is not None and self.similar > rules.max_similar:
            yield (
                f"{self.similar:.0%} of the examples nearly repeat another one, "
                f"at most {rules.max_similar:.0%} wanted"
            )
        kinder = [name for name, rise in self.inflation.items() if rise > (rules.max_inflation or 0.0)]
        if rules.max_inflation is not None and kinder and self.exam_change <= 0:
            yield (
                f"the mean of {', '.join(kinder)} rose by more than {rules.max_inflation:g} since round 1, "
                "and the exam did not rise"
            )
        if rules.max_repeated is not None and self.repeated > rules.max_repeated:
            yield (
                f"{self.repeated:.0%} of the examples repeat an earlier round's, "
                f"at most {rules.max_repeated:.0%} wanted"
            )


def compared(samples: Sequence[Sample]) -> list[str]:
    """The texts that Vendi score and spread compare."""
    return [_text(sample) for sample in samples[:SPREAD]]


def measure(
    samples: Sequence[Sample],
    *,
    earlier: Sequence[Path],
    first: Collapse | None,
    tokenizer: Path,
    exam: float | None = None,
    meanings: NDArray[np.float32] | None = None,
) -> Collapse:
    """The figures; `earlier` are files of samples, `first` is what round 1 came to, `exam` the level
    of the student that made them, `meanings` are vectors of what `compared` gives."""
    texts = [_text(sample) for sample in samples]
    length = sum(len(_answer(sample).split()) for sample in samples) / len(samples)
    scores = _scores(samples)
    within = NearDuplicates()
    repeated, exactly = _repeated(samples, texts, earlier)
    answers: defaultdict[str, list[str]] = defaultdict(list)
    for sample in samples[:MOST]:
        answers[content_id(sample.prompt)].append(_answer(sample))
    several = [group for group in answers.values() if len(group) > 1]
    shares = [distinct(group, tokenizer) for group in several]
    vectors = word_vectors(texts[:SPREAD]) if meanings is None else meanings
    effective = vendi(vectors)
    return Collapse(
        examples=len(samples),
        distinct=distinct(texts[:MOST], tokenizer),
        distinct_within=sum(shares) / len(shares) if shares else None,
        vendi=effective,
        vendi_change=effective / first.vendi - 1 if first and first.vendi else 0.0,
        spread=spread(vectors),
        compared_by="words" if meanings is None else "meaning",
        length=length,
        length_drift=length / first.length - 1 if first and first.length else 0.0,
        similar=sum(not within.add(text) for text in texts) / len(texts),
        repeated=repeated,
        repeated_exactly=exactly,
        scores=scores,
        exam=exam,
        exam_change=_rise(exam, first.exam if first else None),
        inflation={name: mean - first.scores[name] for name, mean in scores.items() if name in first.scores}
        if first
        else {},
    )


def _repeated(
    samples: Sequence[Sample], texts: Sequence[str], earlier: Sequence[Path]
) -> tuple[float, float]:
    """Shares of samples that are like one of an earlier round, and that are the same."""
    near, known = NearDuplicates(), set()
    learners = {sample.learner for sample in samples}
    for path in earlier:
        for sample in read_lines(path, Sample, []):
            if sample.learner in learners:
                known.add(sample.id)
                near.add(_text(sample))
    same = [sample.id in known for sample in samples]
    like = [exact or near.knows(text) for exact, text in zip(same, texts, strict=True)]
    return sum(like) / len(like), sum(same) / len(same)


def _text(sample: Sample) -> str:
    return f"{_asked(sample)}\n{_answer(sample)}"


def _asked(sample: Sample) -> str:
    return "\n".join(message["content"] for message in sample.prompt if message["role"] == "user")


def _answer(sample: Sample) -> str:
    return "\n".join(message["content"] for message in sample.completion or sample.chosen or ())


def _scores(samples: Sequence[Sample]) -> dict[str, float]:
    """Verdicts that are numbers; what is true or false is no score."""
    values: defaultdict[str, list[float]] = defaultdict(list)
    for verdict in (verdict for sample in samples for verdict in sample.verdicts):
        if isinstance(verdict.value, float):
            values[f"{verdict.by}: {verdict.name}"].append(verdict.value)
    return {name: sum(numbers) / len(numbers) for name, numbers in sorted(values.items())}


def _rise(now: float | None, first: float | None) -> float:
    return now - first if now is not None and first is not None else 0.0
