"""Filters that look at one answer: its form, its length, whether it refuses, which language it is in."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from synth.config.curation import LanguageRule, LengthRule
from synth.curation.language import language_of
from synth.curation.lint import REFUSAL, TOKENS, leaks, open_fence
from synth.curation.step import Check, Fault, answer_of, text_of
from synth.records import Sample

__all__ = ["CountTokens", "by_language", "by_length", "malformed", "refusing"]

CountTokens = Callable[[str], int]


def malformed(delimiters: Sequence[str]) -> Check:
    """Single answers that are empty, end inside a code block, or show tokens of a chat template.

    Of pairs the lint says so, and the flow what follows from it: a cut-off answer may be the one to avoid.
    """

    def check(sample: Sample) -> Sample | Fault:
        if sample.completion is None:
            return sample
        answer = text_of(sample.completion)
        if not answer.strip():
            return Fault("empty", "the answer has no text")
        if open_fence(answer) and not sample.meta.get("unfinished"):
            return Fault("unclosed", "a block of code has no end")
        if leaks(answer, text_of(sample.prompt), delimiters, TOKENS):
            return Fault(
                "leaked", "the answer shows tokens of a chat template, or marks of the flow's prompts"
            )
        return sample

    return check


def refusing(sample: Sample) -> Sample | Fault:
    """Answers that begin with a refusal."""
    answer = answer_of(sample)
    return Fault("refused", f"it begins: {answer.strip()[:60]}") if REFUSAL.match(answer) else sample


def by_length(rule: LengthRule, count_tokens: CountTokens) -> Check:
    """Answers outside the bounds; tokens are only counted where they are bounded."""

    def check(sample: Sample) -> Sample | Fault:
        answer = answer_of(sample)
        measured = [("characters", len(answer), rule.min_chars, rule.max_chars)]
        if rule.min_tokens is not None or rule.max_tokens is not None:
            measured.append(("tokens", count_tokens(answer), rule.min_tokens, rule.max_tokens))
        for unit, size, least, most in measured:
            if least is not None and size < least:
                return Fault("too-short", f"{size} {unit}, at least {least} wanted")
            if most is not None and size > most:
                return Fault("too-long", f"{size} {unit}, at most {most} wanted")
        return sample

    return check


def by_language(rule: LanguageRule) -> Check:
    """Answers that the classifier is sure are in another language."""

    def check(sample: Sample) -> Sample | Fault:
        language, score = language_of(answer_of(sample), rule.least)
        if not language or language in rule.allow or score < rule.confidence:
            return sample
        return Fault("language", f"{language} ({score:.0%} sure), wanted {', '.join(rule.allow)}")

    return check
