"""One model served alone for whoever asks: a run's champion, a round's student, or a model by name."""

from __future__ import annotations

import re
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from synth.errors import ModelError, RunError, ServerError
from synth.measure.examinee import Examinee, examinee
from synth.measure.gate import Decision
from synth.progress import Progress
from synth.rounds.prepare import prepare_folders
from synth.runs.runfiles import read_json
from synth.teachers.models import resolve
from synth.teachers.vllm import VllmServer

__all__ = ["Served", "champion_round", "served", "who_is"]

BASE = "base"
"""Name of the weights below an adapter."""


@dataclass(frozen=True)
class Served:
    """A server that answers."""

    server: VllmServer
    name: str
    """What requests call the model."""
    title: str
    """Whose weights it has, in words."""


async def who_is(model: str, number: int | None) -> Examinee:
    """Whom `model` names; of a run its champion, or the student of round `number`.

    Raises `RunError` for a run whose champion is its base model, `ModelError` for what cannot be served.
    """
    run = Path(model).expanduser()
    if number is None and (run / "flow.yaml").is_file() and (run / "rounds").is_dir():
        number = champion_round(run)
    who = await examinee(model, number, None, None)
    if who.spec.kind != "local":
        raise ModelError(
            f"{model} is no model with weights of its own", "name a run, an alias, a hub id or a folder"
        )
    return who


def champion_round(run: Path) -> int:
    """The last round whose student the gate promoted. Raises `RunError` if there is none."""
    rounds = sorted(int(path.name) for path in (run / "rounds").iterdir() if path.name.isdecimal())
    for number in reversed(rounds):
        decision = read_json(run / "rounds" / str(number) / "gate.json", Decision, [])
        if decision is not None and decision.decision == "promote":
            return number
    raise RunError(
        f"no round of {run} ended with a promotion: its champion is the model it began with",
        "name a --round to serve that round's student all the same, or serve the base model by its name",
    )


@asynccontextmanager
async def served(who: Examinee, port: int, name: str | None, progress: Progress) -> AsyncIterator[Served]:
    """Serve these weights while this is open. Raises `ServerError` where they cannot be served."""
    folder = await _weights(who, progress)
    called = name or re.sub(r"[^A-Za-z0-9._-]+", "-", who.title).strip("-")
    options = who.spec.server.model_copy(update={"port": port})
    with tempfile.TemporaryDirectory(prefix="synth-serve-") as place:
        server = VllmServer(
            folder,
            BASE if who.adapter else called,
            options,
            Path(place) / "server.log",
            lora=who.adapter is not None,
            max_lora_rank=who.lora.r if who.lora else 16,
        )
        progress.log(f"starting a server for {who.title}")
        try:
            await server.start()
            if who.adapter:
                await server.load_adapter(called, who.adapter)
            yield Served(server, called, who.title)
        except ServerError as error:
            if f"port {port} is in use" not in error.what:
                raise
            raise ServerError(error.what, "name another --port") from error
        finally:
            await server.stop()


async def _weights(who: Examinee, progress: Progress) -> Path:
    """The folder of the weights, or of those below the adapter; fetched or made if need be."""
    if who.base is not None:
        return (await prepare_folders(who.base, Path.cwd() / "flow.yaml", progress))["student"]
    return resolve(str(who.spec.model))
