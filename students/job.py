"""What a training process is asked, and what it answers: the two files between it and the flow."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from synth.config.flowfile import Train
from synth.errors import DataError
from synth.records import content_id

__all__ = ["Job", "TrainJob", "TrainResult", "decisive", "digest", "weights_digest", "write_file"]

ASIDE: dict[str, Any] = {name: True for name in ("data", "output", "work", "adapter", "name", "launch")}
ASIDE["train"] = {name: True for name in ("threads", "save_steps", "recipe", "launch", "trackers")}
ASIDE["train"]["dpo"] = {"gradient_pairs": True, "pull_at": True}
"""What of a job has no part in the weights, or has it by its content."""
SINCE = (
    *("kto", "orpo", "simpo", "asft", "pear", "grpo", "prefix_rft", "hpt"),
    *("final_rate", "optimizer", "betas", "loss_on", "verifier", "trainer", "group_by_length", "overlong"),
)
"""Settings that came later: at their defaults they leave a fingerprint as it was before them."""


class TrainResult(BaseModel):
    """What a finished training says of itself; `train/result.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    job: str
    """Fingerprint of the job it answers."""
    output: Path
    """Folder of the trained weights."""
    weights: str
    """SHA-256 of the weights, as of `cat *.safetensors | sha256sum`."""
    steps: int
    """Optimiser steps, those before a crash included."""
    examples: int
    """Rows trained on."""
    left_out: int
    """Rows longer than `max_length` tokens, not trained on."""
    tokens: int
    """Tokens seen, prompts included, padding not."""
    seconds: float
    """Time spent training, loading not included."""
    loss: float
    """Mean over the last tenth of the steps."""
    figures: dict[str, float] = Field(default_factory=dict)
    """The objective's own figures, likewise."""
    stopped: str = ""
    """Why training ended before its last step, if it did."""


class Job(BaseModel):
    """What any process of the students' is asked: where its result goes, and the files beside it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    output: Path
    """Folder of the weights that are made. It appears whole or not at all."""
    work: Path
    """Folder of checkpoints, logs and the result."""

    @property
    def file(self) -> Path:
        """The job itself."""
        return self.work / "job.json"

    @property
    def log(self) -> Path:
        """One line an optimiser step."""
        return self.work / "log.jsonl"

    @property
    def printed(self) -> Path:
        """What the process printed."""
        return self.work / "output.log"

    @property
    def report(self) -> Path:
        """The `TrainResult`."""
        return self.work / "result.json"

    @property
    def error(self) -> Path:
        """What went wrong and the cure, where the process could say so."""
        return self.work / "error.json"


class TrainJob(Job):
    """Everything a training process needs to know. Paths may be relative to its directory."""

    model: Path
    """Folder of the base model."""
    data: Path
    """Rows with `prompt` and `completion`, or `prompt`, `chosen` and `rejected`: lists of messages
    each; parquet or jsonl. A column `unfinished` may name answers that have no end."""
    train: Train = Train()
    adapter: Path | None = None
    """LoRA adapter to go on from; when all weights are trained it is merged in first."""
    steps: int | None = Field(default=None, gt=0)
    """Optimiser steps, instead of `train.epochs`."""
    template_options: dict[str, Any] = Field(default_factory=dict)
    """Variables for the chat template, such as `{"enable_thinking": false}`."""
    launch: Path | None = None
    """Configuration of `accelerate` for several processes; left out, one, or one a GPU."""
    verifier: str = "answer"
    """Who says what an attempt is worth, where the objective learns by reward; as in a flow file."""
    name: str = ""
    """What the model card calls the base model; its folder's name when empty."""

    @property
    def checkpoints(self) -> Path:
        """Checkpoints of this very job; another fingerprint has another folder."""
        return self.work / "checkpoints" / self.fingerprint()

    def fingerprint(self) -> str:
        """Hash of all that decides the weights: settings, model, content of data and adapter.

        Raises `DataError` if the data cannot be read.
        """
        settings = _before(self.model_dump(mode="json", exclude=ASIDE), self)
        settings["train"] = decisive(self.train)
        adapter = weights_digest(self.adapter) if self.adapter else ""
        try:
            return content_id([settings, adapter, digest([self.data])])
        except OSError as error:
            raise DataError(
                f"reading the training data {self.data}: {error.strerror}",
                "check that the file is there and readable",
            ) from error

    def finished(self) -> TrainResult | None:
        """The result if this very job was done before and its weights are still there."""
        if not self.output.is_dir() or not self.report.is_file():
            return None
        try:
            result = TrainResult.model_validate_json(self.report.read_bytes())
        except ValidationError:
            return None
        if result.job != self.fingerprint():
            return None
        return result.model_copy(update={"output": self.output})


def decisive(train: Train) -> dict[str, Any]:
    """The settings of a training that have a part in the weights."""
    settings = _before(train.model_dump(mode="json", exclude=ASIDE["train"]), train)
    if settings["lora"] and settings["lora"]["bits"] is None:
        del settings["lora"]["bits"]
    return settings


def _before(settings: dict[str, Any], model: BaseModel) -> dict[str, Any]:
    """The settings without those that came since and are at their defaults."""
    set_otherwise = model.model_dump(mode="json", exclude_defaults=True)
    return {name: value for name, value in settings.items() if name not in SINCE or name in set_otherwise}


def digest(files: Iterable[Path]) -> str:
    """SHA-256 of the files' bytes, one after another, in hex."""
    total = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                total.update(block)
    return total.hexdigest()


def weights_digest(folder: Path) -> str:
    """SHA-256 over a folder's safetensors files in the order of their names."""
    return digest(sorted(folder.glob("*.safetensors")))


def write_file(path: Path, text: str) -> None:
    """Write so that a reader sees the old content or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
