"""Questions from a data set of the hub, streamed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from synth.config.flowfile import DataSource
from synth.data.rows import to_question
from synth.errors import DataError
from synth.records import Question

__all__ = ["hub_questions", "hub_rows"]


def hub_questions(source: DataSource) -> Iterator[Question]:
    """The rows of `hub:owner/name`. Raises `DataError`: no network, no such set, split or field."""
    for row, where, label in hub_rows(source):
        yield to_question(row, source, where, label)


def hub_rows(source: DataSource) -> Iterator[tuple[Mapping[str, Any], str, str]]:
    """The rows of `hub:owner/name`, each with its place for errors and its label for lineages."""
    name = source.source.removeprefix("hub:")
    for number, row in enumerate(_rows(name, source), 1):
        where = f"hub data set {name}, split {source.split}, row {number}"
        yield row, where, f"{source.source}/{source.split}:{number}"


def _rows(name: str, source: DataSource) -> Iterator[Mapping[str, Any]]:
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # read when the client is imported
    # Lazy: importing it takes a second, and files and task families do without.
    import datasets

    try:
        stream = datasets.load_dataset(name, name=source.config, split=source.split, streaming=True)
        yield from stream
    except DataError:
        raise
    except Exception as problem:  # the library and its transports share no base class
        reason = (str(problem).strip().splitlines() or [type(problem).__name__])[0]
        raise DataError(
            f"the hub data set {name!r} (config {source.config}, split {source.split!r}) "
            f"cannot be read: {type(problem).__name__}: {reason}",
            "check its name, config and split on the hub and the network; "
            "or download it and name the file or folder under source",
        ) from problem
