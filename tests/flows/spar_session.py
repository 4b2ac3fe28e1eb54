"""A session for SPaR's tests: actor, judge and refiner are scripted and answer over real HTTP."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from synth.config import FlowFile
from synth.engine.folder import RunFolder
from synth.engine.session import Session
from synth.flows.spar import Params
from synth.journal import Journal
from synth.progress import make_progress
from synth.teachers.http import HttpEndpoint
from synth.teachers.model import Model
from tests.support.openai_server import Say, ScriptedServer

CONSTRAINT = {"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}
RESPONSES = (
    "red, green, blue",
    "red, green and blue",
    "red and green",
    "red",
    "red, blue, grey, tan, pink",
)
Messages = Sequence[Mapping[str, Any]]


def part(messages: Messages, tag: str) -> str:
    """What the judge's prompt shows in an element."""
    found = re.findall(rf"<{tag}>\n(.*?)\n</{tag}>", messages[0]["content"], re.DOTALL)
    return str(found[-1])


def actor(messages: Messages, body: Mapping[str, Any]) -> Sequence[str]:
    """Five responses with 2, 1, 0, 0 and 4 commas; what is asked names what they are about."""
    about = messages[-1]["content"].split()[1]
    return [f"{about}: {text}" for text in RESPONSES][: body.get("n") or 1]


def judge(messages: Messages, body: Mapping[str, Any]) -> Sequence[str]:
    """Counts commas. One judge of five thinks that a single comma does not matter."""
    commas = part(messages, "response").count(",")
    votes = ["No" if commas else "Yes"] * 5
    votes[1] = "Yes" if commas == 1 else votes[1]
    return [f"Judge {i} counts {commas} commas.\nFinal Judgement: {vote}" for i, vote in enumerate(votes)]


def refiner(messages: Messages, body: Mapping[str, Any]) -> str:
    """Takes the first comma out: as many refinements in a row as there are commas."""
    assert [message["role"] for message in messages] == ["user", "assistant", "user"]
    mended = part(messages, "response").replace(",", "", 1)
    return f"A comma is one too many.\n[[start]]\n{mended}\n[[end]]"


SCRIPT: dict[str, Say] = {"actor": actor, "judge": judge, "refiner": refiner}
SERVED = {"student": "actor", "judge": "judge", "refiner": "refiner"}


def flow_file(folder: Path, prompts: int = 6, **rest: Any) -> FlowFile:
    """`prompts` prompts whose constraint can be checked, and three held-out ones."""
    for name, first, count in (("prompts", 0, prompts), ("test", 100, 3)):
        rows = [{"question": f"List thing{first + i} without commas.", **CONSTRAINT} for i in range(count)]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = {"answer": None}
    return FlowFile.model_validate(
        {
            "flow": "spar",
            "models": {role: {"model": name} for role, name in SERVED.items()},
            "data": {name: {"source": f"{name}.jsonl", **source} for name in ("prompts", "test")},
            "evaluate": {"verifier": "constraints"},
            "learners": {"refiner": {}},
            **rest,
        }
    )


@asynccontextmanager
async def playing(
    folder: Path, script: Mapping[str, Say] | None = None, flow: FlowFile | None = None, **params: Any
) -> AsyncIterator[Session]:
    """A session of round 1 in `folder`; `script` replaces scripted models, `params` are SPaR's."""
    said = {**SCRIPT, **(script or {})}
    flow = flow or flow_file(folder)
    run = RunFolder(folder / "run")
    run.open()
    journal = Journal(run.journal)

    def reply(messages: Messages, body: Mapping[str, Any]) -> str | Sequence[str]:
        return said[body["model"]](messages, body)

    async with ScriptedServer(reply, models=tuple(said)) as server:
        endpoint = HttpEndpoint(server.base_url)
        served = {**SERVED, **({"teacher": "teacher"} if "teacher" in said else {})}
        models = {
            role: Model(role, name, "w1", name, endpoint, journal)
            for role, name in served.items()
            if name in said
        }
        chosen = Params.model_validate({"evolve": False, "judged_by": "judge", **params})
        try:
            yield Session(flow, chosen, run, journal, models, make_progress(quiet=True), folder / "flow.yaml")
        finally:
            await endpoint.aclose()
            journal.close()
            run.close()
