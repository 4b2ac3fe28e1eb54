"""Some of a run's samples as Markdown for people to read, one page a skill (or family)."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import orjson

from synth.errors import RunError
from synth.records import Message, Sample
from synth.runs.runfiles import open_readonly

__all__ = ["pages"]


def pages(run: Path, each: int, number: int) -> dict[str, str]:
    """Name of a skill -> Markdown with `each` of its samples of round `number`, spread over its types.

    All that the flow kept is drawn from, also what the training budget had no room for; of a
    conversation only its last turn, which shows the others. Raises `RunError` where there is none.
    """
    found: dict[str, dict[str, list[Sample]]] = defaultdict(lambda: defaultdict(list))
    for sample in _whole(_samples(run, number)):
        kind = sample.skills[0] if sample.skills else sample.family
        found[sample.family or "samples"][kind].append(sample)
    if not found:
        raise RunError(f"round {number} of {run} has no samples", "name another round with --round")
    return {name: _page(name, kinds, each) for name, kinds in sorted(found.items())}


def _samples(run: Path, number: int) -> Iterator[Sample]:
    journal = run / "journal.db"
    if not journal.is_file():
        raise RunError(f"{run} has no journal", "name the folder of a run")
    with closing(open_readonly(journal)) as connection:
        query = "SELECT payload FROM results WHERE stage LIKE ? AND kept > 0 ORDER BY stage, position, seed"
        for (payload,) in connection.execute(query, (f"{number}/%",)):
            yield from map(Sample.model_validate, orjson.loads(payload)["samples"])


def _whole(samples: Iterator[Sample]) -> list[Sample]:
    """Of the turns of one item the last, and no sample twice."""
    last: dict[str, Sample] = {}
    for sample in samples:
        last[str(sample.meta.get("item") or sample.id)] = sample
    return list(last.values())


def _page(name: str, kinds: dict[str, list[Sample]], each: int) -> str:
    """In turn one of each type, each time another of it by chance."""
    decks = [random.Random(kind).sample(kinds[kind], len(kinds[kind])) for kind in sorted(kinds)]
    order = [sample for turn in range(each) for deck in decks for sample in deck[turn : turn + 1]]
    title = name.replace("_", " ")
    whole = sum(len(deck) for deck in decks)
    head = f"# {title[0].upper()}{title[1:]}\n\n{min(each, whole)} of {whole} samples.\n"
    return head + "".join(f"\n{_told(n, sample)}" for n, sample in enumerate(order[:each], 1))


def _told(number: int, sample: Sample) -> str:
    kind = sample.skills[0].split("/")[-1] if sample.skills else sample.family
    goal = sample.meta.get("refinement")
    facts = [f"from {str(sample.meta['source']).removeprefix('../')}"] if sample.meta.get("source") else []
    facts += [f"refined: {goal}"] if goal else []
    parts = [f"## {number}. {kind.replace('_', ' ')}", *([", ".join(facts)] if facts else [])]
    parts += [_turn(message) for message in sample.prompt]
    sides = (("Answer", sample.completion), ("Chosen", sample.chosen), ("Rejected", sample.rejected))
    parts += [f"**{side}**\n\n{_fenced(said[-1]['content'])}" for side, said in sides if said]
    return "\n\n".join(parts) + "\n"


def _turn(message: Message) -> str:
    return f"**{message['role'].capitalize()}**\n\n{_fenced(message['content'])}"


def _fenced(text: str) -> str:
    """The text as it is, in a fence that nothing in it ends."""
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}text\n{text}\n{fence}"
