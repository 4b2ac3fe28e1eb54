"""Builds a run folder as a real run leaves it, small and quickly, for tests of what reads one."""

from __future__ import annotations

import json
import random
import sqlite3
from pathlib import Path
from typing import Any

import orjson
import yaml

from synth.config.flowfile import Gate
from synth.measure.gate import decide
from synth.measure.stats import wilson
from synth.records import Judged, Rejection, Sample

FAMILIES = {  # family: share right before, after round 1
    "base_conversion": (0.36, 0.69),
    "caesar_cipher": (0.04, 0.58),
    "chain_sum": (0.62, 0.84),
    "leg_counting": (0.56, 0.76),
    "letter_counting": (0.49, 0.71),
    "number_sorting": (0.53, 0.51),
    "spell_backward": (0.22, 0.80),
    "word_sorting_with_a_long_name": (0.11, 0.29),
}
STAGES = ("profile", "generate", "curate", "train", "serve", "evaluate", "gate")
START = 1_760_000_000.0
FLOW: dict[str, Any] = {
    "flow": "stat",
    "name": "stat-small",
    "seed": 7,
    "rounds": 2,
    "models": {
        "teacher": {"model": "smollm2-360m", "concurrency": 64},
        "student": {"model": {"scratch": "tiny", "steps": 600}},
    },
    "data": {"pool": {"source": "tasks", "size": 400}, "test": {"source": "tasks", "size": 45, "seed": 9}},
    "with": {"arm": "fixed", "questions_per_skill": 5},
    "train": {"learning_rate": 1.0e-4, "epochs": 2},
    "gate": {"metric": "accuracy", "test": "mcnemar", "alpha": 0.05},
}
TABLES = """
CREATE TABLE calls(id INTEGER PRIMARY KEY, key BLOB UNIQUE, stage TEXT, agent TEXT, role TEXT, model TEXT,
  weights TEXT, request BLOB, reply BLOB, prompt_tokens INT, completion_tokens INT, seconds REAL, at REAL);
CREATE TABLE sends(id INTEGER PRIMARY KEY, key BLOB, session TEXT, at REAL);
CREATE TABLE results(stage TEXT, seed TEXT, position INT, kept INT, rejected INT, payload BLOB,
  PRIMARY KEY(stage, seed));
CREATE TABLE stages(round INT, name TEXT, status TEXT, started REAL, finished REAL, info TEXT,
  PRIMARY KEY(round, name));
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT);
"""


def build(folder: Path, rounds: int = 2, stop_in: str | None = None, state: str = "finished") -> Path:
    """A run of `rounds` rounds; with `stop_in` its last round was at work in that stage.

    Round 1 is promoted, the later ones are not. Returns the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "flow.yaml").write_text(yaml.safe_dump(FLOW, sort_keys=False))
    journal = sqlite3.connect(folder / "journal.db")
    journal.executescript(TABLES)
    facts = {"state": state, "name": "stat-small", "created": str(START), "version": "0.1.0"}
    journal.executemany("INSERT INTO meta VALUES(?, ?)", [*facts.items(), ("pid", "0")])
    for number in range(1, rounds + 1):
        done = list(STAGES)
        if stop_in and number == rounds:
            done = done[: done.index(stop_in)]
        for name in done:
            _stage(journal, number, name, "done")
        if stop_in and number == rounds:
            _stage(journal, number, stop_in, "running")
        _files(folder / "rounds" / str(number), number, done, stop_in if number == rounds else None)
    journal.commit()
    journal.close()
    return folder


def _stage(journal: sqlite3.Connection, number: int, name: str, status: str) -> None:
    spans = {"profile": 41, "generate": 212, "curate": 3, "train": 388, "serve": 6, "evaluate": 57, "gate": 1}
    begin = START + 1000 * number + 60 * STAGES.index(name)
    info: dict[str, Any] = {}
    if status == "done" and name in ("profile", "generate", "curate"):
        reasons = {
            "generate": {"unparsed": 61, "disagreed": 148, "truncated": 9},
            "curate": {"duplicate": 33},
        }
        refused = sum(reasons.get(name, {}).values())
        info = {"items": 1500, "kept": 1500 - refused, "rejected": refused, "reasons": reasons.get(name, {})}
    end = begin + spans[name] if status == "done" else None
    journal.execute(
        "INSERT INTO stages VALUES(?,?,?,?,?,?)", (number, name, status, begin, end, json.dumps(info))
    )
    if name in ("profile", "generate", "evaluate"):
        stage = f"{number}/{name}"
        for i in range(30):
            row = (
                f"{stage}/{i}".encode(),
                stage,
                "agent",
                "teacher",
                "m",
                "w",
                b"{}",
                b"{}",
                310,
                95,
                1.5,
                begin + i,
            )
            journal.execute(
                "INSERT INTO calls(key, stage, agent, role, model, weights, request, reply, prompt_tokens,"
                " completion_tokens, seconds, at) VALUES(?,?,?,?,?,?,?,?,?,?,?,?)",
                row,
            )
            journal.execute("INSERT INTO results VALUES(?,?,?,?,?,?)", (stage, f"s{i}", i, 4, 1, b"{}"))


def _files(path: Path, number: int, done: list[str], at_work: str | None) -> None:
    """What the finished stages of a round have written; a training at work has a torn log."""
    for sub in ("data", "train", "eval"):
        (path / sub).mkdir(parents=True)
    start = "base" if number == 1 else "student of round 1"
    plan = {"round": number, "arm": "fixed", "start": start, "weights": f"w{number}", "test_items": 360}
    (path / "plan.json").write_bytes(orjson.dumps(plan))
    if "profile" in done:
        (path / "profile.json").write_bytes(orjson.dumps(_profile()))
    if "curate" in done:
        _lines(path / "data" / "samples.jsonl", [_sample(i, number) for i in range(300)])
        _lines(path / "data" / "rejected.jsonl", [_rejection(i, number) for i in range(251)])
    if "train" in done or at_work == "train":
        log = "".join(json.dumps(_loss(step)) + "\n" for step in range(1, 301))
        (path / "train" / "log.jsonl").write_text(log + ('{"step": 301, "lo' if at_work else ""))
    if "evaluate" in done:
        before, after = _judged(number)
        _lines(path / "eval" / "before.jsonl", before)
        _lines(path / "eval" / "after.jsonl", after)
        if "gate" in done:
            (path / "gate.json").write_text(decide(before, after, Gate()).model_dump_json(indent=2))


def _lines(path: Path, records: list[Any]) -> None:
    path.write_text("".join(record.model_dump_json() + "\n" for record in records))


def _profile() -> dict[str, Any]:
    difficult = {family: round(25 * (1 - before)) for family, (before, _) in FAMILIES.items()}
    total = sum(difficult.values())
    skills = []
    for skill, n in difficult.items():
        counts = {"asked": 25, "difficult": n, "missing": n, "draws": 5 * n, "share": n / total}
        interval = wilson(n, 25)
        skills.append({"skill": skill, "low": interval.low, "high": interval.high, **counts})
    return {"asked": 200, "difficult": total, "skills": skills}


def _sample(i: int, number: int) -> Sample:
    family = list(FAMILIES)[i % len(FAMILIES)]
    question = (
        f"Decrypt this Caesar cipher with a shift of {i % 25 + 1}, and give only the plain text: "
        "KHOOR ZRUOG. Say which letters moved past the end of the alphabet."
    )
    answer = f"Each letter moves back by {i % 25 + 1}.\nH-E-L-L-O and W-O-R-L-D.\nAnswer: HELLO WORLD ({i})"
    prompt: Any = [{"role": "user", "content": question}]
    return Sample.sft(prompt, answer, seed_id=str(i), flow="stat", arm="fixed", round=number, family=family)


def _rejection(i: int, number: int) -> Rejection:
    stage, reason, detail = (
        ("generate", "disagreed", "3 solutions, 3 different answers") if i < 148
        else ("generate", "unparsed", "no <question> tag in the reply") if i < 209
        else ("curate", "duplicate", "same question as sample 41d2c0aa17be9035") if i < 242
        else ("generate", "truncated", "512 of 512 tokens, no end")
    )  # fmt: skip
    return Rejection(
        seed_id=str(i), round=number, stage=stage, node="solve", reason=reason, detail=detail,
        raw="<question>How many times does the letter 'r' occur in <b>strawberry</b> & raspberry?",
        data={"family": list(FAMILIES)[i % len(FAMILIES)], "question": "How many r are in strawberry?"},
    )  # fmt: skip


def _loss(step: int) -> dict[str, float]:
    noise = random.Random(step).uniform(-0.12, 0.12)
    loss = 0.35 + 1.9 * 0.985**step + noise * (0.4 + 0.98**step)
    rate = 1e-4 * (1 - step / 300)
    spent = {"tokens": 512 * step, "seconds": 1.29 * step, "epoch": step / 150}
    return {"step": step, "loss": round(loss, 4), "learning_rate": rate, **spent}


def _judged(number: int) -> tuple[list[Judged], list[Judged]]:
    """45 items a family; after round 1 the student stays as it is but for noise."""
    rng = random.Random(number)
    before, after = [], []
    for family, (low, high) in FAMILIES.items():
        for i in range(45):
            was = rng.random() < (low if number == 1 else high)
            now = rng.random() < 0.08 if not was else rng.random() < 0.95
            if number == 1 and not was:
                now = rng.random() < (high - 0.93 * low) / (1 - low)
            before.append(_answer(family, i, was))
            after.append(_answer(family, i, now))
    return before, after


def _answer(family: str, i: int, right: bool) -> Judged:
    said = str(i) if right else str(i + 3)
    return Judged(
        id=f"{family}-{i}", family=family, question=f"{family.replace('_', ' ')}: what is item {i}?",
        answer=str(i), response=f"The answer is {said}." if i % 3 else said, extracted=said,
        correct=right, strict=right and i % 3 == 0,
    )  # fmt: skip
