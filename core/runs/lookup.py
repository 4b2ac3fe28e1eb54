"""One record of a run with its whole story: what it says, who made it, from what, in which tree."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import orjson
from pydantic import Field

from synth.errors import RunError
from synth.records import Call, Rejection, Sample
from synth.runs.runfiles import Part, open_readonly
from synth.runs.trees import SearchTree, find_tree

__all__ = ["Find", "Maker", "Origin", "Story", "find_sample", "look_up", "story_of"]

Find = Callable[[str], tuple[int, Sample] | None]
"""The sample of an id with its round (the last that has it), if the run has one."""

SHORTEST = 3
"""Fewest characters of an id that are looked up."""
LISTED = 5
"""Ids an error names."""


class Maker(Part):
    """One agent's calls behind a record."""

    agent: str
    role: str = ""
    model: str
    weights: str
    temperature: float
    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    keys: list[str] = Field(default_factory=list)


class Origin(Part):
    """A record this one was made from: a sample, a seed of a stage, or something of the data."""

    id: str
    kind: str
    """`sample`, `seed` or `data`."""
    where: str = ""
    text: str = ""
    origins: list[Origin] = Field(default_factory=list)


class Story(Part):
    """A sample, or the rejections in its place, with all that is known of it."""

    id: str
    round: int
    sample: Sample | None = None
    rejections: list[Rejection] = Field(default_factory=list)
    makers: list[Maker] = Field(default_factory=list)
    origins: list[Origin] = Field(default_factory=list)
    tree: SearchTree | None = None


def look_up(run: Path, prefix: str) -> Story:
    """The sample whose id begins so, else the seed or sample that was refused.

    Of an id that several rounds have, the last round's is taken. Raises `RunError` for a
    folder without a run, and for an id that is unknown or stands for several.
    """
    if not (run / "rounds").is_dir():
        raise RunError(f"{run} has no round to look into", "name a folder that `synth run` made: runs/NAME")
    if len(prefix) < SHORTEST:
        raise RunError(f"{prefix!r} is too short for an id", f"give at least {SHORTEST} characters of it")
    found = {sample.id: (number, sample) for number, sample in _samples(run, prefix)}
    if found:
        number, sample = found[_only(found, prefix)]
        return story_of(run, number, sample.seed_id, sample.id, sample, [])
    refused: dict[str, tuple[int, list[Rejection]]] = {}
    for number, rejection in _rejections(run, prefix):
        name = _name(rejection, prefix)
        if refused.get(name, (number,))[0] != number:
            del refused[name]
        refused.setdefault(name, (number, []))[1].append(rejection)
    if not refused:
        raise RunError(
            f"no sample of {run} has an id that begins with {prefix!r}",
            f"ids stand in {run}/rounds/N/data/samples.jsonl",
        )
    name = _only(refused, prefix)
    number, rejections = refused[name]
    return story_of(run, number, rejections[0].seed_id, name, None, rejections)


def find_sample(run: Path, name: str) -> tuple[int, Sample] | None:
    """`Find` for a run without an index: all its samples are read."""
    found = None
    for number, sample in _samples(run, name):
        found = (number, sample) if sample.id == name else found
    return found


def story_of(
    run: Path,
    number: int,
    seed: str,
    name: str,
    sample: Sample | None,
    rejections: list[Rejection],
    find: Find | None = None,
) -> Story:
    """The story of a record that is at hand, made from `seed` in round `number`; its parents are looked
    up by `find`, by default in the files. Raises `RunError`."""
    find = find or partial(find_sample, run)
    journal = run / "journal.db"
    connection = open_readonly(journal) if journal.is_file() else None
    try:
        return Story(
            id=name,
            round=number,
            sample=sample,
            rejections=rejections,
            makers=_makers(sample.lineage.calls, connection) if sample else [],
            origins=_origins(find, sample.lineage.parents, connection, {name}) if sample else [],
            tree=find_tree(run / "rounds" / str(number), seed),
        )
    except sqlite3.Error as error:
        raise RunError(f"reading the journal {journal}: {error}", "restore the file from a copy") from error
    finally:
        if connection is not None:
            connection.close()


def _only(found: Iterable[str], prefix: str) -> str:
    ids = sorted(found)
    if prefix in ids:
        return prefix
    if len(ids) > 1:
        listed = ", ".join(ids[:LISTED]) + (", …" if len(ids) > LISTED else "")
        raise RunError(f"{len(ids)} records begin with {prefix!r}: {listed}", "give more of the id")
    return ids[0]


def _samples(run: Path, prefix: str) -> Iterator[tuple[int, Sample]]:
    """Samples of all rounds whose id begins so, in the order of the rounds."""
    begins = b'{"id":"' + prefix.encode()
    for number, line in _lines(run, "samples.jsonl"):
        if line.startswith(begins):
            yield number, Sample.model_validate_json(line)


def _rejections(run: Path, prefix: str) -> Iterator[tuple[int, Rejection]]:
    wanted = b'"' + prefix.encode()
    for number, line in _lines(run, "rejected.jsonl"):
        if wanted in line:
            rejection = Rejection.model_validate_json(line)
            if _name(rejection, prefix):
                yield number, rejection


def _name(rejection: Rejection, prefix: str) -> str:
    """The id by which a rejection was asked for: its sample's, or its seed's."""
    names = (str(rejection.data.get("sample", "")), rejection.seed_id)
    return next((name for name in names if name.startswith(prefix)), "")


def _lines(run: Path, name: str) -> Iterator[tuple[int, bytes]]:
    """Whole lines of a file of every round."""
    numbers = sorted(int(path.name) for path in (run / "rounds").iterdir() if path.name.isdecimal())
    for number in numbers:
        path = run / "rounds" / str(number) / "data" / name
        if path.is_file():
            with path.open("rb") as file:
                yield from ((number, line) for line in file if line.endswith(b"\n"))


def _makers(calls: Iterable[Call], connection: sqlite3.Connection | None) -> list[Maker]:
    """Calls added up by agent and model, in the order in which agents came in."""
    made: dict[tuple[str, str, str], Maker] = {}
    for call in calls:
        row = _row(connection, "SELECT role, prompt_tokens, completion_tokens FROM calls WHERE key = ?", call)
        role, asked, answered = row or ("", 0, 0)
        name = (call.agent, call.model, call.weights)
        earlier = made.get(name) or Maker(
            agent=call.agent,
            role=role,
            model=call.model,
            weights=call.weights,
            temperature=call.sampling.temperature,
        )
        made[name] = earlier.model_copy(
            update={
                "calls": earlier.calls + 1,
                "prompt_tokens": earlier.prompt_tokens + asked,
                "completion_tokens": earlier.completion_tokens + answered,
                "keys": [*earlier.keys, call.key],
            }
        )
    return list(made.values())


def _row(connection: sqlite3.Connection | None, query: str, call: Call) -> tuple[Any, ...] | None:
    if connection is None:
        return None
    row: tuple[Any, ...] | None = connection.execute(query, (bytes.fromhex(call.key),)).fetchone()
    return row


def _origins(
    find: Find, parents: Iterable[str], connection: sqlite3.Connection | None, seen: set[str]
) -> list[Origin]:
    """What the parents are, and theirs, as far as the run knows."""
    return [_origin(find, parent, connection, seen | {parent}) for parent in parents if parent not in seen]


def _origin(find: Find, name: str, connection: sqlite3.Connection | None, seen: set[str]) -> Origin:
    found = find(name)
    if found is not None:
        number, sample = found
        return Origin(
            id=name,
            kind="sample",
            where=f"round {number}",
            text=sample.prompt[-1]["content"],
            origins=_origins(find, sample.lineage.parents, connection, seen),
        )
    query = (
        "SELECT stage, payload FROM results WHERE seed = ?"
        " AND stage IN (SELECT round || '/' || name FROM stages) ORDER BY stage"
    )
    rows = connection.execute(query, (name,)).fetchall() if connection is not None else []
    if not rows:
        return Origin(id=name, kind="data")
    outputs = [orjson.loads(payload)["output"] for _, payload in rows]
    texts = (str(out[key]) for out in outputs for key in ("instruction", "question") if out.get(key))
    stages = ", ".join(dict.fromkeys(stage for stage, _ in rows))
    return Origin(id=name, kind="seed", where=stages, text=next(texts, ""))
