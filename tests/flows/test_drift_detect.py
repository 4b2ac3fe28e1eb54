"""The rubric agent over a real wire, on rows as the published data sets have them, in all four shapes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from synth.engine.session import Session
from synth.flows.drift import generate
from synth.records import Message
from synth.teachers.http import HttpEndpoint
from synth.teachers.model import Model
from tests.flows.drift_session import figures, sessions, texts, write_rows
from tests.support.openai_server import ScriptedServer

begin = pytest.fixture(sessions, name="begin")

FIRST, REPLY, COMPLAINT, BETTER, THANKS = (
    "Name the longest river of Europe.",
    "There are many long rivers in Europe, and the Danube is surely one of them.",
    "No, I asked for one name!",
    "The Volga.",
    "Perfect, thank you. And of Africa?",
)
SAID = list(zip(("user", "assistant") * 3, (FIRST, REPLY, COMPLAINT, BETTER, THANKS, None), strict=True))
WILDCHAT = {
    "conversation_hash": "9f2c",
    "model": "gpt-3.5-turbo-0301",
    "timestamp": "2023-04-10T00:01:08+00:00",
    "turn": 3,
    "language": "English",
    "openai_moderation": [{"flagged": False}],
    "toxic": False,
    "redacted": False,
    "conversation": [
        {
            "content": content,
            "role": role,
            "country": "Finland" if role == "user" else None,
            "hashed_ip": "abc",
            "header": {"user-agent": "x"} if role == "user" else None,
            "language": "English",
            "redacted": False,
            "timestamp": None,
            "toxic": False,
            "turn_identifier": 1010 + number,
        }
        for number, (role, content) in enumerate(SAID)
    ],
}
SHAREGPT = {
    "id": "x_0",
    "conversations": [
        {"from": {"user": "human", "assistant": "gpt"}[role], "value": content or ""}
        for role, content in SAID
    ],
}
OPENAI = {
    "messages": [
        {"role": role, "content": [{"type": "text", "text": content or ""}] if role == "user" else content}
        for role, content in SAID
    ]
}
WILDFEEDBACK = {
    "prompt": [{"role": "user", "content": FIRST}],
    "rejected": [{"role": "assistant", "content": REPLY}],
    "user_preference": {"role": "user", "content": COMPLAINT},
}
TURN = re.compile(r'<turn number="(\d+)" role="(\w+)">\n(.*?)\n</turn>', re.DOTALL)


def annotator(messages: Sequence[Mapping[str, Any]]) -> str:
    """Reads the conversation as it is shown, and rates by the user's words alone, in a fence."""
    if "stammer" in str(messages):
        return "I would say that the user was not happy."
    asked = re.search(r"just before it: ([\d, ]+)\.", messages[-1]["content"])
    assert asked is not None
    rated = []
    for number, role, text in TURN.findall(messages[-1]["content"]):
        if number in asked[1].split(", "):
            assert role == "user"
            verdict = "DSAT" if text.startswith("No,") else "SAT" if "thank you" in text else "neither"
            wish = "One name and nothing else." if verdict == "DSAT" else ""
            rated.append({"turn": int(number), "reason": "says so", "verdict": verdict, "wish": wish})
    return f"```json\n{json.dumps({'turns': rated})}\n```"


async def detected(begin: Callable[..., Session], tmp_path: Path, rows: list[Any]) -> Session:
    """A finished round on these conversations, its annotator and its student behind HTTP."""

    def answer(messages: Sequence[Any], body: Mapping[str, Any]) -> str:
        return annotator(messages) if "<conversation>" in str(messages) else "Volga"

    source = {"source": str(write_rows(tmp_path / "rows.jsonl", rows)), "shape": "conversations"}
    session = begin(detect="rubric", data={"conversations": source})
    async with ScriptedServer(reply=answer) as server:
        endpoint = HttpEndpoint(server.base_url)
        session.models = {
            role: Model(role, "scripted", "w", "scripted", endpoint, session.journal)
            for role in ("student", "annotator")
        }
        await generate(session)
        await endpoint.aclose()
        assert {entry.status for entry in server.log.entries} == {200}
    return session


@pytest.mark.parametrize(
    ("row", "pleased"),
    [(WILDCHAT, 1), (SHAREGPT, 1), (OPENAI, 1), (WILDFEEDBACK, 0)],
    ids=["wildchat", "sharegpt", "openai", "wildfeedback"],
)
async def test_every_shape_gives_the_same_pair(
    begin: Callable[..., Session], tmp_path: Path, row: dict[str, Any], pleased: int
) -> None:
    """Rows with all the fields their data sets have, empty last turns among them: the reply before the
    complaint is rejected, its wish is known, and the reply before the thanks pleased and is the repair."""
    session = await detected(begin, tmp_path, [row])
    [sample] = session.samples("pairs")
    asked: list[Message] = [{"role": "user", "content": FIRST}]
    assert (sample.prompt, texts(sample)) == (asked, ("Volga", REPLY))
    assert (sample.meta["feedback"], sample.meta["wish"]) == (COMPLAINT, "One name and nothing else.")
    found = figures(session)
    assert (found["satisfied"], found["dissatisfied"], found["repairs"]) == (pleased, 1, pleased)


async def test_an_annotator_that_does_not_answer_in_form_loses_one_conversation(
    begin: Callable[..., Session], tmp_path: Path
) -> None:
    """What it said is kept with the rejection; the other conversations go on."""
    talk = [{"role": "user", "content": "stammer"}, {"role": "assistant", "content": "a"}, {"role": "user"}]
    session = await detected(begin, tmp_path, [{"messages": talk}, WILDCHAT])
    assert len(list(session.samples("pairs"))) == 1
    [rejection] = session.rejections()
    assert (rejection.reason, "not happy" in rejection.raw) == ("unparsed", True)
