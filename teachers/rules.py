"""Programs that judge and refine answers to prompts with constraints, in SPaR's two roles.

`{program: "synth.teachers.rules:constraint_judge"}` is never wrong. `constraint_refiner` makes
one small edit for one constraint that is not followed, and every third time a slip, so that a
tree search has something to search. Both find what they need in the prompt: the instruction
and the response by their tags, the constraints by the sentences that state them.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from synth.records import Message, content_id
from synth.teachers.edits import EDITS, edit
from synth.verify.constraints import Constraint, check, describe, find_constraints

__all__ = ["constraint_judge", "constraint_refiner"]

SLIP = 1 / 3
"""Share of refinements that go wrong: half of them stop half-way, half spoil the end of the text."""


def constraint_judge(messages: Sequence[Message]) -> str:
    """One line a constraint, and the judgement. Raises `ValueError` if there is nothing to judge."""
    _, response, constraints = _asked(messages)
    verdicts = check(response, constraints).strict
    lines = [
        f"- {describe(one)} {'This is followed.' if followed else 'This is not followed.'}"
        for one, followed in zip(constraints, verdicts, strict=True)
    ]
    return "\n".join([*lines, f"Final Judgement: {'Yes' if all(verdicts) else 'No'}"])


def constraint_refiner(messages: Sequence[Message], sample: int = 0) -> str:
    """A reflection and the refined answer between `[[start]]` and `[[end]]`.

    What is done depends on the prompt and the sample's number alone. Raises `ValueError` for a
    prompt without constraints.
    """
    instruction, response, constraints = _asked(messages)
    rng = random.Random(content_id([instruction, response, sample]))
    verdicts = check(response, constraints).strict
    broken = [one for one, followed in zip(constraints, verdicts, strict=True) if not followed]
    if not broken:
        return _reply("Everything asked for is followed; nothing has to change.", response)
    chosen = rng.choice([one for one in broken if one["type"] in EDITS] or broken)
    return _reply(f"This is not followed yet: {describe(chosen)}", _refined(response, chosen, rng))


def _refined(response: str, constraint: Constraint, rng: random.Random) -> str:
    """The edit, or by chance one of only half the text, or none and the last word lost."""
    chance = rng.random()
    if chance >= SLIP:
        return edit(response, constraint)
    if chance >= SLIP / 2:
        half = response.rfind(" ", 0, len(response) // 2 + 1) + 1
        return f"{edit(response[:half], constraint)} {response[half:]}"
    return response.rstrip().rpartition(" ")[0] or response


def _reply(reflection: str, answer: str) -> str:
    return f"{reflection}\n[[start]]\n{answer}\n[[end]]"


def _asked(messages: Sequence[Message]) -> tuple[str, str, list[Constraint]]:
    """Instruction, response and the instruction's constraints."""
    instruction, response = _tag(messages, "instruction"), _tag(messages, "response")
    constraints = find_constraints(instruction)
    if not constraints:
        raise ValueError(f"no known constraint in the instruction {instruction[:80]!r}")
    return instruction, response, constraints


def _tag(messages: Sequence[Message], name: str) -> str:
    """What stands between the tags, each on a line of its own, in the last message that has them."""
    for message in reversed(messages):
        found = re.search(rf"^<{name}>\n(.*)\n</{name}>$", message["content"], re.DOTALL | re.MULTILINE)
        if found:
            return found[1]
    raise ValueError(f"the prompt has no <{name}>")
