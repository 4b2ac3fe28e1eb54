"""Tokens a second of our training, beside TRL's own trainer on the same rows with the same settings."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.serving import questions
from benchmarks.table import Row

__all__ = ["measured_training", "rows_of"]

RANK, RATE, LENGTH = 16, 1e-4, 1024
ANSWER = "Everyone had understood something else, and each of them told it in turn, as long as it took. " * 12


def measured_training(model: Path, rows: int, batch: int) -> list[Row]:
    """One supervised epoch with an adapter, by both, in processes of their own; loading is not counted."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        data = place / "train.jsonl"
        data.write_text("".join(json.dumps(row) + "\n" for row in rows_of(rows)))
        ours = _ours(model, data, place, batch)
        theirs = _theirs(model, data, place, batch)
    what = f"{rows} rows, {batch} at once, an adapter of rank {RANK}"
    return [
        Row(f"training by TRL's own trainer, tokens a second ({what})", f"{theirs:,.0f}"),
        Row(
            "training as a round does it",
            f"{ours:,.0f}, {ours / theirs:.2f} times",
            ">= 0.95 times",
            ours >= 0.95 * theirs,
        ),
    ]


def rows_of(count: int) -> list[dict[str, object]]:
    """Prompts of some 200 tokens with answers of about as many."""
    return [
        {
            "prompt": [{"role": "user", "content": one.question}],
            "completion": [{"role": "assistant", "content": ANSWER}],
        }
        for one in questions(count)
    ]


def _ours(model: Path, data: Path, place: Path, batch: int) -> float:
    from synth.config import Lora, Train
    from synth.students.job import TrainJob
    from synth.students.launch import train

    settings = Train(
        lora=Lora(r=RANK),
        learning_rate=RATE,
        batch_size=batch,
        max_length=LENGTH,
        save_steps=10_000,
    )
    job = TrainJob(model=model, data=data, output=place / "ours", work=place / "work", train=settings)
    result = asyncio.run(train(job))
    return result.tokens / result.seconds


def _theirs(model: Path, data: Path, place: Path, batch: int) -> float:
    command = [sys.executable, "-m", "benchmarks.gpu_training", str(model), str(data), str(place), str(batch)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return float((place / "theirs").read_text())


def _by_trl(model: Path, data: Path, place: Path, batch: int) -> None:
    """TRL alone: its templates, its collator, its logging once a step."""
    import torch
    from datasets import load_dataset
    from peft import LoraConfig
    from transformers import AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    gpu = torch.cuda.is_available()
    rows = load_dataset("json", data_files=str(data), split="train", cache_dir=str(place / "cache"))
    trainer = SFTTrainer(
        str(model),
        SFTConfig(
            output_dir=str(place / "trl"),
            use_cpu=not gpu,
            bf16=gpu,
            gradient_checkpointing=gpu,
            model_init_kwargs={"dtype": "bfloat16" if gpu else "float32"},
            per_device_train_batch_size=batch,
            num_train_epochs=1,
            learning_rate=RATE,
            max_length=LENGTH,
            completion_only_loss=True,
            logging_steps=1,
            save_strategy="no",
            disable_tqdm=True,
            report_to="none",
        ),
        train_dataset=rows,
        processing_class=AutoTokenizer.from_pretrained(model),
        peft_config=LoraConfig(
            r=RANK, lora_alpha=2 * RANK, target_modules="all-linear", task_type="CAUSAL_LM"
        ),
    )
    result = trainer.train()
    tokens = max(line.get("num_tokens", 0) for line in trainer.state.log_history)
    (place / "theirs").write_text(str(tokens / result.metrics["train_runtime"]))


if __name__ == "__main__":
    _by_trl(*(Path(one) for one in sys.argv[1:4]), int(sys.argv[4]))
