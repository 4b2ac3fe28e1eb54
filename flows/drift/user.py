"""A user played by a program: `{program: "synth.flows.drift.user:displeased"}`.

It reads the prompt a language model in this role would read (`agents/prompts/complain.md.j2`)
by its tags, and answers in the same form.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import yaml

from synth.flows.drift.guide import Guide
from synth.flows.drift.signals import Signal
from synth.records import Message
from synth.teachers.novice import small_talk
from synth.verify.constraints import Constraint, describe, find_constraints

__all__ = ["KINDS", "complained", "displeased"]

KINDS = ("correction", "repetition", "frustration")
"""How a user can complain: say what is wrong, say it again, or lose patience."""
NOT_ASKED = (
    Constraint(type="punctuation:no_comma", args={}),
    Constraint(type="change_case:english_lowercase", args={}),
    Constraint(type="startend:quotation", args={}),
    Constraint(type="detectable_format:title", args={}),
    Constraint(type="detectable_content:postscript", args={"postscript_marker": "P.S."}),
)
"""What a user may complain of without having asked for it."""
LONGEST = 4096
"""Tokens of a dialogue: nothing of a warm start is cut."""


def displeased(messages: Sequence[Message]) -> str:
    """A complaint of the kind asked for about what was missed. Raises `ValueError` for another prompt."""
    text = messages[-1]["content"]
    kind, missed = _tag(text, "kind"), _tag(text, "missed")
    wordings = _wordings()[kind]
    digest = hashlib.blake2b(text.encode(), digest_size=4).digest()
    wording = wordings[int.from_bytes(digest, "big") % len(wordings)]
    return json.dumps({"complaint": wording.replace("{missed}", " ".join(missed.splitlines()))})


def complained(messages: Sequence[Message], sample: int) -> list[Message]:
    """The dialogue of a warm start: of three answers one is to the bare request, two to complaints about a
    novice's small talk.

    `messages` end with a request that carries constraints. The first complaint names all of them, the
    second one that was not asked for, so that a complaint has to be read.
    """
    if sample % 3 == 0:
        return list(messages)
    rng = random.Random(f"{sample}/{messages[-1]['content']}")
    missing = find_constraints(messages[-1]["content"])
    asked = {one["type"] for one in missing}
    others = [one for one in NOT_ASKED if one["type"] not in asked]
    if sample % 3 == 2 and others:
        missing = [rng.choice(others)]
    missed = " ".join(map(describe, missing))
    feedback = rng.choice(_wordings()[rng.choice(KINDS)]).replace("{missed}", missed)
    signal = Signal.of(messages, small_talk(rng), satisfied=False, feedback=feedback)
    return Guide(LONGEST).chat(signal)


@lru_cache(maxsize=1)
def _wordings() -> dict[str, list[str]]:
    text = Path(__file__).with_name("complaints.yaml").read_text(encoding="utf-8")
    wordings: dict[str, list[str]] = yaml.safe_load(text)
    return wordings


def _tag(text: str, name: str) -> str:
    """What stands in the last element of that name: a conversation before it may hold anything."""
    start = text.rfind(f"<{name}>\n")
    match = re.compile(rf"<{name}>\n(.*?)\n</{name}>", re.DOTALL).match(text, start) if start >= 0 else None
    if match is None:
        raise ValueError(f"the prompt has no <{name}>")
    return match[1]
