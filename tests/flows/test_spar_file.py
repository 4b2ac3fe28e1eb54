"""`flows/spar.yaml` as it stands, with its own prompts and programs; a program plays the student."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from synth.config import load_flow
from synth.engine.folder import RunFolder
from synth.engine.session import Session
from synth.flows import load_flow_module
from synth.flows.spar import Params, generate
from synth.journal import Journal
from synth.progress import make_progress
from synth.records import Message
from synth.teachers.model import Model
from synth.teachers.program import ProgramEndpoint, load_program

FILE = Path(__file__).parents[2] / "flows" / "spar.yaml"
SMALL = ("data.prompts.size=4", "data.test.size=2")


def student(messages: Sequence[Message], sample: int = 0) -> str:
    """One sentence that follows nothing in particular."""
    about = messages[-1]["content"].split(".")[0]
    return f"Well, {about} is number {sample} of the Many Things that I, for one, could talk about."


async def test_the_programs_turn_almost_every_failure_into_a_minimal_pair(tmp_path: Path) -> None:
    """Judge and checker never differ; a slip of the refiner costs a branch, not the tree; and pairs
    differ in a small part of their characters."""
    loaded = load_flow(FILE, overrides=SMALL, params=lambda name: load_flow_module(name).params)
    assert isinstance(loaded.params, Params)
    run = RunFolder(tmp_path / "run")
    journal = Journal(run.round(1).parent.parent / "journal.db")
    programs = {role: spec.program for role, spec in loaded.flow.models.items() if spec.program}
    players = {"student": student} | {role: load_program(name) for role, name in programs.items()}
    models = {
        role: Model(role, role, "w", role, ProgramEndpoint(player), journal)
        for role, player in players.items()
    }
    session = Session(
        loaded.flow, loaded.params, run, journal, models, make_progress(quiet=True), loaded.path
    )
    samples = list(await generate(session))
    found = json.loads((run.round(1) / "spar.json").read_bytes())
    journal.close()
    assert found["prompts"] == 24
    assert found["responses"]["gap"] == found["refined"]["gap"] == 0.0
    assert found["search"]["found"] >= 0.8 * found["search"]["trees"]
    assert len(samples) == found["pairs"]["kept"] >= 0.8 * found["search"]["found"]
    assert found["pairs"]["edit"]["median"] < 0.3
    assert {sample.learner for sample in samples} == {"student"}
    families = {sample.family for sample in samples}
    assert len(families) >= 5
