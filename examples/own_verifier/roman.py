"""Roman numerals: a verifier and a teacher of one's own, as a flow file names them."""

import json
import re
from collections.abc import Sequence

from synth.records import Message, Question

SIGNS = (
    (100, "C"),
    (90, "XC"),
    (50, "L"),
    (40, "XL"),
    (10, "X"),
    (9, "IX"),
    (5, "V"),
    (4, "IV"),
    (1, "I"),
)


def roman(number: int) -> str:
    """The number as a Roman numeral; up to 399."""
    text = ""
    for value, sign in SIGNS:
        while number >= value:
            text, number = text + sign, number - value
    return text


def skill(number: int) -> str:
    """What is hardest about writing the number."""
    if {"4", "9"} & set(str(number)):
        return "subtracting"
    return "hundreds" if number >= 100 else "tens" if number >= 10 else "ones"


def numeral(response: str, question: Question) -> bool:
    """The verifier: whether the last numeral in the response, in large or small letters, is the right one."""
    found = re.findall(r"\b[ivxlc]+\b", response.lower())
    return bool(found) and found[-1].upper() == question.answer


def teacher(messages: Sequence[Message]) -> str:
    """The teacher, who reads STAT's prompts by their tags; a bare question is answered."""
    text = messages[-1]["content"]
    found = re.findall(r"<question>\n(.*?)\n</question>", text, re.DOTALL)
    number = int(re.findall(r"\d+", found[-1] if found else text)[-1])
    if "<answer>" in text:
        return json.dumps({"correct": False, "reason": "the numeral is wrong", "skills": [skill(number)]})
    return roman(number)
