"""How long a text is in tokens, and where it is cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["Ruler"]

CHARACTERS = 4
"""A token's length where there is no tokenizer to ask."""


class Ruler:
    """Measures with the student's tokenizer: a tokenizer.json. Without that file four characters
    count as a token."""

    def __init__(self, tokenizer: Path | None = None) -> None:
        self._tokenizer: Any = None
        if tokenizer is not None and tokenizer.exists():
            # Lazy: `synth --help` and `synth check` do without.
            from tokenizers import Tokenizer

            self._tokenizer = Tokenizer.from_file(str(tokenizer))

    def tokens(self, text: str) -> int:
        """Tokens of a text, template and special tokens left out."""
        if self._tokenizer is None:
            return -(-len(text) // CHARACTERS)
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def head(self, text: str, limit: int) -> str:
        """The first `limit` tokens of a text."""
        if self._tokenizer is None:
            return text[: limit * CHARACTERS]
        offsets: list[tuple[int, int]] = self._tokenizer.encode(text, add_special_tokens=False).offsets
        return text if len(offsets) <= limit else text[: offsets[limit - 1][1]]
