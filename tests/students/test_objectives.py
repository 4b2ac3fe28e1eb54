"""Every objective on the tiny model: its loss against the formula, its data, and what all of them share."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from synth.config.flowfile import Lora, Train
from synth.errors import DataError, TrainError
from synth.records import Question
from synth.students.examples import load_examples
from synth.students.job import TrainJob
from synth.students.kto import unpaired
from synth.students.log import read_log
from synth.students.losses.pear import pear_weights
from synth.students.settings import trl_settings
from synth.students.tiny import tiny_tokenizer
from synth.students.tokens import tokenised
from synth.students.training import train

from .conftest import words

STEADY = {"scheduler": "constant", "warmup_ratio": 0.0, "lora": None}
ATTEMPTS = {"generations": 4, "max_tokens": 8}
HYBRID = {**ATTEMPTS, "loss": "dr_grpo", "scale": "none"}


@pytest.fixture(scope="session")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """16 prompts with everything an objective may want: an answer, a worse one, and the truth."""
    path = tmp_path_factory.mktemp("rows") / "train.jsonl"
    lines = []
    for number, row in enumerate(words(16)):
        question, answer = row["prompt"][0]["content"], row["completion"][0]["content"]
        truth = Question.of(question, answer, kind="word").model_dump_json()
        worse = [{"role": "assistant", "content": "zz" * (number % 3 + 1)}]
        lines.append(json.dumps({**row, "chosen": row["completion"], "rejected": worse, "truth": truth}))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def job_of(make_job: Callable[..., TrainJob], tiny: Path, rows: Path) -> Callable[..., TrainJob]:
    """A job of one objective on those rows; all weights, all rows in one step."""

    def make(objective: str, folder: str = "", **changes: Any) -> TrainJob:
        more = changes.pop("train", {})
        given = {"objective": objective, **STEADY, "batch_size": 16, **more}
        return make_job(folder or objective, **{"model": tiny, "data": rows, "train": given, **changes})

    return make


def losses(job: TrainJob) -> list[float]:
    return [line["loss"] for line in read_log(job.log)]


def answers(model: Any, rows: Path, side: str = "completion") -> list[torch.Tensor]:
    """Log-probabilities of every token of every answer, straight from the logits."""
    tokenizer, found = tiny_tokenizer(), []
    for line in rows.read_text().splitlines():
        row = json.loads(line)
        start = tokenizer.apply_chat_template(row["prompt"], add_generation_prompt=True)["input_ids"]
        whole = tokenizer.apply_chat_template(row["prompt"] + row[side])["input_ids"]
        with torch.no_grad():
            every = model(torch.tensor([whole])).logits[0, :-1].float().log_softmax(-1)
        found.append(every.gather(1, torch.tensor(whole[1:])[:, None])[len(start) - 1 :, 0])
    return found


def means(model: Any, rows: Path) -> tuple[torch.Tensor, torch.Tensor]:
    sides = (answers(model, rows, side) for side in ("chosen", "rejected"))
    better, worse = (torch.stack([one.mean() for one in side]) for side in sides)
    return better, worse


def dft(model: Any, rows: Path) -> torch.Tensor:
    """-p log p, the mean over all tokens."""
    found = torch.cat(answers(model, rows))
    return -(found.exp() * found).mean()


def simpo(model: Any, rows: Path) -> torch.Tensor:
    better, worse = means(model, rows)
    return -torch.nn.functional.logsigmoid(2.0 * (better - worse) - 1.0).mean()


def odds(model: Any, rows: Path) -> torch.Tensor:
    """The odds ratio's part of ORPO; the other is the likelihood of prompt and answer."""
    log_odds = [side - torch.log1p(-side.exp()) for side in means(model, rows)]
    ratio = -0.1 * torch.nn.functional.logsigmoid(log_odds[0] - log_odds[1]).mean()
    tokenizer, tokens = tiny_tokenizer(), []
    for line in rows.read_text().splitlines():
        row = json.loads(line)
        ids = torch.tensor([tokenizer.apply_chat_template(row["prompt"] + row["chosen"])["input_ids"]])
        with torch.no_grad():
            every = model(ids).logits[0, :-1].float().log_softmax(-1)
        tokens.append(every.gather(1, ids[0, 1:, None])[:, 0])
    return ratio - torch.cat(tokens).mean()


def pear(model: Any, rows: Path) -> torch.Tensor:
    """At the first step the student is the author, so that only gamma weighs."""
    total, count = torch.tensor(0.0), 0
    for found in answers(model, rows):
        weights = torch.tensor([0.999 ** (len(found) - 1 - at) for at in range(len(found))])
        total, count = total - (weights * found).sum(), count + len(found)
    return total / count


@pytest.mark.parametrize(
    ("objective", "formula"),
    [("dft", dft), ("asft", dft), ("pear", pear), ("simpo", simpo), ("orpo", odds)],
)
def test_the_first_loss_is_what_the_paper_says(
    job_of, tiny: Path, rows: Path, objective: str, formula: Callable[[Any, Path], torch.Tensor]
) -> None:
    """Computed anew from the logits. (ASFT's divergence is 0 at the first step.)"""
    job = job_of(objective, steps=1)
    assert train(job) is not None
    expected = float(formula(AutoModelForCausalLM.from_pretrained(tiny), rows))
    assert losses(job)[0] == pytest.approx(expected, rel=2e-3)


def test_asft_is_held_near_its_start(job_of, tiny: Path, rows: Path) -> None:
    """The divergence from the start grows from 0, of all weights and of an adapter alike."""
    for lora in (None, Lora(r=4)):
        steps = {"lora": lora, "learning_rate": 1e-2, "asft": {"kl_weight": 1.0}}
        job = job_of("asft", f"asft-{bool(lora)}", steps=2, train=steps)
        train(job)
        kl = [line["kl"] for line in read_log(job.log)]
        assert kl[0] == pytest.approx(0, abs=1e-6) and kl[1] > 1e-4


def test_pear_follows_the_author_it_is_told(job_of, tiny: Path, rows: Path, tmp_path: Path) -> None:
    """Another author gives other weights: those of the formula with its probabilities."""
    from synth.students.tiny import save_untrained

    other = save_untrained(tmp_path / "other", seed=9)
    job = job_of("pear", steps=1, train={"pear": {"author": str(other)}})
    train(job)
    own, theirs = (answers(AutoModelForCausalLM.from_pretrained(place), rows) for place in (tiny, other))
    total = torch.tensor(0.0)
    for mine, author in zip(own, theirs, strict=True):
        weights = pear_weights(mine[None], author[None], torch.ones(1, len(mine)), job.train.pear)
        total -= (weights[0] * mine).sum()
    assert losses(job)[0] == pytest.approx(float(total) / sum(map(len, own)), rel=2e-3)


@pytest.mark.parametrize("lora", [None, Lora(r=4)])
@pytest.mark.parametrize("objective", ["response-only", "kto", "orpo", "simpo"])
def test_it_learns(job_of, objective: str, lora: Lora | None) -> None:
    """The loss falls on data seen again and again, and the weights are published with their figures."""
    job = job_of(objective, steps=8, train={"lora": lora, "learning_rate": 5e-3 if lora else 2e-3})
    result = train(job)
    assert result is not None and result.tokens > 0
    log = losses(job)
    assert log[-1] < log[0]
    assert job.finished() == result
    assert (job.output / ("adapter_model.safetensors" if lora else "model.safetensors")).is_file()


@pytest.mark.parametrize("lora", [None, Lora(r=4)])
def test_pear_learns(job_of, tiny: Path, rows: Path, lora: Lora | None) -> None:
    """The answers become likelier. The loss need not fall: its weights grow with them."""
    job = job_of("pear", steps=8, train={"lora": lora, "learning_rate": 5e-3 if lora else 2e-3})
    train(job)
    model = AutoModelForCausalLM.from_pretrained(tiny)
    before = sum(float(found.sum()) for found in answers(model, rows))
    after = (
        PeftModel.from_pretrained(model, job.output)
        if lora
        else AutoModelForCausalLM.from_pretrained(job.output)
    )
    assert sum(float(found.sum()) for found in answers(after, rows)) > before


@pytest.mark.parametrize("objective", ["grpo", "hpt", "prefix-rft"])
def test_it_learns_by_reward(job_of, objective: str) -> None:
    """Attempts are made and judged; the untrained model solves nothing, so HPT shows demonstrations."""
    grpo = ATTEMPTS if objective == "grpo" else HYBRID
    job = job_of(objective, steps=3, train={"grpo": grpo, "batch_size": 8, "learning_rate": 2e-3})
    result = train(job)
    assert result is not None and result.steps == 3
    line = read_log(job.log)[-1]
    assert 0 <= line["reward"] <= 1 and line["answer_tokens"] > 0
    if objective == "hpt":
        assert line["demonstrated"] == 1
        assert losses(job)[0] != 0
    if objective == "prefix-rft":
        assert line["prefix"] > 0


def test_hpt_learns_the_demonstration(job_of, tiny: Path, rows: Path) -> None:
    """Where nobody succeeds it is supervised fine-tuning: the gradient's first step goes the same way."""
    job = job_of("hpt", steps=30, train={"grpo": HYBRID, "batch_size": 16, "learning_rate": 3e-3})
    train(job)
    before, after = (
        -torch.cat(answers(AutoModelForCausalLM.from_pretrained(place), rows)).mean()
        for place in (tiny, job.output)
    )
    assert after < before - 1


def test_a_reward_is_the_verdict_of_the_verifier() -> None:
    """The flow file's own; an attempt without an end is not whole."""
    from synth.students.reward import Reward

    truth = Question.of("copy ab", "ab", kind="word").model_dump_json()
    three = Question.of("?", "", meta={"constraints": [{"type": "punctuation:no_comma", "args": {}}]})
    said = [[{"role": "assistant", "content": text}] for text in ("ab", "ba")]
    reward = Reward("answer")
    reward.ends = frozenset({7})
    assert reward([], said, [[1, 7], [1, 7]], [truth, truth]) == [1.0, 0.0]
    constraints = Reward("constraints")
    constraints.ends = frozenset({7})
    assert constraints([], [said[0], said[0]], [[1, 7], [1, 1]], [three.model_dump_json()] * 2) == [1.0, 0.0]


@pytest.mark.parametrize("objective", ["sft", "dft", "asft", "pear"])
def test_a_step_is_the_same_however_it_is_cut(job_of, objective: str) -> None:
    """16x1, 4x4 and 1x16 rows come to the same loss and the same weights: the mean is over tokens, not
    over micro-batches of different lengths."""
    found = []
    for batch, accumulation in ((16, 1), (4, 4), (1, 16)):
        settings = {"batch_size": batch, "gradient_accumulation": accumulation}
        job = job_of(objective, f"{batch}x{accumulation}", steps=3, train=settings)
        train(job)
        found.append(losses(job))
    assert found[1] == pytest.approx(found[0], rel=1e-3)
    assert found[2] == pytest.approx(found[0], rel=1e-3)


def test_kto_never_holds_an_answer_against_its_own_prompt_by_design(tiny: Path, rows: Path) -> None:
    """Answers are shuffled before batches are cut, and turned by one within each."""
    pairs = load_examples(rows, ("prompt", "chosen", "rejected"))
    made = tokenised(pairs, AutoTokenizer.from_pretrained(tiny), Train(objective="kto"), {}).rows
    alone = unpaired(made, seed=0, batch=4)
    assert sorted(alone["label"]) == [False] * 16 + [True] * 16
    own, turned = alone["completion_ids"][:4], alone["KL_completion_ids"][:4]
    assert turned == own[-1:] + own[:-1]
    assert alone["label"][:16] not in ([True] * 16, [False] * 16)


def test_wrong_rows_and_settings_are_named(job_of, data: Path) -> None:
    """Data without truths, a batch too small for KTO, four bits without a GPU, a tracker not there."""
    with pytest.raises(DataError, match="no column 'truth'"):
        train(job_of("grpo", "rows", data=data, train={"grpo": ATTEMPTS}))
    with pytest.raises(TrainError, match="batch_size 1 leaves none"):
        train(job_of("kto", "one", train={"batch_size": 1}))
    if not torch.cuda.is_available():
        with pytest.raises(TrainError, match="bits: 4 needs a GPU"):
            train(job_of("sft", "bits", train={"lora": Lora(bits=4)}))
    with pytest.raises(TrainError, match="mlflow, which is not installed"):
        train(job_of("sft", "tracked", train={"trackers": ("mlflow",)}))


def test_a_group_is_never_split_over_processes(job_of) -> None:
    """HPT and Prefix-RFT hold the attempts of a group against each other where they are made."""
    job = job_of("hpt", train={"grpo": {**HYBRID, "generations": 8}, "batch_size": 8})
    assert trl_settings(job, 1)["per_device_train_batch_size"] == 8
    with pytest.raises(TrainError, match="each makes 4 attempts a step, and 'hpt' wants whole groups of 8"):
        trl_settings(job, 2)


def test_a_broken_step_names_its_rows(job_of) -> None:
    """Which examples were in the batch, by their place in the file; not after packing, which mixes them."""
    with pytest.raises(TrainError, match=r"it saw rows \d+, \d+ of .*train.jsonl"):
        train(job_of("sft", "nan", steps=9, train={"batch_size": 2, "learning_rate": 1e30}))
    with pytest.raises(TrainError, match=r"it saw rows 1, 2, 3, .*, 15, 16 of"):
        train(job_of("simpo", "all", steps=9, train={"learning_rate": 1e30}))


def test_a_cosine_ends_where_it_is_told(job_of) -> None:
    """`final_rate` is the share of the rate at the last step; RMSprop and other betas are passed on."""
    cosine = {"scheduler": "cosine", "final_rate": 0.5, "optimizer": "rmsprop", "betas": (0.9, 0.95)}
    job = job_of("sft", steps=6, train={**cosine, "learning_rate": 1e-3})
    train(job)
    rates = [line["learning_rate"] for line in read_log(job.log)]
    assert rates[0] == pytest.approx(1e-3) and 5e-4 <= rates[-1] < 6e-4
