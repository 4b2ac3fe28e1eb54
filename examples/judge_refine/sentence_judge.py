"""A program in the judge's place: it wants one or two whole sentences."""

import json
import re
from collections.abc import Sequence

from synth.records import Message


def judge(messages: Sequence[Message]) -> str:
    """The verdict on what stands between the answer's tags, as JSON."""
    found = re.findall(r"<answer>\n(.*?)\n</answer>", messages[-1]["content"], re.DOTALL)
    answer = found[-1].strip() if found else ""
    sentences = len(re.findall(r"[.!?](?:\s|$)", answer))
    problem = "it breaks off" if not answer.endswith((".", "!", "?")) else ""
    problem = problem or ("" if sentences <= 2 else f"it has {sentences} sentences")
    return json.dumps({"good": not problem, "problem": problem})
