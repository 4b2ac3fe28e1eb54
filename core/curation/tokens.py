"""Counting tokens of text with a model's own tokenizer, without importing torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from synth.records import Sample

__all__ = ["token_counter"]


def token_counter(model: Path) -> Callable[[Sample], int]:
    """A function that counts a sample's content tokens: the messages' texts, no template.

    `model` is a folder with a tokenizer.json.
    """
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))

    def count(sample: Sample) -> int:
        sides = (sample.prompt, sample.completion, sample.chosen, sample.rejected)
        texts = [message["content"] for side in sides if side for message in side]
        return sum(len(encoding.ids) for encoding in tokenizer.encode_batch(texts, add_special_tokens=False))

    return count
