"""The trainer's callback: writes the log, ends a broken or futile training, spares a useless checkpoint."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from synth.config.objectives import NEEDS, Objective
from synth.errors import TrainError
from synth.students.job import TrainJob
from synth.students.log import StepLog, read_log

__all__ = ["FIGURES", "Progress"]

COMMON = ("loss", "learning_rate", "grad_norm")
_PAIRS = (
    *("margin", "accuracy", "chosen_logp", "rejected_logp", "chosen_change", "rejected_change"),
    *("pull", "pull_share", "gradient_difference"),
)
_MARGIN = {
    "margin": "rewards/margins",
    "chosen_logp": "logps/chosen",
    "rejected_logp": "logps/rejected",
}
_REWARD = {
    "reward": "reward",
    "reward_std": "reward_std",
    "undecided": "frac_reward_zero_std",
    "answer_tokens": "completions/mean_length",
    "cut_off": "completions/clipped_ratio",
    "entropy": "entropy",
}
FIGURES: dict[Objective, dict[str, str]] = {
    "asft": {"kl": "kl"},
    "pear": {"weight": "weight"},
    "dpo": {name: name for name in _PAIRS},
    "kto": {**_MARGIN, "kl": "kl"},
    "orpo": {**_MARGIN, "accuracy": "rewards/accuracies", "nll": "nll_loss"},
    "simpo": {**_MARGIN, "accuracy": "rewards/accuracies"},
    "grpo": _REWARD,
    "prefix-rft": {**_REWARD, "prefix": "prefix"},
    "hpt": {**_REWARD, "demonstrated": "demonstrated"},
}
"""Objective -> its own figures in the log: our name, and the trainer's."""
WINDOW = 10
"""Steps whose mean is looked at for whether a training goes astray; one step is a small sample."""
TIMES, NATS = 2.0, 1.0
"""A loss diverges where the last steps' mean is so many times the first steps', and so much more than it."""
NAMED = 20
"""Rows a message names at most."""


class Progress(TrainerCallback):  # type: ignore[misc]  # transformers is not typed
    """Only the first process of a distributed training writes; all of them stop together."""

    def __init__(self, job: TrainJob, after: int, writes: bool, rows: Callable[[], list[int]] = list) -> None:
        self.job, self.after, self.writes, self.rows = job, after, writes, rows
        self.figures = FIGURES.get(job.train.objective, {})
        self.first: list[float] = []
        self.recent: deque[dict[str, Any]] = deque(maxlen=WINDOW)
        self.seen: deque[list[int]] = deque(maxlen=WINDOW)
        self.stopped = ""
        """Why training was ended early, if it was."""

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: Any
    ) -> None:
        for line in read_log(self.job.log):
            if line["step"] <= self.after:
                self.recent.append(line)
                self._begin_with(line["loss"])
        # Not earlier: loading the model and the data is no training time.
        if self.writes:
            self.log = StepLog(self.job.log, self.after)

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: Any
    ) -> None:
        self.rows().clear()

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
                    f"training step {state.global_step} of {state.max_steps}: {name} is {logs[name]}"
                    f"{self._rows(self.rows())}",
                    f"lower train.learning_rate (now {self.job.train.learning_rate:g}); look at those rows",
                )
        own = {ours: logs[theirs] for ours, theirs in self.figures.items() if theirs in logs}
        if self.writes:
            self.log.add(
                step=state.global_step,
                # TRL's trainers count them; of others transformers does, if asked to.
                tokens=int(logs.get("num_tokens", state.num_input_tokens_seen)),
                steps=state.max_steps,
                epoch=round(logs["epoch"], 4),
                **{name: logs[name] for name in COMMON},
                **own,
            )
        # The figures are of all processes, so they all come to the same.
        self.recent.append({**logs, **own})
        self.seen.append(list(self.rows()))
        self._begin_with(logs["loss"])
        self._diverged(state)
        self.stopped = self._both_fall()
        if self.stopped:
            control.should_training_stop = True

    def _begin_with(self, loss: float) -> None:
        if len(self.first) < WINDOW:
            self.first.append(loss)

    def _rows(self, rows: list[int]) -> str:
        """Which rows a step was made of, in words; empty where it is not known, as after packing."""
        if not rows:
            return ""
        numbers = sorted(dict.fromkeys(row + 1 for row in rows))
        shown = ", ".join(map(str, numbers[:NAMED])) + (", ..." if len(numbers) > NAMED else "")
        return f"; it saw row{'s' if len(numbers) > 1 else ''} {shown} of {self.job.data}"

    def _diverged(self, state: TrainerState) -> None:
        """Raises `TrainError` where the loss has become much worse than it was at first.

        A loss by reward is not looked at: it hovers around 0 and says nothing of how well it goes.
        """
        if NEEDS[self.job.train.objective] in ("truths", "demonstrations") or state.global_step <= WINDOW:
            return
        first, losses = sum(self.first) / len(self.first), [line["loss"] for line in self.recent]
        now = sum(losses) / len(losses)
        if len(losses) < WINDOW or now <= max(TIMES * first, first + NATS):
            return
        worst = max(range(len(self.seen)), key=lambda at: losses[at - len(self.seen)])
        raise TrainError(
            f"training step {state.global_step} of {state.max_steps}: the loss has risen from {first:.3g} to "
            f"{now:.3g} (means of {WINDOW} steps); the worst of these steps had {max(losses):.3g}"
            f"{self._rows(self.seen[worst])}",
            f"lower train.learning_rate (now {self.job.train.learning_rate:g}) or raise train.warmup_ratio; "
            "look at those rows",
        )

    def _both_fall(self) -> str:
        """Why to stop, if both answers became less likely than the settings allow (arXiv 2507.06187)."""
        limit = self.job.train.dpo.stop_when_both_fall
        if self.job.train.objective != "dpo" or limit is None or len(self.recent) < WINDOW:
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
