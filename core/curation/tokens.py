"""Counting tokens of text with a model's own tokenizer, without importing torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from synth.records import Sample

__all__ = ["token_counter"]


CHARACTERS = 4
"""A token's length where there is no tokenizer to ask."""


def token_counter(model: Path | None) -> Callable[[Sample], int]:
    """A function that counts a sample's content tokens: the messages' texts, no template.

    `model` is a folder with a tokenizer.json; without one four characters count as a token.
    """
    if model is None:
        return lambda sample: sum(-(-len(text) // CHARACTERS) for text in _texts(sample))
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))

    def count(sample: Sample) -> int:
        encoded = tokenizer.encode_batch(_texts(sample), add_special_tokens=False)
        return sum(len(encoding.ids) for encoding in encoded)

    return count


def _texts(sample: Sample) -> list[str]:
    sides = (sample.prompt, sample.completion, sample.chosen, sample.rejected)
    return [message["content"] for side in sides if side for message in side]
