"""What a round of DRIFT was made of: written to `rounds/N/drift.json`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import fmean, median

from pydantic import BaseModel
from rapidfuzz.distance import Levenshtein

from synth.engine import Result
from synth.flows.drift.signals import Signal
from synth.records import Sample

__all__ = ["Figures", "figures_of"]


class Figures(BaseModel):
    """Counts of a round; lengths are in words."""

    round: int
    arm: str
    kind: str
    """`repair` in the warm start, else `iteration`."""
    satisfied: int
    dissatisfied: int
    repairs: int
    """Replies that displeased and were followed by one that pleased."""
    cut_off: int
    """Replies that displeased and are known to end in mid-sentence."""
    complaints: dict[str, int]
    """Simulated complaints by their kind."""
    missed: dict[str, int]
    """Missed constraints by their type."""
    asked: int
    """Signals a pair was to be made of."""
    pairs: int
    drops: dict[str, int]
    """The others, by the reason."""
    chosen_words: float | None = None
    rejected_words: float | None = None
    length_ratio: float | None = None
    """Words of the chosen reply by words of the rejected one; the median pair's."""
    edit_distance: float | None = None
    """Share of characters to change to come from one to the other; the mean over pairs."""
    chosen_pass: float | None = None
    """Share of chosen replies that follow all constraints, where there is a checker."""
    rejected_pass: float | None = None


def figures_of(
    signals: Sequence[Signal], results: Sequence[Result], *, round_number: int, arm: str, kind: str
) -> Figures:
    """The figures of a round, from its signals and the results of its stage `pairs`."""
    displeased = [signal for signal in signals if not signal.satisfied]
    samples = [sample for result in results for sample in result.samples]
    texts = [_texts(sample) for sample in samples]
    words = [(len(chosen.split()), len(rejected.split())) for chosen, rejected in texts]
    return Figures(
        round=round_number,
        arm=arm,
        kind=kind,
        satisfied=len(signals) - len(displeased),
        dissatisfied=len(displeased),
        repairs=sum(bool(signal.repair) for signal in displeased),
        cut_off=sum(not signal.finished for signal in displeased),
        complaints=_counted(signal.complaint for signal in displeased if signal.complaint),
        missed=_counted(missed for signal in displeased for missed in signal.missed),
        asked=len(results),
        pairs=len(samples),
        drops=_counted(rejection.reason for result in results for rejection in result.rejections),
        chosen_words=_mean([chosen for chosen, _ in words]),
        rejected_words=_mean([rejected for _, rejected in words]),
        length_ratio=median(one / max(1, other) for one, other in words) if words else None,
        edit_distance=_mean([Levenshtein.normalized_distance(*pair) for pair in texts]),
        chosen_pass=_passing(samples, "chosen"),
        rejected_pass=_passing(samples, "rejected"),
    )


def _texts(sample: Sample) -> tuple[str, str]:
    """The chosen and the rejected reply."""
    assert sample.chosen is not None and sample.rejected is not None
    return sample.chosen[0]["content"], sample.rejected[0]["content"]


def _passing(samples: Sequence[Sample], side: str) -> float | None:
    """Share of one side's replies the checker passed; None where none was checked."""
    return _mean([float(v.value) for s in samples for v in s.verdicts if v.name == side])


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))
