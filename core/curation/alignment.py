"""Answers that are like the student's own: of several targets the one that asks for the least change.

After "Efficient Response Generation Method Selection" (arXiv 2502.11779): the alignment of an answer is its
mean similarity to what the student itself says to the prompt, and the way of making answers whose mean
alignment is best makes the training set. The paper's own measure of similarity is not known to us: here it is
the share of words that two texts have in common in the same order, or the cosine of their vectors.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import fmean

from rapidfuzz.distance import Indel

from synth.config.selection import Alignment
from synth.curation.balance import tags
from synth.curation.step import Check, Fault
from synth.records import Sample, Verdict, content_id

__all__ = [
    "Candidates",
    "Similarity",
    "alike_in_words",
    "asked",
    "by_best_method",
    "by_best_response",
    "candidates",
    "compared",
    "of_methods",
    "scored",
]

Similarity = Callable[[str, str], float | None]
"""From two texts to how alike they are; None where that cannot be said."""
Candidates = dict[str, list[Sample]]
"""Prompt and learner -> single answers to it."""
VERDICT = "alignment"


def alike_in_words(one: str, other: str) -> float:
    """Share of the words of both that are in their longest common subsequence, 0 to 1."""
    return Indel.normalized_similarity(one.split(), other.split())


def candidates(samples: Iterable[Sample]) -> Candidates:
    """Prompts with two or more single answers. Pairs are no candidates: both of their answers are wanted."""
    found: Candidates = defaultdict(list)
    for sample in samples:
        if sample.completion is not None:
            found[asked(sample)].append(sample)
    return {key: answers for key, answers in found.items() if len(answers) > 1}


def asked(sample: Sample) -> str:
    """What answers to the same prompt, for the same learner, have in common."""
    return content_id([sample.learner, sample.prompt])


def by_best_response(scores: Mapping[str, float], answers: Candidates) -> Check:
    """Keeps of every prompt the best answer, of equal ones the first; `scores` are by the samples' ids. A
    prompt of which an answer has no score keeps all."""
    best = {}
    for key, found in answers.items():
        if all(sample.id in scores for sample in found):
            best[key] = max(found, key=lambda sample: scores[sample.id])

    def check(sample: Sample) -> Sample | Fault:
        chosen = best.get(asked(sample))
        if chosen is not None and sample.completion is not None and sample.id != chosen.id:
            mine, most = scores[sample.id], scores[chosen.id]
            return Fault("less-aligned", f"alignment {mine:.3f}, the best answer to its prompt {most:.3f}")
        return _noted(sample, scores)

    return check


def by_best_method(rule: Alignment, scores: Mapping[str, float], methods: Mapping[str, float]) -> Check:
    """Keeps what the best method made, and what has no method or one that was not compared."""
    best = max(methods, key=lambda name: methods[name]) if methods else ""

    def check(sample: Sample) -> Sample | Fault:
        mine = methods.keys() & tags(sample, rule.by) if sample.completion is not None else set()
        if mine and best not in mine:
            had = max(methods[name] for name in mine)
            return Fault("other-method", f"alignment {had:.3f}, that of {best} {methods[best]:.3f}")
        return _noted(sample, scores)

    return check


def compared(rule: Alignment, answers: Candidates, seed: int) -> Candidates:
    """The prompts on which methods are compared: some of those that every method answered."""
    said = {key: {tag for sample in found for tag in tags(sample, rule.by)} for key, found in answers.items()}
    every = {tag for found in said.values() for tag in found}
    shared = sorted(key for key, found in said.items() if found == every and len(every) > 1)
    drawn = random.Random(f"{seed}/alignment").sample(shared, min(rule.prompts, len(shared)))
    return {key: answers[key] for key in drawn}


def of_methods(rule: Alignment, scores: Mapping[str, float], answers: Candidates) -> dict[str, float]:
    """Method -> mean alignment over the prompts, each prompt counting once."""
    means: defaultdict[str, list[float]] = defaultdict(list)
    for found in answers.values():
        of_prompt: defaultdict[str, list[float]] = defaultdict(list)
        for sample in found:
            for tag in tags(sample, rule.by) if sample.id in scores else ():
                of_prompt[tag].append(scores[sample.id])
        for tag, values in of_prompt.items():
            means[tag].append(fmean(values))
    return {tag: fmean(values) for tag, values in sorted(means.items())}


def scored(answer: str, own: Sequence[str], similarity: Similarity) -> float | None:
    """An answer's mean similarity to the student's own; None where there are none to compare with."""
    found = [value for text in own if (value := similarity(answer, text)) is not None]
    return fmean(found) if found else None


def _noted(sample: Sample, scores: Mapping[str, float]) -> Sample:
    if sample.id not in scores:
        return sample
    verdict = Verdict(by="alignment", name=VERDICT, value=round(scores[sample.id], 4))
    return sample.model_copy(update={"verdicts": (*sample.verdicts, verdict)})
