"""Real training of the tiny model: it learns, its weights load, and a crash costs nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerState

from synth.config.flowfile import Lora, Scratch, Train
from synth.errors import TrainError
from synth.students import launch
from synth.students.job import TrainResult, weights_digest
from synth.students.log import read_log
from synth.students.progress import Progress
from synth.students.scratch import main as make_scratch
from synth.students.scratch import scratch_job
from synth.students.training import train

LINEAR = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}


def losses(path: Path) -> list[float]:
    return [line["loss"] for line in read_log(path)]


def cut_off_after_three(
    self: Progress, args: object, state: TrainerState, control: object, **more: object
) -> None:
    """Stands in for a callback, as if someone pressed Ctrl-C."""
    if state.global_step == 3:
        raise KeyboardInterrupt


def test_all_weights_learn(make_job, tiny: Path) -> None:
    """The loss falls, and what comes out is an ordinary model folder without pickles."""
    job = make_job(model=tiny, train={"lora": None}, steps=20)
    result = train(job)
    assert result is not None
    log = losses(job.log)
    assert len(log) == result.steps == 20
    assert sum(log[-5:]) / 5 < sum(log[:5]) / 5 - 1
    assert result.weights == weights_digest(job.output) != weights_digest(tiny)
    assert result.tokens == read_log(job.log)[-1]["tokens"] > 20 * 4 * 10
    assert job.finished() == result
    names = {path.name for path in job.output.iterdir()}
    assert {"model.safetensors", "config.json", "tokenizer.json", "README.md"} <= names
    assert not {name for name in names if name.endswith((".bin", ".pt", ".pth"))}
    assert not (job.work / "checkpoints").exists()
    AutoTokenizer.from_pretrained(job.output)
    assert AutoModelForCausalLM.from_pretrained(job.output).dtype == torch.float32


def test_adapter_learns_and_loads(make_job, tiny: Path) -> None:
    """The adapter covers the linear layers that vLLM accepts, in the top layers asked for."""
    job = make_job(model=tiny, train={"lora": Lora(r=4, alpha=8, layers=2), "learning_rate": 2e-2}, steps=20)
    result = train(job)
    assert result is not None
    log = losses(job.log)
    assert sum(log[-5:]) / 5 < sum(log[:5]) / 5 - 0.3
    weights = load_file(job.output / "adapter_model.safetensors")
    assert {name.split(".")[-3] for name in weights} == LINEAR
    assert {int(name.split("layers.")[1].split(".")[0]) for name in weights} == {1, 2}
    adapted = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny), job.output)
    assert adapted.peft_config["default"].target_modules == LINEAR
    assert sorted(path.suffix for path in job.output.iterdir() if "adapter" in path.name) == [
        ".json",
        ".safetensors",
    ]


def test_next_round_goes_on_from_the_champion(make_job, tiny: Path) -> None:
    """The second adapter starts where the first ended; training all weights merges it first."""
    shared = {"lora": Lora(r=4, alpha=8), "learning_rate": 2e-2}
    first = make_job("round1", model=tiny, train=shared, steps=15)
    train(first)
    second = make_job("round2", model=tiny, train=shared, steps=2, adapter=first.output)
    train(second)
    merged = make_job("round3", model=tiny, train={"lora": None}, steps=2, adapter=first.output)
    train(merged)
    start, reached = losses(first.log)[0], losses(first.log)[-1]
    assert losses(second.log)[0] < (start + reached) / 2
    assert losses(merged.log)[0] == pytest.approx(losses(second.log)[0], rel=1e-4)
    other = make_job("round4", model=tiny, train={"lora": Lora(r=8)}, steps=2, adapter=first.output)
    with pytest.raises(TrainError, match="r 4 and alpha 8"):
        train(other)


def test_same_seed_same_weights(make_job, tiny: Path) -> None:
    """A run can be repeated to the bit; another seed gives another student."""
    digests = []
    for folder, seed in (("one", 3), ("two", 3), ("three", 4)):
        result = train(make_job(folder, model=tiny, train={"lora": Lora(r=4), "seed": seed}, steps=3))
        assert result is not None
        digests.append(result.weights)
    assert digests[0] == digests[1] != digests[2]


def test_packing_trains_on_the_same_tokens(make_job, tiny: Path) -> None:
    """Packed or not, an epoch shows every token once."""
    results = [
        train(make_job(folder, model=tiny, train={"lora": None, "packing": packing, "max_length": 64}))
        for folder, packing in (("plain", False), ("packed", True))
    ]
    assert all(isinstance(result, TrainResult) for result in results)
    plain, packed = results
    assert plain and packed and plain.tokens == packed.tokens and packed.steps < plain.steps


def test_packed_examples_do_not_see_each_other(make_job, tiny: Path) -> None:
    """All of them in one sequence have the loss they have apart; seen across, it would be another."""
    for objective in ("sft", "dft"):
        found = []
        for packing, batch in ((False, 120), (True, 1)):
            settings = {"objective": objective, "lora": None, "packing": packing, "batch_size": batch}
            job = make_job(
                f"{objective}{packing}", model=tiny, train={**settings, "max_length": 8192}, steps=1
            )
            train(job)
            found.append(losses(job.log)[0])
        assert found[1] == pytest.approx(found[0], rel=1e-4)


def test_batches_of_equal_lengths_hold_every_example(make_job, tiny: Path) -> None:
    """Grouping by length changes the order and nothing of what is seen."""
    plain, grouped = (
        train(make_job(name, model=tiny, train={"lora": None, "batch_size": 40, "group_by_length": on}))
        for name, on in (("plain", False), ("grouped", True))
    )
    assert plain is not None and grouped is not None
    assert (plain.steps, plain.tokens) == (grouped.steps, grouped.tokens)
    assert plain.weights != grouped.weights


def test_broken_loss_stops_training(make_job, tiny: Path) -> None:
    """A loss that is not a number would go on for hours and make useless weights."""
    job = make_job(model=tiny, train={"lora": None, "learning_rate": 1e30}, steps=20)
    with pytest.raises(TrainError, match=r"step \d+ of 20: (loss|grad_norm) is") as caught:
        train(job)
    assert "train.learning_rate" in caught.value.cure
    assert not job.output.exists()


async def test_killed_training_goes_on(make_job, tiny: Path) -> None:
    """After kill -9 the same job ends with the very weights of an undisturbed one."""
    settings = {"lora": Lora(r=4), "batch_size": 2, "save_steps": 10}
    job = make_job("killed", model=tiny, train=settings, steps=80)
    reached = asyncio.Event()

    def watch(line: dict[str, int]) -> None:
        if line["step"] > 12:
            reached.set()

    # Cancelling kills the process with SIGKILL.
    task = asyncio.create_task(launch.train(job, watch))
    await asyncio.wait_for(reached.wait(), 120)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    done = len(losses(job.log))
    assert 12 < done < 80
    assert not job.output.exists()
    seen: list[int] = []
    resumed = await launch.train(job, lambda line: seen.append(line["step"]))
    assert seen == [line["step"] for line in read_log(job.log)] == list(range(1, 81))
    undisturbed = train(make_job("undisturbed", model=tiny, train=settings, steps=80))
    assert undisturbed is not None
    assert resumed.weights == undisturbed.weights
    assert resumed.tokens == undisturbed.tokens


def test_scratch_student_is_made(tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiny student is an ordinary model folder; cut off and done again, it is the same one."""
    jobs = [
        scratch_job(
            Scratch(scratch="tiny", steps=4), data, tmp_path / name, tmp_path / f"{name}-work"
        ).model_copy(update={"train": Train(lora=None, batch_size=4, save_steps=2, threads=1)})
        for name in ("whole", "cut")
    ]
    make_scratch(jobs[0])
    with monkeypatch.context() as patch:
        patch.setattr(Progress, "on_step_begin", cut_off_after_three)
        with pytest.raises(KeyboardInterrupt):
            make_scratch(jobs[1])
    make_scratch(jobs[1])
    assert [line["step"] for line in read_log(jobs[1].log)] == [1, 2, 3, 4]
    whole, cut = (job.finished() for job in jobs)
    assert whole and cut and whole.weights == cut.weights
    tokenizer = AutoTokenizer.from_pretrained(jobs[0].output)
    model = AutoModelForCausalLM.from_pretrained(jobs[0].output)
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": "copy ab"}],
        add_generation_prompt=True,
        return_dict=True,
        return_tensors="pt",
    )
    assert tokenizer.decode(prompt["input_ids"][0]) == "<|user|>copy ab<|end|><|assistant|>"
    assert model.generate(**prompt, max_new_tokens=2).shape[1] > prompt["input_ids"].shape[1]
