"""The trainer's callback: writes the log, ends a broken or futile training, spares a useless checkpoint."""

from __future__ import annotations

import math
from collections import deque
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from synth.errors import TrainError
from synth.students.job import TrainJob
from synth.students.log import StepLog, read_log

__all__ = ["Progress"]

COMMON = ("loss", "learning_rate", "grad_norm")
OF_PAIRS = (
    *("margin", "accuracy", "chosen_logp", "rejected_logp", "chosen_change", "rejected_change"),
    *("pull", "pull_share"),
)
"""Figures of preference training, as `PairTrainer` names them."""
WINDOW = 10
"""Steps whose mean is looked at for whether both answers became less likely; one step is a small sample."""


class Progress(TrainerCallback):  # type: ignore[misc]  # transformers is not typed
    """Only the first process of a distributed training writes; all of them stop together."""

    def __init__(self, job: TrainJob, after: int, writes: bool) -> None:
        self.job, self.after, self.writes = job, after, writes
        self.figures = OF_PAIRS if job.train.objective == "dpo" else ()
        self.recent: deque[dict[str, Any]] = deque(maxlen=WINDOW)
        self.stopped = ""
        """Why training was ended early, if it was."""

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: Any
    ) -> None:
        for line in read_log(self.job.log):
            if line["step"] <= self.after:
                self.recent.append(line)
        # Not earlier: loading the model and the data is no training time.
        if self.writes:
            self.log = StepLog(self.job.log, self.after)

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
                **{name: logs[name] for name in (*COMMON, *self.figures)},
            )
        # The figures are of all processes, so they all come to the same.
        self.recent.append(logs)
        self.stopped = self._both_fall()
        if self.stopped:
            control.should_training_stop = True

    def _both_fall(self) -> str:
        """Why to stop, if both answers became less likely than the settings allow (arXiv 2507.06187)."""
        limit = self.job.train.dpo.stop_when_both_fall
        if not self.figures or limit is None or len(self.recent) < WINDOW:
            return ""
        chosen, rejected = (
            sum(line[f"{side}_change"] for line in self.recent) / WINDOW for side in ("chosen", "rejected")
        )
        if max(chosen, rejected) > -limit:
            return ""
        return (
            f"both answers became less likely: chosen by {-chosen:.3f} and rejected by {-rejected:.3f} nats "
            f"a token over the last {WINDOW} steps, train.dpo.stop_when_both_fall is {limit:g}"
        )
