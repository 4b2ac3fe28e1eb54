"""Constraints on a response as a whole: how it begins, ends, and what it is put together from."""

from __future__ import annotations

from synth.verify.constraints.relation import Text

__all__ = ["RESPONSE_DIVIDER", "end_checker", "no_comma", "quotation", "repeat_prompt", "two_responses"]

RESPONSE_DIVIDER = "******"


def two_responses(response: str) -> bool:
    """Two different responses, divided by six asterisks; an empty part only at either end."""
    parts = [part.strip() for part in response.split(RESPONSE_DIVIDER)]
    if not all(parts[1:-1]):
        return False
    filled = [part for part in parts if part]
    return len(filled) == 2 and filled[0] != filled[1]


def repeat_prompt(response: str, *, prompt_to_repeat: Text) -> bool:
    """The request is repeated, in any case, before anything else is said."""
    return response.strip().lower().startswith(prompt_to_repeat.strip().lower())


def end_checker(response: str, *, end_phrase: Text) -> bool:
    """The response ends with a phrase, in any case; a quotation mark may follow."""
    return response.strip().strip('"').lower().endswith(end_phrase.strip().lower())


def quotation(response: str) -> bool:
    """The whole response stands between double quotation marks."""
    text = response.strip()
    return len(text) > 1 and text[0] == text[-1] == '"'


def no_comma(response: str) -> bool:
    """There is no comma."""
    return "," not in response
