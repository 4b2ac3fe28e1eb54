"""The refiner's data: refinements that succeeded, critiques, and contested judgements."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from synth.engine import Context
from synth.flows.spar.pairs import traced
from synth.flows.spar.refine import Refiner
from synth.flows.spar.sample import Response
from synth.flows.spar.tree import Node, Tree
from synth.records import Message, Question, Sample, content_id

__all__ = ["Candidate", "candidate", "chosen_ids", "lessons"]


def lessons(
    context: Context,
    question: Question,
    responses: Sequence[Response],
    tree: Tree | None,
    refiner: Refiner,
) -> Iterator[Sample]:
    """All samples one prompt can give to the refiner, before the caps of a round.

    Of each tree: the refinement that succeeded, and one critique of a node whose judges were
    mostly but not all for Yes, and one the other way. Of the actor's responses: every
    judgement that a vote went against. What the rules refute is left out where the flow drops it.
    """
    strict = "refuted" in refiner.params.drops

    def lesson(kind: str, prompt: list[Message], said: str, keys: Iterable[str]) -> Sample:
        return Sample.sft(
            prompt,
            said,
            seed_id=context.seed_id,
            flow=context.flow,
            arm=context.arm,
            round=context.round,
            learner="refiner",
            family=question.family,
            licence=question.licence,
            lineage=traced(context, keys, question.id),
            meta={"kind": kind, "question": question.question},
        )

    def critique(kind: str, text: str, said: str, keys: Iterable[str]) -> Sample:
        return lesson(kind, refiner.judge.asked(question, text), said, keys)

    if tree is not None:
        if tree.found is not None and not (strict and tree.nodes[tree.found].checked is False):
            node, parent = tree.nodes[tree.found], tree.nodes[tree.nodes[tree.found].parent or 0]
            keys = (*parent.judgement.keys, node.key, *node.judgement.keys)
            yield lesson("refine", refiner.asked(question, parent), node.reply, keys)
        for kind, low, high in (("critique-yes", 0.5, 1.0), ("critique-no", 0.0, 0.5)):
            fitting = [
                node
                for node in tree.nodes[1:]
                if node.value is not None
                and low < node.value < high
                and not (strict and node.judgement.refuted(node.checked))
            ]
            if fitting:
                one: Node = context.rng.choice(fitting)
                yield critique(kind, one.response, one.judgement.critique, one.judgement.keys)
    for response in responses:
        judgement = response.judgement
        if judgement.contested is not None and not (strict and judgement.refuted(response.checked)):
            yield critique(f"judge-{judgement.contested}", response.text, judgement.critique, judgement.keys)


@dataclass(frozen=True, slots=True)
class Candidate:
    """What the caps need to know of a refiner's sample: its kind, and its first user turn's hash."""

    id: str
    kind: str
    first: str


def candidate(sample: Sample) -> Candidate:
    """The few facts of a sample that decide whether it is taken."""
    return Candidate(sample.id, str(sample.meta["kind"]), content_id(sample.prompt[0]["content"]))


def chosen_ids(
    candidates: Collection[Candidate], caps: Mapping[str, int], rng: random.Random
) -> tuple[set[str], Counter[str]]:
    """A random choice up to each kind's cap, no first user turn twice; ids, and counts by kind.

    Kinds take their turn in the order of `caps`, so that a refinement goes before a judgement
    of the same response.
    """
    ids: set[str] = set()
    counts: Counter[str] = Counter()
    seen: set[str] = set()
    for kind, cap in caps.items():
        of_kind = [one for one in candidates if one.kind == kind]
        rng.shuffle(of_kind)
        for one in of_kind:
            if counts[kind] < cap and one.first not in seen:
                seen.add(one.first)
                ids.add(one.id)
                counts[kind] += 1
    return ids, counts
