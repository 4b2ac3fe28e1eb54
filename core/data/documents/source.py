"""Where documents come from, as a flow file says it."""

from __future__ import annotations

from pydantic import Field

from synth.config.flowfile import Strict

__all__ = ["DocumentSource"]


class DocumentSource(Strict):
    """A folder, a file, a jsonl of texts, a data set of the hub, or the model itself."""

    source: str
    """A folder or file of documents, a `.jsonl` file, an fsspec URL of such, `hub:owner/name`, or `magpie`:
    user turns that a model makes up from the start of its chat template alone (arXiv 2406.08464)."""
    include: tuple[str, ...] = ("**/*",)
    """Files of a folder to read, as globs relative to it."""
    exclude: tuple[str, ...] = ()
    """Files to leave out, as globs."""
    text: str = "text"
    """Field of a row that holds the text (jsonl and hub)."""
    licence: str = ""
    """Licence of everything here that does not say its own."""
    licences: dict[str, str] = Field(default_factory=dict)
    """Glob -> licence, for a folder with parts of different origin; the first that fits is taken."""
    licence_field: str | None = None
    """Field of a row that holds its licence."""
    split: str = "train"
    """Split of a hub data set."""
    config: str | None = None
    """Configuration (subset) of a hub data set."""
    size: int | None = Field(default=None, gt=0)
    """Most documents to read; for `magpie` the number of turns to sample."""
    role: str = "teacher"
    """Who makes up turns, for `magpie`."""
    prefix: str = "<|im_start|>user\n"
    """What the chat template puts before a user's turn, for `magpie`: ChatML by default."""
    stop: tuple[str, ...] = ("<|im_end|>", "\n")
    """Where a made-up turn ends, for `magpie`: at a line's end in the paper."""
    temperature: float = Field(default=1.0, ge=0)
    """Of made-up turns, for `magpie`; 1 in the paper."""
