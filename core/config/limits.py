"""What a run may cost, and what failures it puts up with."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from synth.config.strict import Strict

__all__ = ["Budget", "ErrorBudget", "OnError", "Prices", "TokenPrice"]


class TokenPrice(Strict):
    """What a role's calls cost, in money per million tokens."""

    prompt: float = Field(default=0.0, ge=0)
    """Money per million prompt tokens."""
    completion: float = Field(default=0.0, ge=0)
    """Money per million completion tokens."""


class Prices(Strict):
    """What calls cost: for the ledger, for `budget.money` and for `synth plan`."""

    currency: str = "USD"
    """What money is called; all prices are in it."""
    gpu_hour: float = Field(default=0.0, ge=0)
    """Money for one GPU for one hour, counted while the run works with local models on GPUs."""
    tokens: dict[str, TokenPrice] = Field(default_factory=dict)
    """Role or model name -> money per million tokens; a role's price goes before its model's."""

    @property
    def known(self) -> bool:
        """Whether anything has a price."""
        return bool(self.tokens) or self.gpu_hour > 0


class Budget(Strict):
    """Hard limits; the run stops at a clean point and goes on when they are raised."""

    tokens: int | None = Field(default=None, gt=0)
    """Prompt plus completion tokens of all paid calls."""
    hours: float | None = Field(default=None, gt=0)
    """Hours of work, added up over all starts of the run; the time between them does not count."""
    money: float | None = Field(default=None, gt=0)
    """Money in the currency of `prices`, for tokens and GPU-hours."""
    train_tokens: int | None = Field(default=None, gt=0)
    """Tokens of training data a round may use; arms compared at equal size share it."""


class ErrorBudget(Strict):
    """A share of records that may fail before a stage stops."""

    budget: Annotated[str, Field(pattern=r"^\d{1,3}(\.\d+)?\s?%$")]
    """Such as `5%`."""

    @property
    def share(self) -> float:
        """The budget as a share, 0..1."""
        return float(self.budget.rstrip("% ")) / 100


OnError = Literal["stop", "continue"] | ErrorBudget
