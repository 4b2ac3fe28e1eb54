"""A record as the index knows it: what it is filtered by, and the words it is found by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from synth.records import content_id

__all__ = ["Entry", "rejection_entry", "sample_entry"]

ASKED = ("question", "instruction", "prompt")
"""Keys under which a rejection's data may hold what was asked."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One sample or rejection. `state` is `kept`, `dropped`, or `new`: made, not curated yet."""

    name: str
    """A sample's id; of a rejection the hash of its content, as one seed may have several."""
    seed: str
    state: str
    round: int
    stage: str
    reason: str
    arm: str
    learner: str
    tags: tuple[str, ...]
    """Its skills, or where it has none its family."""
    asked: str
    answered: str

    @property
    def ids(self) -> str:
        """Names and labels that a search finds, too."""
        return " ".join((self.name, self.seed, self.reason, *self.tags))


def sample_entry(sample: Mapping[str, Any], state: str, stage: str) -> Entry:
    """A `Sample` as it stands in JSON."""
    answers = (sample.get(side) for side in ("completion", "chosen", "rejected"))
    return Entry(
        name=sample["id"],
        seed=sample["seed_id"],
        state=state,
        round=sample["round"],
        stage=stage,
        reason="",
        arm=sample["arm"],
        learner=sample.get("learner", "student"),
        tags=_tags(sample),
        asked="\n".join(_texts(sample["prompt"])),
        answered="\n".join(text for answer in answers for text in _texts(answer)),
    )


def rejection_entry(rejection: Mapping[str, Any], arm: str) -> Entry:
    """A `Rejection` as it stands in JSON; it does not say itself in which arm it was made."""
    data = rejection.get("data") or {}
    others = [value for key, value in data.items() if key not in ASKED]
    said = (rejection.get("raw"), rejection.get("detail"), rejection.get("error"), others)
    return Entry(
        name=content_id(rejection),
        seed=rejection["seed_id"],
        state="dropped",
        round=rejection["round"],
        stage=rejection["stage"].rpartition("/")[2],
        reason=rejection["reason"],
        arm=arm,
        learner=str(data.get("learner", "")),
        tags=_tags(data),
        asked="\n".join(text for key in ASKED for text in _texts(data.get(key))),
        answered="\n".join(text for part in said for text in _texts(part)),
    )


def _tags(data: Mapping[str, Any]) -> tuple[str, ...]:
    named = data.get("skills") or data.get("skill") or data.get("family") or ()
    return tuple(dict.fromkeys([named] if isinstance(named, str) else map(str, named)))


def _texts(value: Any) -> Iterator[str]:
    """All texts in a value but chat turns' roles."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, part in value.items():
            if key != "role":
                yield from _texts(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _texts(part)
