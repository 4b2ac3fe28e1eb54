"""How varied a set of texts is: distinct n-grams, and the effective number of texts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from synth.measure.vectors import unit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["distinct", "spread", "vendi"]

LONGEST = 5
"""N-grams of 1 to so many tokens are counted."""


def distinct(texts: Sequence[str], tokenizer: Path) -> float:
    """Expectation-adjusted distinct n-grams (EAD, arXiv 2202.13587), the mean over n = 1 to 5.

    Unique n-grams over those expected if all of a vocabulary of V tokens were equally likely,
    V (1 - (1 - 1/V)^C) of C. Unlike plain distinct-n it hardly falls with the length of the texts.
    It is no share: there are more n-grams than tokens. 0 for texts without a token.
    """
    from tokenizers import Tokenizer

    words = Tokenizer.from_file(str(tokenizer))
    size = max(2, words.get_vocab_size())
    coded = [encoding.ids for encoding in words.encode_batch(list(texts), add_special_tokens=False)]
    found = []
    for n in range(1, LONGEST + 1):
        grams = [tuple(ids[at : at + n]) for ids in coded for at in range(len(ids) - n + 1)]
        if grams:
            found.append(len(set(grams)) / (size * (1 - (1 - 1 / size) ** len(grams))))
    return sum(found) / len(found) if found else 0.0


def vendi(vectors: NDArray[np.float32]) -> float:
    """The Vendi score (arXiv 2210.02410) of texts, a vector each: exponential of the entropy of the
    eigenvalues of their cosine similarities over their number. 1 for texts all the same, their number
    for texts that have nothing in common.
    """
    import numpy as np

    values = np.linalg.eigvalsh(_similar(vectors) / len(vectors))
    values = values[values > 1e-12] / values[values > 1e-12].sum()
    return float(np.exp(-(values * np.log(values)).sum()))


def spread(vectors: NDArray[np.float32]) -> float | None:
    """Mean cosine distance of two different texts, 0 for texts all the same; None for fewer than two."""
    n = len(vectors)
    if n < 2:
        return None
    alike = _similar(vectors)
    return float(1 - (alike.sum() - alike.trace()) / (n * (n - 1)))


def _similar(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """The texts' cosine similarities; a text without words is like none."""
    import numpy as np

    rows = unit(vectors)
    found: NDArray[np.float64] = (rows @ rows.T).astype(np.float64)
    return found
