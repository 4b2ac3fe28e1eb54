"""The objectives on the same data, and how long our training takes beside TRL alone.

`python -m benchmarks.training objectives` trains the tiny student by every objective from the same
start on the same rows; `python -m benchmarks.training ratio` does one supervised job twice, by TRL's own
trainer on the rows as they are and by ours, in processes of their own, in turn. Both load torch and
take minutes, so they run alone only.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from benchmarks.table import Row, show

__all__ = ["main"]

PAIRS = ("dpo", "kto", "orpo", "simpo")
REWARDED = ("grpo", "prefix-rft", "hpt")
OBJECTIVES = ("sft", "dft", "asft", "pear", "response-only", *PAIRS, *REWARDED)
WARM, STEPS, BATCH, ROWS, HELD_OUT = 250, 60, 32, 1024, 200
"""Steps of the common start, steps of an objective, rows a step, rows, questions of the exam."""
RATES = {
    "dpo": (3e-4, 3e-5),
    "kto": (3e-4, 3e-5),
    "orpo": (1e-3, 1e-4),
    "simpo": (3e-4, 3e-5),
    "grpo": (5e-4, 5e-5),
    "prefix-rft": (5e-4, 5e-5),
    "hpt": (5e-4, 5e-5),
}
"""Learning rates of the objectives that want a lower one than `RATE`; all are shown."""
RATE = 2e-3
TIMES = 3


def rows(count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Words to be copied or written backwards, with a wrong answer and the truth beside the right one."""
    from synth.records import Question

    draw = random.Random(seed)
    for _ in range(count):
        word = "".join(draw.choices("abcdefgh", k=draw.randint(3, 5)))
        backwards = draw.random() < 0.5
        asked, right, wrong = f"reverse {word}", word[::-1], word
        if not backwards:
            asked, right, wrong = f"copy {word}", word, word[::-1] + draw.choice("abcdefgh")
        sides = {"completion": right, "chosen": right, "rejected": wrong if wrong != right else wrong + "a"}
        answers = {side: [{"role": "assistant", "content": text}] for side, text in sides.items()}
        truth = Question.of(asked, right, kind="word").model_dump_json()
        yield {"prompt": [{"role": "user", "content": asked}], **answers, "truth": truth}


def write(path: Path, found: Iterator[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in found))
    return path


def job(objective: str, model: Path, data: Path, place: Path, steps: int, **settings: Any) -> Any:
    """Of all weights, at a batch of `BATCH` rows or attempts."""
    from synth.config import Train
    from synth.students.job import TrainJob

    given: dict[str, Any] = {
        "objective": objective,
        "lora": None,
        "batch_size": BATCH,
        "seed": 1,
        "threads": 2,
    }
    if objective in REWARDED:
        given["grpo"] = {"generations": 8, "max_tokens": 8}
        given["grpo"] |= {} if objective == "grpo" else {"loss": "dr_grpo", "scale": "none"}
    train = Train.model_validate({**given, **settings})
    return TrainJob(
        model=model, data=data, output=place / "student", work=place / "work", train=train, steps=steps
    )


def accuracy(model: Path, asked: list[dict[str, Any]]) -> float:
    """Share of held-out questions answered right, greedily."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model, padding_side="left")
    student = AutoModelForCausalLM.from_pretrained(model).eval()
    prompts = [
        tokenizer.apply_chat_template(r["prompt"], add_generation_prompt=True, tokenize=False) for r in asked
    ]
    batch = tokenizer(prompts, padding=True, add_special_tokens=False, return_tensors="pt")
    with torch.no_grad():
        made = student.generate(**batch, max_new_tokens=8, do_sample=False)
    said = tokenizer.batch_decode(made[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)
    return sum(t.strip() == r["completion"][0]["content"] for t, r in zip(said, asked, strict=True)) / len(
        asked
    )


def objectives(names: list[str]) -> None:
    """Every objective from one start: first and last losses, held-out accuracy, seconds."""
    from synth.students.log import read_log
    from synth.students.tiny import save_untrained
    from synth.students.training import train

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        data, held_out = write(root / "train.jsonl", rows(ROWS, 1)), list(rows(HELD_OUT, 2))
        start = job(
            "sft", save_untrained(root / "untrained", 0), data, root / "start", WARM, learning_rate=5e-3
        )
        train(start)
        print("| objective | rate | loss, first and last tenth | held-out accuracy | seconds |")
        print("|---|---:|---|---:|---:|")
        print(f"| (start) | | | {accuracy(start.output, held_out):.1%} | |", flush=True)
        for name, rate in ((each, rate) for each in names for rate in RATES.get(each, (RATE,))):
            one = job(name, start.output, data, root / f"{name}-{rate:g}", STEPS, learning_rate=rate)
            result = train(one)
            assert result is not None
            losses = [line["loss"] for line in read_log(one.log)][: STEPS // 10]
            first = sum(losses) / len(losses)
            after = accuracy(one.output, held_out)
            print(
                f"| `{name}` | {rate:g} | {first:.3f} → {result.loss:.3f} | {after:.1%} |"
                f" {result.seconds:.0f} |",
                flush=True,
            )


def by_trl(model: Path, data: Path, place: Path) -> None:
    """The same supervised job by TRL alone: its own trainer, templates and collator."""
    import torch
    from datasets import load_dataset
    from transformers import AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    torch.set_num_threads(2)
    found = load_dataset("json", data_files=str(data), split="train", cache_dir=str(place / "cache"))
    trainer = SFTTrainer(
        str(model),
        SFTConfig(
            output_dir=str(place / "trl"),
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            per_device_train_batch_size=BATCH,
            max_steps=STEPS * 2,
            learning_rate=2e-3,
            lr_scheduler_type="cosine",
            warmup_steps=0.03,
            max_length=1024,
            completion_only_loss=True,
            logging_steps=1,
            save_steps=50,
            save_total_limit=1,
            seed=1,
            disable_tqdm=True,
            report_to="none",
        ),
        train_dataset=found.select_columns(["prompt", "completion"]),
        processing_class=AutoTokenizer.from_pretrained(model),
    )
    trainer.train()
    trainer.save_model(str(place / "trained"))


class Times(NamedTuple):
    """Seconds of a process from its start to its end: by the clock, and of all cores together."""

    wall: float
    cpu: float


@contextmanager
def timed(into: list[Times]) -> Iterator[None]:
    """What the processes started inside, and waited for, took."""
    began, spent = time.monotonic(), _spent()
    yield
    into.append(Times(time.monotonic() - began, _spent() - spent))


def _spent() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def ratio() -> list[Row]:
    """Seconds of the whole process, ours and TRL's in turn, each from a folder of its own."""
    from synth.students.launch import train
    from synth.students.tiny import save_untrained

    ours: list[Times] = []
    theirs: list[Times] = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        data, model = write(root / "train.jsonl", rows(ROWS, 1)), save_untrained(root / "untrained", 0)
        for number in range(TIMES):
            place = root / str(number)
            place.mkdir()
            command = [
                sys.executable,
                "-m",
                "benchmarks.training",
                "--trl",
                str(model),
                str(data),
                str(place),
            ]
            with timed(theirs):
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            with timed(ours):
                asyncio.run(train(job("sft", model, data, place / "ours", STEPS * 2, learning_rate=2e-3)))
    what = f"the same {STEPS * 2} steps of supervised training, ours and TRL alone (median of {TIMES})"
    return [
        _compared(f"{what}, by the clock", [one.wall for one in ours], [one.wall for one in theirs]),
        _compared(f"{what}, CPU time", [one.cpu for one in ours], [one.cpu for one in theirs]),
    ]


def _compared(what: str, ours: list[float], theirs: list[float]) -> Row:
    one, other = median(ours), median(theirs)
    return Row(
        what, f"{one:.1f} s and {other:.1f} s, {one / other:.2f} times", "<= 1.1 times", one <= 1.1 * other
    )


def main(arguments: list[str]) -> int:
    """Measure, or do the measured work."""
    os.environ.update({"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "TQDM_DISABLE": "1"})
    if arguments[:1] == ["--trl"]:
        by_trl(*(Path(one) for one in arguments[1:4]))
        return 0
    if arguments[:1] == ["ratio"]:
        return 0 if show(ratio()) else 1
    objectives(arguments[1:] or list(OBJECTIVES))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
