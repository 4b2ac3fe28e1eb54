"""How a student is examined: greedily, or at the temperature that the flow file gives its exams."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from synth.chat import Leaving, Reply, Request
from synth.config import Evaluate
from synth.engine.session import Session
from synth.flows.answering import exam_graph, question_seeds
from synth.teachers.model import Model
from synth.teachers.program import ProgramEndpoint
from tests.flows.drift_session import SIZE, sessions, student

begin = pytest.fixture(sessions, name="begin")


class Noting(ProgramEndpoint):
    """Notes at which temperature, and for which sample, it is asked."""

    def __init__(self) -> None:
        super().__init__(student)
        self.asked: set[tuple[float, int]] = set()

    async def chat(
        self, request: Request, model: str, n: int, first: int, name: str, leaving: Leaving | None = None
    ) -> list[Reply]:
        self.asked.add((request.sampling.temperature, first))
        return await super().chat(request, model, n, first, name, leaving)


@pytest.mark.parametrize(
    ("settings", "given", "asked"),
    [
        ({}, {}, (0.0, 0)),
        ({"temperature": 0.7}, {}, (0.7, 0)),
        ({}, {"temperature": 1.0, "sample": 3}, (1.0, 3)),
    ],
)
async def test_exams_are_greedy_unless_the_flow_file_says_otherwise(
    begin: Callable[..., Session],
    settings: dict[str, float],
    given: dict[str, float],
    asked: tuple[float, int],
) -> None:
    """A student that follows a request every second time does so always or never when it answers greedily:
    what an exam of such students shows depends on the temperature, so it is the flow file's to name."""
    session, endpoint = begin(), Noting()
    session.models = {"student": Model("student", "s", "w", "s", endpoint, session.journal)}
    graph = exam_graph(Evaluate(verifier="constraints", **settings), **given)  # type: ignore[arg-type]
    results = await session.stage("exam", graph, question_seeds(session.questions("pool")), total=SIZE)
    assert len(list(results)) == SIZE
    assert endpoint.asked == {asked}
