"""Texts as vectors without a model: TF-IDF of hashed words. They see shared words and no meaning."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING
from zlib import crc32

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["unit", "word_vectors"]

WIDTH = 4096
"""Columns: with few words a text, collisions are rare and memory bounded."""
_WORD = re.compile(r"\w+")


def word_vectors(texts: Sequence[str]) -> NDArray[np.float32]:
    """One TF-IDF vector a text: words and numbers in lower case, hashed to `WIDTH` columns, with a
    smoothed inverse frequency."""
    import numpy as np

    counts = [Counter(crc32(word.encode()) % WIDTH for word in _WORD.findall(text.lower())) for text in texts]
    spread = Counter(column for count in counts for column in count)
    vectors = np.zeros((len(texts), WIDTH), dtype=np.float32)
    for row, count in zip(vectors, counts, strict=True):
        for column, times in count.items():
            row[column] = times * (np.log((1 + len(texts)) / (1 + spread[column])) + 1)
    return vectors


def unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The rows, each of length one; a row of zeros stays one."""
    import numpy as np

    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, np.float32(1))  # type: ignore[no-any-return]
