"""Which rows of its file a training step saw, so that a broken step can name them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from synth.students.tokens import ROW

__all__ = ["Traced", "trace"]


class Traced:
    """Mixed into a trainer before TRL's: keeps the column of row numbers and notes it at every step."""

    step_rows: list[int]
    """Rows of the optimiser step that runs, in this process."""

    def _set_signature_columns_if_needed(self) -> None:
        super()._set_signature_columns_if_needed()  # type: ignore[misc]
        self._signature_columns: list[str]
        if ROW not in self._signature_columns:
            self._signature_columns.append(ROW)

    def training_step(self, model: Any, inputs: Any, *rest: Any, **more: Any) -> torch.Tensor:
        if isinstance(inputs, dict) and ROW in inputs:
            self.step_rows += inputs.pop(ROW).tolist()
        elif isinstance(inputs, list):
            self.step_rows += [row[ROW] for row in inputs]
        loss: torch.Tensor = super().training_step(model, inputs, *rest, **more)  # type: ignore[misc]
        return loss


def trace(trainer: Any) -> None:
    """Have a `Traced` trainer's batches carry their rows' numbers; after packing there are none."""
    trainer.step_rows = []
    if trainer.data_collator is not None and ROW in trainer.train_dataset.column_names:
        trainer.data_collator = _Numbered(trainer.data_collator)


class _Numbered:
    """A collator, and the numbers beside what it makes."""

    def __init__(self, collate: Callable[[Sequence[Any]], Any]) -> None:
        self.collate = collate

    def __call__(self, examples: Sequence[dict[str, Any]]) -> Any:
        batch = self.collate(
            [{name: value for name, value in one.items() if name != ROW} for one in examples]
        )
        batch[ROW] = torch.tensor([one[ROW] for one in examples])
        return batch
