"""The trainer's callback: writes the log, stops at a broken loss, and spares a useless checkpoint."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from synth.errors import TrainError
from synth.students.log import StepLog

__all__ = ["Progress"]


class Progress(TrainerCallback):  # type: ignore[misc]  # transformers is not typed
    """Only the first process of a distributed training writes."""

    def __init__(self, path: Path, after: int, writes: bool) -> None:
        self.path, self.after, self.writes = path, after, writes

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: Any
    ) -> None:
        # Not earlier: loading the model and the data is no training time.
        if self.writes:
            self.log = StepLog(self.path, self.after)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: Any
    ) -> None:
        # After the last step the weights are saved anyway.
        if state.global_step >= state.max_steps:
            control.should_save = False

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float],
        **more: Any,
    ) -> None:
        if "loss" not in logs:
            return
        for name in ("loss", "grad_norm"):
            if not math.isfinite(logs[name]):
                raise TrainError(
                    f"training step {state.global_step} of {state.max_steps}: {name} is {logs[name]}",
                    f"lower train.learning_rate (now {args.learning_rate:g}); look for odd rows in the data",
                )
        if self.writes:
            self.log.add(
                step=state.global_step,
                tokens=int(logs["num_tokens"]),
                steps=state.max_steps,
                epoch=round(logs["epoch"], 4),
                loss=logs["loss"],
                learning_rate=logs["learning_rate"],
                grad_norm=logs["grad_norm"],
            )
