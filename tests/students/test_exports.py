"""An export goes into TRL's own trainers as it is: their data preparation reads it, nothing is renamed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from synth.engine.folder import RunFolder
from synth.export import Format, export
from synth.records import Message, Sample

ASKED: list[Message] = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "copy abc"}]
FACTS: dict[str, Any] = {"seed_id": "s", "flow": "f", "arm": "fixed", "round": 1}
Load = Callable[[list[Sample], Format], Any]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """What `datasets` makes of an export of these samples."""

    def loaded(samples: list[Sample], form: Format) -> Any:
        import datasets

        run, place = tmp_path / "run", tmp_path / form
        RunFolder.write_lines(run / "rounds/1/data/samples.jsonl", samples)
        export(run, place, form)
        return datasets.load_dataset(str(place), split="train", cache_dir=str(tmp_path / "cache"))

    return loaded


def answers() -> list[Sample]:
    return [
        Sample.sft(ASKED, text, meta={"answer": "abc"}, family="words", **FACTS) for text in ("abc", "ab")
    ]


def pairs() -> list[Sample]:
    return [Sample.pair(ASKED, "abc", text, **FACTS) for text in ("cba", "ab")]


def settings(folder: Path) -> dict[str, Any]:
    return {"output_dir": str(folder), "report_to": [], "use_cpu": True, "per_device_train_batch_size": 2}


def tokenizer_of(tiny: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny)


@pytest.mark.parametrize("form", ["parquet", "jsonl", "messages"])
def test_sft_reads_prompts_with_completions_and_messages(
    form: Format, load: Load, tiny: Path, tmp_path: Path
) -> None:
    """The answer is in what is learned."""
    from trl import SFTConfig, SFTTrainer

    trainer = SFTTrainer(
        model=str(tiny), args=SFTConfig(**settings(tmp_path)), train_dataset=load(answers(), form)
    )
    row = trainer.train_dataset[0]
    words = tokenizer_of(tiny).decode(row["input_ids"])
    assert "Be brief." in words and "copy abc" in words and words.count("abc") == 2
    if form != "messages":
        learned = tokenizer_of(tiny).decode([token for token in row["labels"] if token != -100])
        assert learned.startswith("abc") and "copy" not in learned


@pytest.mark.parametrize("form", ["parquet", "pairs"])
def test_dpo_reads_pairs(form: Format, load: Load, tiny: Path, tmp_path: Path) -> None:
    from trl import DPOConfig, DPOTrainer

    trainer = DPOTrainer(
        model=str(tiny),
        args=DPOConfig(**settings(tmp_path)),
        train_dataset=load(pairs(), form),
        processing_class=tokenizer_of(tiny),
    )
    row = trainer.train_dataset[0]
    sides = [tokenizer_of(tiny).decode(row[name]) for name in ("chosen_ids", "rejected_ids")]
    assert "abc" in sides[0] and "cba" in sides[1]


def test_kto_reads_pairs(load: Load, tiny: Path, tmp_path: Path) -> None:
    """It takes the sides apart itself: a pair is a good and a bad answer."""
    from trl import KTOConfig, KTOTrainer

    trainer = KTOTrainer(
        model=str(tiny),
        args=KTOConfig(**settings(tmp_path)),
        train_dataset=load(pairs(), "pairs"),
        processing_class=tokenizer_of(tiny),
    )
    assert sorted(trainer.train_dataset["label"]) == [False, False, True, True]


def test_grpo_reads_prompts_and_hands_the_truth_to_the_reward(load: Load, tiny: Path, tmp_path: Path) -> None:
    """A step is taken; the reward sees prompt, completion and `ground_truth` by name."""
    from trl import GRPOConfig, GRPOTrainer

    seen: list[tuple[str, str]] = []

    def reward(prompts: list[Any], completions: list[Any], ground_truth: list[str], **_: Any) -> list[float]:
        seen.extend(
            (prompt[-1]["content"], truth) for prompt, truth in zip(prompts, ground_truth, strict=True)
        )
        return [float(len(completion[0]["content"])) for completion in completions]

    args = GRPOConfig(**settings(tmp_path), max_steps=1, num_generations=2, max_completion_length=4)
    trainer = GRPOTrainer(
        model=str(tiny), reward_funcs=reward, args=args, train_dataset=load(answers(), "prompts")
    )
    trainer.train()
    assert set(seen) == {("copy abc", "abc")}
