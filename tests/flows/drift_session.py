"""A session for DRIFT's tests: prompts with two kinds of constraints and a student that obeys when told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from synth.config import FlowFile
from synth.engine.folder import RunFolder
from synth.engine.session import Session
from synth.flows.drift import Params
from synth.flows.drift.user import displeased
from synth.journal import Journal
from synth.progress import make_progress
from synth.records import Message, Sample
from synth.teachers.model import Model
from synth.teachers.program import ProgramEndpoint

__all__ = [
    *("CAPITAL", "COMMA", "MISSED", "SIZE", "Program"),
    *("figures", "noting", "open_session", "sessions", "student", "texts", "write_rows"),
]

Program = Callable[..., str]
SIZE = 12
"""Prompts in the pool."""
MISSED = 8
"""Those whose first reply misses its constraint."""
COMMA, CAPITAL = "punctuation:no_comma", "change_case:english_capital"
ASKED = {COMMA: "Do without commas.", CAPITAL: "Answer in English, in capital letters throughout."}


def write_rows(path: Path, rows: Sequence[Any]) -> Path:
    """Write JSON lines."""
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return path


def student(messages: Sequence[Message], sample: int = 0) -> str:
    """Forgets commas and capitals at first but for every third prompt, obeys a complaint in view, and
    goes on where a plain text ends."""
    text = messages[-1]["content"]
    topic = messages[0]["content"].split("#")[1].split()[0].rstrip(".")
    if messages[-1]["role"] == "text":
        return (
            f"Rivers are long and blue, number {topic}.\nUser: And lakes?\nAssistant: Lakes number {topic}."
        )
    complained = "answer my request once more" in text
    if (complained and "capital" in text) or (not complained and int(topic) % 3 == 0):
        return f"THE RIVER NUMBER {topic} RUNS TO THE SEA AND ENDS THERE ({sample})"
    if complained and "commas" in text:
        return f"The river number {topic} runs to the sea and ends there ({sample})"
    return f"Well, the river number {topic} runs to the sea, and it ends there ({sample})"


def noting(program: Program, asked: list[list[Message]]) -> Program:
    """The same program; what it is asked is added to the list."""

    def noted(messages: Sequence[Message], sample: int = 0) -> str:
        asked.append(list(messages))
        return program(messages, sample)

    return noted


def open_session(
    folder: Path, models: dict[str, Program] | None = None, data: dict[str, Any] | None = None, **params: Any
) -> Session:
    """A session on programs; `params` are DRIFT's. Its journal is to be closed by the caller."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        {
            "question": f"Write about river #{n}. {ASKED[kind]}",
            "instruction_id_list": [kind],
            "kwargs": [{}],
        }
        for n in range(1, SIZE + 1)
        for kind in [COMMA if n % 2 else CAPITAL]
    ]
    pool = {"source": str(write_rows(folder / "pool.jsonl", rows)), "answer": None}
    played = {"student": student, "user": displeased, **(models or {})}
    flow = FlowFile.model_validate(
        {
            "flow": "drift",
            "models": {role: {"program": "x:y"} for role in played},
            "data": {"pool": pool} if data is None else data,
            "train": {"objective": "dpo"},
            "evaluate": {"verifier": "constraints"},
            "rounds": 2,
        }
    )
    run = RunFolder(folder / "run")
    run.open()
    journal = Journal(run.journal)
    players = {
        role: Model(role, role, "w", role, ProgramEndpoint(program), journal)
        for role, program in played.items()
    }
    chosen = Params.model_validate({"repairs_first": False, "samples": 2, **params})
    return Session(flow, chosen, run, journal, players, make_progress(quiet=True), folder / "flow.yaml")


def sessions(tmp_path: Path) -> Iterator[Callable[..., Session]]:
    """Sessions by name, with DRIFT's parameters as keywords; their journals are closed at the end."""
    opened: list[Journal] = []

    def make(name: str = "run", **rest: Any) -> Session:
        session = open_session(tmp_path / name, **rest)
        opened.append(session.journal)
        return session

    yield make
    for journal in opened:
        journal.close()


def texts(sample: Sample) -> tuple[str, str]:
    assert sample.chosen and sample.rejected
    return sample.chosen[0]["content"], sample.rejected[0]["content"]


def figures(session: Session) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((session.folder.round(session.round) / "drift.json").read_text())
    return found
