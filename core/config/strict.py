"""The base of every section of a flow file."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["Strict"]


class Strict(BaseModel):
    """Base of every section: unknown keys are refused.

    A validator's message is "what is wrong; what to do", in plain words.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
