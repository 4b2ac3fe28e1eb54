"""One step of curation: a function from a sample to the sample that goes on, or to what is wrong with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from synth.records import Message, Rejection, Sample

__all__ = ["Check", "Fault", "Step", "Tally", "answer_of", "passing", "refuse", "sides", "text_of"]


class Fault(NamedTuple):
    """Why a sample is dropped: one word to count by, and the particulars."""

    reason: str
    detail: str
    shown: Sample | None = None
    """What is kept of it in its place, where its own text must not be."""


Check = Callable[[Sample], Sample | Fault]


class Step(NamedTuple):
    """A step with its name."""

    name: str
    check: Check


@dataclass
class Tally:
    """What one step did."""

    seen: int = 0
    changed: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    """Reason -> samples."""

    @property
    def kept(self) -> int:
        """Samples that went on, those changed among them."""
        return self.seen - self.dropped.total()

    def figures(self) -> dict[str, Any]:
        """For the journal and the data card."""
        return {
            "seen": self.seen,
            "kept": self.kept,
            "changed": self.changed,
            "dropped": dict(self.dropped.most_common()),
        }


def passing(
    samples: Iterable[Sample], steps: Sequence[Step], tallies: dict[str, Tally], rejections: list[Rejection]
) -> Iterator[Sample]:
    """The samples that pass all steps, one at a time; each step is counted, each drop is a rejection."""
    for step in steps:
        tallies.setdefault(step.name, Tally())
    for sample in samples:
        going: Sample | None = sample
        for step in steps:
            tally = tallies[step.name]
            tally.seen += 1
            found = step.check(sample)
            if isinstance(found, Fault):
                tally.dropped[found.reason] += 1
                rejections.append(refuse(sample, step.name, found))
                going = None
                break
            tally.changed += found is not sample
            going = sample = found
        if going is not None:
            yield going


def refuse(sample: Sample, node: str, fault: Fault) -> Rejection:
    """The record of a sample that a step dropped."""
    shown = fault.shown or sample
    return Rejection(
        seed_id=sample.seed_id,
        round=sample.round,
        stage="curate",
        node=node,
        reason=fault.reason,
        detail=fault.detail,
        data={"sample": sample.id, "prompt": shown.prompt, **sides(shown)},
    )


def sides(sample: Sample) -> dict[str, list[Message]]:
    """What may be learned from a sample: its completion, or its chosen and its rejected answer."""
    found = {"completion": sample.completion, "chosen": sample.chosen, "rejected": sample.rejected}
    return {side: messages for side, messages in found.items() if messages is not None}


def text_of(messages: Iterable[Message] | None) -> str:
    """The messages' texts."""
    return "\n".join(message["content"] for message in messages or ())


def answer_of(sample: Sample) -> str:
    """What the student is to say: the completion, of a pair the chosen answer."""
    return text_of(sample.completion if sample.chosen is None else sample.chosen)
