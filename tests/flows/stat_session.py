"""STAT sessions on questions of a few words, with programs or endpoints in the models' places."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

from synth.config import FlowFile
from synth.engine.folder import RunFolder
from synth.engine.session import Session
from synth.flows.stat import Params
from synth.journal import Journal
from synth.progress import make_progress
from synth.records import Message
from synth.teachers.model import Endpoint, Model
from synth.teachers.program import ProgramEndpoint

__all__ = ["Sessions", "rows", "student", "tag", "teacher"]

Program = Callable[..., str]
SUBJECTS = {"sums": "+", "products": "*"}


def rows(subject: str, numbers: Sequence[int], skills: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Questions of a subject, such as `7 + 2 = ?`, with the skills named, or the subject for one."""
    sign = SUBJECTS[subject]
    return [
        {
            "question": f"{number} {sign} 2 = ?",
            "answer": str(number + 2 if sign == "+" else number * 2),
            "skill": [subject, *skills] if skills else subject,
        }
        for number in numbers
    ]


def solve(question: str) -> str:
    """The right answer."""
    number, sign, _ = question.split(" ", 2)
    return str(int(number) + 2 if sign == "+" else int(number) * 2)


def student(messages: Sequence[Message]) -> str:
    """Adds without fault, and never multiplies right."""
    question = messages[-1]["content"]
    return solve(question) if "+" in question else "0"


def teacher(messages: Sequence[Message], sample: int = 0) -> str:
    """Never wrong. Sums need `adding`, products `doubling`, or the subject where that is the skill."""
    text = messages[-1]["content"]
    if "<names>" in text:
        return json.dumps({"skills": [line.rpartition(" (")[0] for line in tag(text, "names").splitlines()]})
    if "<failed>" in text or "<skill>" in text:
        sign = "+" if tag(text, "skill") in ("adding", "sums") else "*"
        number = 1000 + crc32(f"{sample}{text}".encode()) % 9000
        return json.dumps({"reason": "", "draft": "", "question": f"{number} {sign} 2 = ?"})
    question = tag(text, "question")
    listed = tag(text, "skills").splitlines()
    words = ("adding", "sums") if "+" in question else ("doubling", "products")
    skill = next((word for word in words if word in listed), words[0])
    if "<answer>" in text:
        right = re.findall(r"\d+", tag(text, "answer"))[-1:] == [solve(question)]
        return json.dumps({"correct": right, "reason": "so", "skills": [] if right else [skill]})
    if "<naming>" in text or "<skills>" in text:
        return json.dumps({"skills": [skill], "reason": "so"})
    return solve(question)


def tag(text: str, name: str) -> str:
    """What stands in the last `<name>` element; nothing where there is none."""
    _, opened, rest = text.rpartition(f"<{name}>\n")
    return rest.partition(f"\n</{name}>")[0] if opened else ""


class Sessions:
    """Opens sessions in a folder; `close` closes their journals and folders."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.opened: list[Session] = []

    def __call__(
        self,
        name: str = "run",
        roles: Mapping[str, Program | Endpoint] | None = None,
        data: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
        **params: object,
    ) -> Session:
        """A session; `roles` adds to or replaces `student` and `teacher`, `data` the rows of sources."""
        players: dict[str, Program | Endpoint] = {"student": student, "teacher": teacher, **(roles or {})}
        flow = FlowFile.model_validate(
            {
                "flow": "stat",
                "models": {role: {"program": "x:y"} for role in players},
                "data": {source: self._write(source, found) for source, found in self._data(data).items()},
            }
        )
        folder = RunFolder(self.folder / name)
        folder.open()
        journal = Journal(folder.journal)
        models = {
            role: Model(role, role, "w", "scripted", ProgramEndpoint(who) if callable(who) else who, journal)
            for role, who in players.items()
        }
        chosen = Params.model_validate({"replay": 0.0, **params})
        progress, path = make_progress(quiet=True), self.folder / "flow.yaml"
        session = Session(flow, chosen, folder, journal, models, progress, path)
        self.opened.append(session)
        return session

    def close(self) -> None:
        """Close everything."""
        for session in self.opened:
            session.journal.close()
            session.folder.close()

    def _data(
        self, data: Mapping[str, Sequence[Mapping[str, Any]]] | None
    ) -> dict[str, Sequence[Mapping[str, Any]]]:
        usual = {
            "profile": rows("sums", range(10, 14)) + rows("products", range(10, 14)),
            "pool": rows("sums", range(20, 30)) + rows("products", range(20, 30)),
        }
        return {**usual, **(data or {})}

    def _write(self, name: str, found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        path = self.folder / f"{name}.jsonl"
        path.write_text("".join(f"{json.dumps(row)}\n" for row in found))
        return {"source": str(path), "skill": "skill", "kind": "number"}
