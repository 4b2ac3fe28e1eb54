"""The actor's pairs: a refined response over the one it came from, looked over for faults."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rapidfuzz.distance import Levenshtein

from synth.config import Evaluate
from synth.engine import Context
from synth.flows.answering import question_messages
from synth.flows.spar.params import Fault, Params
from synth.flows.spar.sample import Response, pick
from synth.flows.spar.tree import Tree
from synth.records import Lineage, Question, Rejection, Sample, Verdict

__all__ = ["Pair", "independent_pair", "pair_sample", "refined_pair", "traced"]


@dataclass(frozen=True)
class Pair:
    """An answer to prefer and one to avoid; `keys` are the calls behind them.

    `value` is the share of Yes among the judgements of `chosen`, `depth` the refinements it took;
    `checked` and `avoided` are what a rule-based checker says of the two, if one can.
    """

    chosen: str
    rejected: str
    value: float
    depth: int
    truncated: bool
    keys: tuple[str, ...]
    checked: bool | None = None
    avoided: bool | None = None

    @property
    def edit(self) -> float:
        """Edit distance as a share of the longer answer."""
        return float(Levenshtein.normalized_distance(self.chosen, self.rejected))

    @property
    def ratio(self) -> float:
        """Length of the longer answer over the shorter one's."""
        lengths = sorted(max(1, len(text)) for text in (self.chosen, self.rejected))
        return lengths[1] / lengths[0]

    def faults(self, params: Params) -> list[Fault]:
        """What is wrong with it. `refuted`: the checker contradicts the judge about one of the answers.
        `unfinished`: the rejected answer was cut off by the token limit."""
        found: dict[Fault, bool] = {
            "refuted": self.checked is False or self.avoided is True,
            "edit-distance": self.edit > params.max_edit,
            "length-ratio": self.ratio > params.max_ratio,
            "unfinished": self.truncated,
        }
        return [fault for fault, there in found.items() if there]


def refined_pair(root: Response, tree: Tree) -> Pair | None:
    """The refinement that passed the gate over the response it began with."""
    if tree.found is None:
        return None
    path = [tree.nodes[index] for index in tree.path(tree.found)]
    keys = (key for node in path for key in (node.key, *node.judgement.keys))
    last = path[-1]
    return Pair(
        last.response,
        root.text,
        last.value or 0.0,
        last.depth,
        root.truncated,
        tuple(keys),
        last.checked,
        root.checked,
    )


def independent_pair(
    responses: Sequence[Response], root: Response, params: Params, rng: random.Random
) -> Pair | None:
    """A response that was judged right over one that was not, both the actor's own."""
    index = pick(responses, True, params, rng)
    if index is None:
        return None
    chosen = responses[index]
    keys = (key for one in (root, chosen) for key in (one.key, *one.judgement.keys))
    value = chosen.judgement.value or 0.0
    return Pair(chosen.text, root.text, value, 0, root.truncated, tuple(keys), chosen.checked, root.checked)


def pair_sample(
    pair: Pair, context: Context, question: Question, params: Params, settings: Evaluate
) -> Sample | Rejection:
    """The pair as an example to train on, or why it is left out."""
    faults = pair.faults(params)
    bad = [fault for fault in faults if fault in params.drops]
    if bad:
        return Rejection(
            seed_id=context.seed_id,
            round=context.round,
            stage=context.stage,
            node="pair",
            reason=bad[0],
            detail=f"edit distance {pair.edit:.2f}, length ratio {pair.ratio:.2f}",
            raw=pair.chosen,
            data={"question": question.question, "family": question.family, "rejected": pair.rejected},
        )
    verdicts = [Verdict(by="judge", name="value", value=pair.value)]
    if pair.checked is not None:
        verdicts.append(Verdict(by="constraints", name="met", value=pair.checked))
    meta: dict[str, Any] = {"kind": "pair", "question": question.question, "depth": pair.depth}
    if pair.truncated:
        meta["unfinished"] = ["rejected"]
    return Sample.pair(
        question_messages(question.question, settings),
        pair.chosen,
        pair.rejected,
        seed_id=context.seed_id,
        flow=context.flow,
        arm=context.arm,
        round=context.round,
        family=question.family,
        licence=question.licence,
        verdicts=tuple(verdicts),
        lineage=traced(context, pair.keys, question.id),
        meta=meta | {"edit": round(pair.edit, 4), "ratio": round(pair.ratio, 4), "faults": faults},
    )


def traced(context: Context, keys: Iterable[str], *parents: str) -> Lineage:
    """A lineage of these calls alone: a tree has many that led nowhere."""
    wanted = set(keys)
    calls = {call.key: call for call in context.calls if call.key in wanted}
    return Lineage(calls=tuple(calls.values()), parents=parents)
