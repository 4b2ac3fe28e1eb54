"""How likely every token of the answers was to the model that wrote them; what PEAR weighs tokens by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from synth.errors import TrainError
from synth.students.job import TrainJob

__all__ = ["AUTHOR", "WithAuthor", "with_author"]

AUTHOR = "author_logps"
"""Column, and key of a batch: log-probability of each next token to the author, 0 where none is learnt."""


def with_author(rows: Dataset, job: TrainJob, start: Any) -> Dataset:
    """The rows with the author's log-probabilities, taken once before the first step.

    The author is `start`, the model as the training finds it, or the one that the settings name.
    Raises `TrainError` for one with other tokens.
    """
    author = _other(Path(job.train.pear.author), job) if job.train.pear.author else start
    device = "cuda" if torch.cuda.is_available() else "cpu"
    author.to(device).eval()

    def look(row: dict[str, Any]) -> dict[str, list[float]]:
        ids = torch.tensor([row["input_ids"]], device=device)
        with torch.no_grad():
            logits = author(input_ids=ids, use_cache=False).logits[0, :-1].float()
        picked = logits.log_softmax(-1).gather(1, ids[0, 1:, None])[:, 0].cpu()
        return {AUTHOR: (picked * torch.tensor(row["completion_mask"][1:])).tolist()}

    # Named, or all weights would be hashed for a name.
    made = rows.map(look, new_fingerprint=f"author-{job.fingerprint()}")
    start.train()
    return made


def _other(folder: Path, job: TrainJob) -> PreTrainedModel:
    if not folder.is_dir():
        raise TrainError(f"train.pear.author: there is no folder {folder}", "name the folder of a model")
    own, other = (AutoTokenizer.from_pretrained(place).get_vocab() for place in (job.model, folder))
    if own != other:
        raise TrainError(
            f"train.pear.author: {folder} has other tokens than the student; its probabilities say nothing",
            "name a model of the student's family, or leave it out",
        )
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, use_safetensors=True)


class WithAuthor:
    """A collator, and the author's log-probabilities padded to its batches."""

    def __init__(self, collate: Callable[[Sequence[Any]], Any]) -> None:
        self.collate = collate

    def __call__(self, examples: Sequence[dict[str, Any]]) -> Any:
        batch = self.collate([{n: value for n, value in one.items() if n != AUTHOR} for one in examples])
        width = batch["input_ids"].shape[1] - 1
        padded = [one[AUTHOR] + [0.0] * (width - len(one[AUTHOR])) for one in examples]
        batch[AUTHOR] = torch.tensor(padded)
        return batch
