"""Is a judge worth believing? Held against answers that people judged, before it may drop anything."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from synth.config.curation import JudgeRules
from synth.errors import DataError

__all__ = ["Calibration", "Gold", "calibrated", "gold_pairs", "kappa", "read_gold"]

FEWEST = 10
"""Gold answers below which no agreement is worth the name."""


class Gold(BaseModel):
    """An answer that a person judged. `by` is the model that wrote it, if that is known."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    prompt: str
    answer: str
    good: bool
    by: str = ""


class Calibration(BaseModel):
    """How a judge did on the gold set. Biases are in points of its score, on answers of equal worth."""

    model_config = ConfigDict(frozen=True)

    role: str
    items: int
    """Gold answers it gave a score for."""
    agreement: float
    """Cohen's kappa of its good and poor with the gold labels: 1 agrees always, 0 as often as chance."""
    pairs: int = 0
    """Good answers put beside a poor one to the same prompt, in both orders."""
    flips: float | None = None
    """Share of these for which the judge prefers whichever stands first, or last."""
    length_bias: float | None = None
    """Correlation of the score with the logarithm of the length, among answers with the same label."""
    self_preference: float | None = None
    """By how much it scores its own model's answers above others', among answers with the same label."""
    filters: bool
    """Whether it may drop single answers."""
    filters_pairs: bool
    """Whether it may drop pairs."""
    verdict: str
    """The same in words."""


def read_gold(path: Path) -> list[Gold]:
    """The gold set. Raises `DataError` for a faulty line, or one label only."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise DataError(
            f"the gold set {path} cannot be read: {error.strerror}", "name another file"
        ) from error
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found.append(Gold.model_validate(orjson.loads(line)))
        except (orjson.JSONDecodeError, ValidationError) as error:
            first = str(error).partition("\n")[0]
            raise DataError(
                f"{path}:{number}: not an answer with its label: {first}",
                'write lines such as {"prompt": "...", "answer": "...", "good": true}',
            ) from error
    if len({gold.good for gold in found}) < 2:
        raise DataError(
            f"the gold set {path} has not both good and poor answers", "add some of the other kind"
        )
    return found


def gold_pairs(golds: Iterable[Gold]) -> list[tuple[Gold, Gold]]:
    """Of every prompt the good answers beside the poor ones, each answer once."""
    answers: defaultdict[str, tuple[list[Gold], list[Gold]]] = defaultdict(lambda: ([], []))
    for gold in golds:
        answers[gold.prompt][0 if gold.good else 1].append(gold)
    return [pair for good, poor in answers.values() for pair in zip(good, poor, strict=False)]


def kappa(one: Sequence[bool], other: Sequence[bool]) -> float:
    """Cohen's kappa of two raters; 0 where both say the same of everything (no chance to disagree)."""
    count = len(one)
    same = sum(a == b for a, b in zip(one, other, strict=True)) / count
    shares = [sum(said) / count for said in (one, other)]
    chance = math.prod(shares) + math.prod(1 - share for share in shares)
    return (same - chance) / (1 - chance) if chance < 1 else 0.0


def calibrated(
    rules: JudgeRules, model: str, scored: Sequence[tuple[Gold, int]], choices: Sequence[tuple[str, str]]
) -> Calibration:
    """What the judge's scores, and its choices (`good` or `poor`) in the two orders, come to."""
    agreement = (
        kappa([g.good for g, _ in scored], [s >= rules.min_score for _, s in scored]) if scored else 0.0
    )
    turned = [one != other for one, other in choices]
    flips = sum(turned) / len(turned) if turned else None
    enough = len(scored) >= FEWEST and agreement >= rules.min_agreement
    steady = flips is not None and flips <= rules.max_flips
    rest = _beyond_labels(scored)
    figures: dict[str, Any] = {
        "role": rules.role,
        "items": len(scored),
        "agreement": round(agreement, 4),
        "pairs": len(turned),
        "flips": flips,
        "length_bias": _correlation([math.log1p(len(gold.answer)) for gold, _ in scored], rest),
        "self_preference": _gap([gold.by == model for gold, _ in scored if gold.by], rest, scored),
        "filters": enough,
        "filters_pairs": enough and steady,
    }
    return Calibration(**figures, verdict=_in_words(figures, rules))


def _beyond_labels(scored: Sequence[tuple[Gold, int]]) -> list[float]:
    """Scores less the mean of those with the same label."""
    by_label: Mapping[bool, list[int]] = {
        label: [score for gold, score in scored if gold.good is label] for label in (True, False)
    }
    means = {label: sum(scores) / len(scores) for label, scores in by_label.items() if scores}
    return [score - means[gold.good] for gold, score in scored]


def _correlation(lengths: Sequence[float], rest: Sequence[float]) -> float | None:
    try:
        return round(statistics.correlation(lengths, rest), 4)
    except statistics.StatisticsError:  # too few, or all the same
        return None


def _gap(own: Sequence[bool], rest: Sequence[float], scored: Sequence[tuple[Gold, int]]) -> float | None:
    known = [value for (gold, _), value in zip(scored, rest, strict=True) if gold.by]
    mine = [value for value, is_own in zip(known, own, strict=True) if is_own]
    others = [value for value, is_own in zip(known, own, strict=True) if not is_own]
    return round(statistics.fmean(mine) - statistics.fmean(others), 4) if mine and others else None


def _in_words(figures: Mapping[str, Any], rules: JudgeRules) -> str:
    said = f"agrees with {figures['items']} gold labels at kappa {figures['agreement']:.2f}"
    if figures["flips"] is not None:
        said += f", turns with the order in {figures['flips']:.0%} of {figures['pairs']} pairs"
    for name, unit in (
        ("length_bias", "correlation with length"),
        ("self_preference", "points for its own model"),
    ):
        if figures[name] is not None:
            said += f", {unit} {figures[name]:+.2f}"
    if not figures["filters"]:
        least = f"{FEWEST} labels and kappa {rules.min_agreement:g}"
        return f"{said}; at least {least} wanted: it drops nothing, the run goes on unfiltered"
    if not figures["filters_pairs"]:
        return f"{said}; it may drop answers, and no pairs"
    return f"{said}; it may drop answers and pairs"
