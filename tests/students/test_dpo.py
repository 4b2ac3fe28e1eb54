"""Real preference training of the tiny model: the loss, what it is measured against, when it stops."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from peft import PeftModel
from transformers import (
    AutoModelForCausalLM,
    PreTrainedModel,
    TrainerControl,
    TrainerState,
)

from synth.config.flowfile import Lora
from synth.errors import DataError, TrainError
from synth.students.job import TrainJob
from synth.students.log import read_log
from synth.students.progress import WINDOW, Progress
from synth.students.tiny import tiny_tokenizer
from synth.students.training import train

from .conftest import words
from .test_training import cut_off_after_three

Pair = dict[str, list[dict[str, str]]]


def said(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


@pytest.fixture(scope="session")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """48 pairs: the answer itself is chosen, a longer and wrong one rejected."""
    draw = random.Random(1)
    rows = [
        {
            "prompt": row["prompt"],
            "chosen": row["completion"],
            "rejected": said("zz" + draw.choice(["", "zyx"])),
        }
        for row in words(48)
    ]
    path = tmp_path_factory.mktemp("pairs") / "train.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


@pytest.fixture
def make_pair_job(make_job: Callable[..., TrainJob], tiny: Path, pairs: Path) -> Callable[..., TrainJob]:
    """A job on the pairs that trains all weights; `dpo` and the keywords of `Train` change it."""

    def make(folder: str = "round", *, dpo: dict[str, Any] | None = None, **changes: Any) -> TrainJob:
        given = {
            "objective": "dpo",
            "dpo": dpo or {},
            "lora": None,
            "learning_rate": 2e-4,
            **changes.pop("train", {}),
        }
        return make_job(folder, **{"model": tiny, "data": pairs, "train": given, **changes})

    return make


def figures(job: TrainJob, name: str) -> list[float]:
    return [line[name] for line in read_log(job.log)]


def log_probs(model: PreTrainedModel, pair: Pair, side: str) -> torch.Tensor:
    """Log-probability of each token of an answer, straight from the logits."""
    tokenizer = tiny_tokenizer()
    start = tokenizer.apply_chat_template(pair["prompt"], add_generation_prompt=True)["input_ids"]
    whole = tokenizer.apply_chat_template(pair["prompt"] + pair[side])["input_ids"]
    with torch.no_grad():
        every = torch.log_softmax(model(torch.tensor([whole])).logits[0, :-1].float(), -1)
    picked = every.gather(1, torch.tensor(whole[1:])[:, None])[:, 0]
    return picked[len(start) - 1 :]


def one_batch(tmp_path: Path, pairs: Path) -> tuple[Path, list[Pair]]:
    """A data set of four pairs, so that every step sees them all."""
    table = pq.read_table(pairs).slice(0, 4)
    pq.write_table(table, tmp_path / "four.parquet")
    return tmp_path / "four.parquet", table.to_pylist()


def expected(
    trained: PreTrainedModel, start: PreTrainedModel, rows: list[Pair], normalised: bool
) -> list[float]:
    """log pi/pi_ref of the chosen answer minus that of the rejected one, a pair each."""
    margins = []
    for pair in rows:
        gains = [
            log_probs(trained, pair, side) - log_probs(start, pair, side) for side in ("chosen", "rejected")
        ]
        gain = [g.mean() if normalised else g.sum() for g in gains]
        margins.append(float(gain[0] - gain[1]))
    return margins


def test_preferring_lowers_the_loss_and_widens_the_margin(make_pair_job) -> None:
    """The loss begins at log 2, since student and reference are the same, and every figure is logged."""
    job = make_pair_job(steps=20)
    result = train(job)
    assert result is not None and result.steps == 20
    loss, margin = figures(job, "loss"), figures(job, "margin")
    assert loss[0] == pytest.approx(0.6931, abs=1e-3)
    assert sum(loss[-5:]) / 5 < 0.5
    assert margin[0] == pytest.approx(0, abs=1e-3)
    assert min(margin[-5:]) > 0.5
    assert figures(job, "accuracy")[-1] == 1
    assert figures(job, "pull")[-1] < 0.4 < figures(job, "pull")[0]
    assert figures(job, "pull_share")[-1] == 0
    last = read_log(job.log)[-1]
    assert last["chosen_change"] - last["rejected_change"] > 0
    assert last["chosen_logp"] < 0 > last["rejected_logp"]
    assert result.figures["margin"] == pytest.approx(sum(margin[-2:]) / 2)
    card = (job.output / "README.md").read_text()
    assert "preference" in card and "| dpo.beta | 0.1 |" in card and "- Margin, likewise" in card


def test_the_gradients_of_both_answers_are_compared_and_nothing_else_changes(make_pair_job) -> None:
    """Of one pair the gradient is beta x pull x that difference; who looks at it trains the same weights."""
    settings = {"batch_size": 1, "max_grad_norm": 1e9}
    looked = make_pair_job("looked", steps=3, dpo={"gradient_pairs": 2}, train=settings)
    plain = make_pair_job("plain", steps=3, train=settings)
    assert looked.fingerprint() == plain.fingerprint()
    result, without = train(looked), train(plain)
    assert result is not None and without is not None and result.weights == without.weights
    names = ("grad_norm", "pull", "gradient_difference")
    for norm, pull, difference in zip(*(figures(looked, name) for name in names), strict=True):
        assert norm == pytest.approx(0.1 * pull * difference, rel=1e-3)
    assert "gradient_difference" in result.figures and "gradient_difference" not in without.figures


@pytest.mark.parametrize("normalised", [False, True])
def test_the_loss_is_what_the_formula_says(
    make_pair_job, tmp_path: Path, tiny: Path, pairs: Path, normalised: bool
) -> None:
    """Sigmoid loss of summed or of averaged log-probabilities, the NLL of the chosen answers beside it."""
    data, rows = one_batch(tmp_path, pairs)
    beta = 5.0 if normalised else 0.1
    dpo = {"beta": beta, "length_normalised": normalised, "nll": 0.5}
    job = make_pair_job(
        "two", dpo=dpo, data=data, steps=2, train={"scheduler": "constant", "warmup_ratio": 0.0}
    )
    train(job)
    first = make_pair_job(
        "one", dpo=dpo, data=data, steps=1, train={"scheduler": "constant", "warmup_ratio": 0.0}
    )
    train(first)
    start, after = (AutoModelForCausalLM.from_pretrained(path) for path in (tiny, first.output))
    margins = torch.tensor(expected(after, start, rows, normalised)) * beta
    nll = -torch.cat([log_probs(after, pair, "chosen") for pair in rows]).mean()
    line = read_log(job.log)[1]
    loss = -torch.nn.functional.logsigmoid(margins).mean() + 0.5 * nll
    assert line["loss"] == pytest.approx(float(loss), rel=1e-3)
    assert line["margin"] == pytest.approx(float(margins.mean()), rel=1e-2)
    assert abs(line["margin"]) > 1e-3


def test_a_continued_adapter_is_compared_with_itself_at_the_start(
    make_pair_job, tmp_path: Path, tiny: Path, pairs: Path
) -> None:
    """Not with the bare base model: the second round would pay for what the first one learned."""
    data, rows = one_batch(tmp_path, pairs)
    shared = {"lora": Lora(r=4, alpha=8), "learning_rate": 1e-2}
    first = make_pair_job("round1", data=data, steps=10, train=shared)
    train(first)
    assert figures(first, "margin")[-1] > 0.1
    steady = {**shared, "scheduler": "constant", "warmup_ratio": 0.0, "learning_rate": 1e-4}
    once, twice = (
        make_pair_job(f"round2-{n}", data=data, steps=n, train=steady, adapter=first.output) for n in (1, 2)
    )
    train(once)
    train(twice)
    assert figures(twice, "margin")[0] == pytest.approx(0, abs=1e-3)
    base = AutoModelForCausalLM.from_pretrained(tiny)
    before, after = (
        PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny), job.output)
        for job in (first, once)
    )
    since_start, since_base = (0.1 * sum(expected(after, start, rows, False)) / 4 for start in (before, base))
    assert figures(twice, "margin")[1] == pytest.approx(since_start, abs=2e-3)
    assert abs(since_base - since_start) > 0.1
    assert not list(once.output.glob("ref*"))
    merged = make_pair_job("merged", data=data, steps=2, train={"lora": None}, adapter=first.output)
    train(merged)
    assert figures(merged, "margin")[0] == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("lora", [None, Lora(r=4)])
def test_cut_off_and_done_again_it_is_the_same(
    make_pair_job, monkeypatch: pytest.MonkeyPatch, lora: Lora | None
) -> None:
    """A checkpoint restores the student and never the reference, an adapter's as little as the model's."""
    settings: dict[str, Any] = {"lora": lora, "save_steps": 2}
    before: dict[str, Any] = {}
    if lora:
        begun = make_pair_job("begun", steps=4, train=settings)
        train(begun)
        before = {"adapter": begun.output}
    whole, cut = (make_pair_job(name, steps=6, train=settings, **before) for name in ("whole", "cut"))
    undisturbed = train(whole)
    with monkeypatch.context() as patch:
        patch.setattr(Progress, "on_step_begin", cut_off_after_three)
        with pytest.raises(KeyboardInterrupt):
            train(cut)
    assert len(read_log(cut.log)) == 3
    resumed = train(cut)
    assert undisturbed and resumed and resumed.weights == undisturbed.weights
    assert figures(cut, "margin") == figures(whole, "margin")


def test_it_stops_when_both_answers_become_less_likely(make_pair_job) -> None:
    """The failing sign of Delta Learning: both sink, on the mean of some steps, not in a single one."""

    def steps_until_stop(chosen: list[float], rejected: list[float]) -> tuple[int, str]:
        progress = Progress(make_pair_job(dpo={"stop_when_both_fall": 0.05}), 0, writes=False)
        control = TrainerControl()
        for step, changes in enumerate(zip(chosen, rejected, strict=True), start=1):
            logs = {"loss": 0.6, "grad_norm": 1.0, "chosen_change": changes[0], "rejected_change": changes[1]}
            progress.on_log(None, TrainerState(global_step=step), control, logs)
            if control.should_training_stop:
                return step, progress.stopped
        return 0, progress.stopped

    sinking = [-0.06] * 15
    assert steps_until_stop(sinking, [-0.5] * 15) == (WINDOW, ANY)
    assert "chosen by 0.060 and rejected by 0.500 nats" in steps_until_stop(sinking, [-0.5] * 15)[1]
    assert steps_until_stop([0.01] * 15, [-0.5] * 15) == (0, "")
    assert steps_until_stop(sinking, [-0.04] * 15) == (0, "")
    assert steps_until_stop([0.0] * 9 + [-0.4] + [0.0] * 5, sinking) == (0, "")


def test_a_training_that_stops_early_says_why(make_pair_job, monkeypatch: pytest.MonkeyPatch) -> None:
    """The weights are kept, and result and card tell the reason."""
    monkeypatch.setattr(Progress, "_both_fall", lambda self: "both sink" if len(self.recent) == 3 else "")
    job = make_pair_job(steps=9)
    result = train(job)
    assert result is not None
    assert (result.steps, result.stopped, len(read_log(job.log))) == (3, "both sink", 3)
    assert "Ended early: both sink" in (job.output / "README.md").read_text()
    assert job.finished() == result


def test_broken_loss_and_wrong_rows_are_named(make_pair_job, data: Path) -> None:
    """As in supervised training: no useless weights, no traceback."""
    with pytest.raises(TrainError, match=r"step \d+ of 9: (loss|grad_norm) is"):
        train(make_pair_job("broken", steps=9, train={"learning_rate": 1e30}))
    with pytest.raises(DataError, match="no column 'chosen'"):
        train(make_pair_job("rows", data=data))
