"""What a run will take, from the documents and the skills alone."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

from synth.config import FlowFile
from synth.data.documents import Passage
from synth.flows.agentinstruct import Params
from synth.flows.agentinstruct.plan import plan
from synth.flows.agentinstruct.seeds import plan_seeds
from synth.flows.agentinstruct.skill import load_skills
from synth.plan import Survey
from tests.flows.agentinstruct_session import TEXT


def survey(folder: Path, **params: Any) -> Survey:
    (folder / "documents").mkdir(exist_ok=True)
    for number in range(4):
        (folder / "documents" / f"{number}.md").write_text(
            TEXT.replace("river", f"canal of {number * 'very '}")
        )
    flow = FlowFile.model_validate(
        {"flow": "agentinstruct", "models": {role: {"program": "x:y"} for role in ("student", "teacher")}}
    )
    seeds = [{"source": str(folder / "documents")}, *params.pop("more", [])]
    chosen = Params.model_validate({"seeds": seeds, "near_duplicates": None, "least": 5, **params})
    return Survey(flow, chosen, {}, path=folder / "flow.yaml")


def test_calls_multiply_as_the_parameters_say(tmp_path: Path) -> None:
    """4 passages x 1 skill x 2 types x 3 tasks, each refined once, each answered three times."""
    (make,) = plan(
        survey(tmp_path, skills=["reading_comprehension"], types_per_seed=2, tasks=3, refinements=1)
    )
    calls = {agent.agent: agent.calls for agent in make.agents}
    assert (make.seeds, calls["instruct"], calls["suggest"], calls["edit"]) == (4, 8, 24, 24)
    assert calls["respond"] == 48 * 3
    assert round(calls["transform"], 6) == round(4 * 8 / 9, 6), "one of nine transformations is a copy"
    (single,) = plan(survey(tmp_path, skills=["reading_comprehension"], arm="control-unrefined"))
    assert {"suggest", "edit"}.isdisjoint(agent.agent for agent in single.agents)


def test_made_up_turns_and_discrimination_are_stages_and_calls_of_their_own(tmp_path: Path) -> None:
    """Nothing that is paid for is left out."""
    magpie = {"source": "magpie", "size": 7}
    first, make = plan(survey(tmp_path, skills=["fermi"], more=[magpie], discriminate=True))
    assert (first.name, first.seeds, make.seeds) == ("magpie", 7, 11)
    assert {"solve-teacher", "solve-student"} <= {agent.agent for agent in make.agents}


def test_many_seeds_are_planned_in_little_memory() -> None:
    """Seeds stream: what is held does not grow with their number."""
    skills = load_skills((), Path(__file__))

    def seen(count: int) -> int:
        passages = (Passage.of(f"text {n}" * 100, "prose", f"f:{n}") for n in range(count))
        return sum(1 for _ in plan_seeds(passages, skills, Params(), 0))

    per_passage = seen(20) // 20
    tracemalloc.start()
    try:
        assert seen(300) == 300 * per_passage
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 2_000_000
