"""A language model that plays all of AgentInstruct's agents: for every form a sound task and its answer.

It follows what the prompts say and what it is asked for, so that a prompt that leaves out what an
agent needs shows. What it answers depends on the text: `GONE` and `OTHERWISE` are what its edits add.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["STORY", "language_model"]

GONE, OTHERWISE = "All else is lost.", "It is the other way round."
"""What an edited text ends in: nobody can answer any more, or the answer is another one."""
STORY = "First the ferry left Bergen with 212 passengers. Then it rained. At last it came to Oslo. "
"""What every text holds that is asked about."""
TABLE = "| port | boats |\n|---|---|\n| Bergen | 12 |\n| Oslo | 7 |"
CODE = "def double(x):\n    return 2 * x"
BUG = "```python\ndef double(x):\n    return x\n```"
API = {"name": "look_up", "description": "Looks up a port.", "parameters": [{"name": "port"}]}
APIS = [API, {**API, "name": "book", "description": "Books a passage.", "returns": [{"name": "seat"}]}]
TASKS: dict[str, dict[str, Any]] = {
    "choice": {"options": ["Oslo", "Bergen", "Rome"]},
    "statements": {"statements": ["It rained.", "It snowed."]},
    "ordering": {"items": ["it left", "it rained", "it came"]},
    "matching": {"left": ["start", "end"], "right": ["Bergen", "Oslo"]},
    "label": {"labels": ["news", "novel"]},
    "fill_in": {"sentence": "First the ferry left ____ with 212 passengers."},
    "few_shot": {"examples": ["Input: a\nOutput: A", "Input: b\nOutput: B"], "query": "Input: c\nOutput:"},
    "fields": {"fields": ["port", "passengers"]},
    "described": {"table": TABLE},
    "action": {"page": "[1] link 'Home'\n[2] input 'Name'\n[3] button 'Go'"},
    "code": {"tests": ["assert double(4) == 8"]},
    "output": {"program": "print(2 + 2)"},
    "dialogue": {"turns": ["Hello?", "And now?"]},
}
ONE, OTHER = 0, 1
ANSWERS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "short": ({"answer": "The ferry."}, {"answer": "the rain"}),
    "fill_in": ({"answer": "Bergen"}, {"answer": "Oslo"}),
    "label": ({"answer": "News."}, {"answer": "novel"}),
    "spans": ({"answer": ["Bergen", "Oslo"]}, {"answer": ["Oslo"]}),
    "statements": ({"answer": [True, False]}, {"answer": [False, True]}),
    "ordering": ({"answer": ["A", "B", "C"]}, {"answer": ["C, B, A"]}),
    "matching": ({"answer": ["A", "B"]}, {"answer": ["B", "A"]}),
    "choice": ({"reason": "It says so.", "answer": "Bergen"}, {"reason": "Not now.", "answer": "Oslo"}),
    "fields": ({"answer": '{"port": "Oslo", "passengers": 212}'},) * 2,
    "number": ({"reason": "Ten ports, twelve boats each.", "value": 120, "unit": "boats"},) * 2,
    "few_shot": ({"answer": "Output: C"},) * 2,
    "described": ({"answer": "Bergen has 12 boats."},) * 2,
    "action": ({"action": "click", "element": 3},) * 2,
    "code": ({"code": f"```python\n{CODE}\n```"},) * 2,
    "output": ({"answer": "4"},) * 2,
    "open": ({"reason": "It is told.", "answer": "A long tale of ports."},) * 2,
    "rewrite": ({"answer": "Another text."},) * 2,
}  # fmt: skip


def language_model(messages: Sequence[Mapping[str, Any]], body: Mapping[str, Any]) -> str:
    """What the agent that is spoken to says."""
    system, prompt = messages[0]["content"], messages[1]["content"]
    for sign, play in PLAYS.items():
        if system.startswith(sign):
            return json.dumps(play(prompt))
    raise AssertionError(f"nobody is spoken to as {system[:40]!r}")


def _instruct(prompt: str) -> dict[str, Any]:
    name, form = re.findall(r'<type name="(\w+)" form="(\w+)">', prompt)[0]
    task = {
        "instruction": f"Do {name}: {BUG if name == 'fix_the_bug' else 'all of it'}",
        **TASKS.get(form, {}),
    }
    if form == "tools":
        assert "look_up" in prompt, "the functions are shown"
        task["needs"] = ["look_up", "book"] if re.match("multiple|some", name) else ["look_up"]
        task["hidden"] = {"unlisted": ["look_up"], "some_unlisted": ["book"]}.get(name, [])
    return {"tasks": [task]}


def _suggest(prompt: str) -> dict[str, Any]:
    goal = re.findall(r"<goals>\n(\w+): ", prompt)[0]
    return {"suggestions": [{"goal": goal, "change": f"towards {goal}"}]}


def _edit(prompt: str) -> dict[str, Any]:
    goal = re.findall(r'<change goal="(\w+)">', prompt)[0]
    task = json.loads(re.findall(r"<task [^>]*>\n(.*)\n</task>", prompt)[0])
    assert goal != "mend", "every task it writes is sound"
    added = {
        "unanswerable": GONE,
        "answer_changes": OTHERWISE,
        "one_more_rule": OTHERWISE,
        "narrower": OTHERWISE,
    }
    if goal in added:
        return {"text": f"{STORY}{added[goal]}", "task": task}
    return {"text": STORY, "task": {**task, "instruction": f"{task['instruction']} ({goal})"}}


def _respond(prompt: str) -> dict[str, Any]:
    form = next(form for form, hint in HINTS.items() if hint in prompt)
    if GONE in prompt or re.search(r"Do (not_in_the_text|not_there):", prompt):
        assert '"answerable" to false' in prompt, "it is told how to abstain"
        return {"answerable": False, "reason": "The text does not say."}
    if form == "tools":
        return _step(prompt)
    if form == "dialogue":
        return {"answer": f"Turn {prompt.count('assistant: ') + 1}."}
    if form == "cited":
        right = re.findall(r"^Document (\d+):\nFirst the ferry", prompt, re.MULTILINE)
        return {"answer": "Bergen", "documents": [int(number) for number in right]}
    said = ANSWERS[form][OTHER if OTHERWISE in prompt else ONE]
    return said


def _step(prompt: str) -> dict[str, Any]:
    name = re.findall(r"<task>\nDo (\w+):", prompt)[0]
    if re.search("missing|unlisted", name):
        return {"answer": "I cannot do that yet."}
    done = re.findall(r"^tool: ", prompt, re.MULTILINE)
    if done:
        return {"answer": "It is done."}
    calls = ["look_up", "book"] if name.startswith("multiple") else ["look_up"]
    return {"calls": [{"name": call, "arguments": {"port": "Oslo"}} for call in calls]}


HINTS = {
    "choice": "the letter of the right option",
    "statements": "[true, false]",
    "ordering": '["B", "A", "C"]',
    "matching": "letter for the first entry",
    "label": "exactly as given",
    "spans": "pieces copied out",
    "fields": "a JSON object",
    "cited": "numbers of the documents",
    "action": "click, type, select or stop",
    "code": '"code": ',
    "output": "exactly what it prints",
    "tools": '"calls": ',
    "dialogue": "to the last turn",
    "number": "the steps of the estimate",
    "few_shot": "exactly what stands after Output:",
    "fill_in": "only the missing words",
    "short": "a few words, no sentence",
    "described": "put into words",
    "rewrite": "the new text alone",
    "open": "the whole answer",
}
"""By what the reply is asked for."""
PLAYS = {
    "You rewrite texts": lambda prompt: {"text": f"{STORY}It was a good day."},
    "You write documentation": lambda prompt: {"apis": APIS},
    "You write exercises": _instruct,
    "You look at exercises": _suggest,
    "You edit exercises": _edit,
    "You do exercises": _respond,
}
