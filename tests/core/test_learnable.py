"""Objectives and the data they learn from: what does not go together is said before a run, and in it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from synth.config import DataSource, Evaluate, Train
from synth.errors import ConfigError, DataError
from synth.flowfiles import load
from synth.records import Question, Sample
from synth.rounds.learnable import check_samples, with_truths

FLOWS = Path(__file__).parents[2] / "flows"
ASKED = [{"role": "user", "content": "What is 2 + 2?"}]
FROM: dict[str, Any] = {"seed_id": "s", "flow": "f", "arm": "fixed", "round": 1}


@pytest.mark.parametrize(
    ("flow", "objective", "said"),
    [
        ("stat", "dpo", "'dpo' learns from pairs of a better and a worse answer, and the flow 'stat' makes"),
        ("stat", "kto", "'kto' learns from pairs"),
        ("spar", "asft", "'asft' learns from prompts with one answer each, and the flow 'spar' makes pairs"),
        ("drift", "hpt", "'hpt' learns from prompts with an answer and with what is known to be right"),
    ],
)
def test_check_knows_what_a_flow_makes(flow: str, objective: str, said: str) -> None:
    """`synth check` names the key, what is made, and which objectives would do."""
    settings = [f"train.objective={objective}", "train.grpo={loss: dr_grpo}"]
    with pytest.raises(ConfigError) as caught:
        load(FLOWS / f"{flow}.yaml", [*settings, "train.batch_size=8"], None, offline=True)
    [problem] = caught.value.problems
    assert problem.key == "train.objective" and said in problem.message
    assert problem.cure.startswith("write one of: ")


@pytest.mark.parametrize(
    ("flow", "objective"), [("stat", "asft"), ("stat", "grpo"), ("spar", "simpo"), ("drift", "grpo")]
)
def test_what_goes_together_passes(flow: str, objective: str) -> None:
    """Rewards need prompts alone, whatever else a flow makes."""
    overrides = [f"train.objective={objective}", "train.batch_size=8"]
    assert load(FLOWS / f"{flow}.yaml", overrides, None, offline=True).flow.train.objective == objective


def test_where_nobody_is_trained_any_objective_passes() -> None:
    """`generate_only` ends with the data: what `train` says by default is nobody's fault."""
    assert load(FLOWS / "spar.yaml", ["train.objective=sft", "generate_only=true"], None, offline=True)


def test_a_round_refuses_samples_that_do_not_fit() -> None:
    """With the sample, for flows of one's own that no check knows."""
    answer = Sample.sft(ASKED, "4", **FROM)
    check_samples([answer], "student", Train(), "mine")
    with pytest.raises(DataError, match=f"'orpo' learns from pairs.*{answer.id}") as caught:
        check_samples([answer], "student", Train(objective="orpo"), "mine")
    assert "train.objective" in caught.value.cure
    with pytest.raises(DataError, match="training the judge: 'sft' learns from"):
        check_samples([Sample.pair(ASKED, "4", "5", **FROM)], "judge", Train(), "mine")
    with pytest.raises(DataError, match="learns by what is right"):
        check_samples([answer], "student", Train(objective="grpo"), "mine")


def session(*questions: Question, objective: str = "grpo", prompt: str = "{question}") -> Any:
    """What of a session is looked at: its sources, its settings, its questions."""
    sources = {name: DataSource(source="tasks") for name in ("pool", "test")}
    facts = {"evaluate": Evaluate(prompt=prompt), "train": Train(objective=objective)}
    flow = SimpleNamespace(data=sources, held_out=("test",), learners={}, **facts)
    pool = {"pool": list(questions), "test": [Question.of("What is 2 + 2?", "4")]}
    return SimpleNamespace(flow=flow, train=flow.train, questions=lambda name: pool[name])


def truths(made: list[Sample], at: Any) -> list[Any]:
    return [s.meta.get("truth") for s in with_truths(at, made, lambda session, role: session.train)]


def test_truth_comes_from_the_flow_or_the_data() -> None:
    """A question of the data by its text, with its kind; a new one by the answer that the flow notes."""
    known = Question.of("What is 2 + 2?", "4", kind="number")
    bare = Sample.sft(ASKED, "It is 4.", **FROM)
    [found] = truths([bare], session(known))
    assert Question.model_validate(found) == known
    wrapped = Sample.sft([{"role": "user", "content": "Q: What is 2 + 2?\nA:"}], "It is 4.", **FROM)
    [found] = truths([wrapped], session(known, prompt="Q: {question}\nA:"))
    assert Question.model_validate(found) == known, "as the student is asked it"
    new = Sample.sft(ASKED, "5", meta={"question": "What is 2 + 3?", "answer": "5"}, **FROM)
    [found] = truths([new], session(known))
    assert (found["question"], found["answer"]) == ("What is 2 + 3?", "5")
    given = Sample.sft(ASKED, "4", meta={"truth": {"mine": 1}}, **FROM)
    assert truths([given], session(known)) == [{"mine": 1}]


def test_truth_is_never_taken_from_held_out_items() -> None:
    """And no sample carries one where nothing learns by reward."""
    assert truths([Sample.sft(ASKED, "4", **FROM)], session()) == [None]
    known = Question.of("What is 2 + 2?", "4")
    assert truths([Sample.sft(ASKED, "4", **FROM)], session(known, objective="sft")) == [None]
