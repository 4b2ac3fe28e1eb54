"""The example of a graph of one's own, run through the Python API with programs in the models' places."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from synth import Program, Run, SynthError, run
from synth.errors import ConfigError
from synth.flowfiles import load
from synth.records import Message
from synth.runs.audit import audit

HERE = Path(__file__).parents[2] / "examples" / "judge_refine"
STUBBORN = "Why does ice float?"


def writer(messages: Sequence[Message]) -> str:
    """Three sentences at first, one when told so; about one question it never listens."""
    text = messages[-1]["content"]
    short = "Somebody says" in text and STUBBORN not in text
    return json.dumps({"text": "It is so." if short else "It is so. It is. So."})


@pytest.fixture
def flow(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The example's flow as a script would write it."""
    monkeypatch.syspath_prepend(str(HERE))
    from judge_refine import build
    from sentence_judge import judge

    yield {
        "flow": build,
        "name": "mine",
        "generate_only": True,
        "models": {"writer": Program(writer), "judge": Program(judge)},
        "data": {"pool": {"source": HERE / "questions.jsonl", "answer": None}},
    }
    for name in ("judge_refine", "sentence_judge"):
        sys.modules.pop(name, None)


def made(flow: dict[str, Any], runs: Path) -> Run:
    """The flow, run to its end or gone on with."""
    return run(flow, runs=runs, quiet=True)


def test_the_flow_file_is_ready_to_run() -> None:
    """`synth check` finds the graph, the judge and the questions beside the file."""
    loaded = load(HERE / "flow.yaml", (), None, offline=True)
    assert loaded.flow.generate_only and loaded.flow.models["judge"].program == "sentence_judge:judge"


def test_what_the_judge_is_content_with_is_kept_and_the_rest_has_its_reason(
    flow: dict[str, Any], tmp_path: Path
) -> None:
    """All of the loop: written, judged, mended, judged; given up after three answers."""
    result = made(flow, tmp_path)
    samples, [dropped] = list(result.samples()), list(result.rejections())
    questions = [json.loads(line)["question"] for line in (HERE / "questions.jsonl").open()]
    asked = {sample.prompt[0]["content"] for sample in samples}
    assert asked == set(questions) - {STUBBORN}
    for sample in samples:
        assert sample.completion == [{"role": "assistant", "content": "It is so."}]
        assert [call.agent for call in sample.lineage.calls] == ["write", "judge", "refine", "judge"]
    assert (dropped.reason, dropped.detail, dropped.node) == ("unmended", "it has 3 sentences", "decide")
    assert dropped.raw == "It is so. It is. So."
    assert result.dataset().num_rows == len(samples) == len(questions) - 1
    assert result.decisions == [] and result.report.is_file()


async def test_the_same_call_goes_on_and_pays_nothing_twice_even_inside_a_loop(
    flow: dict[str, Any], tmp_path: Path
) -> None:
    """A notebook's cell is run again, and a loop is running there."""
    made(flow, tmp_path)
    first = audit(tmp_path / "mine")
    assert [s.id for s in made(flow, tmp_path).samples()] == [
        s.id for s in Run(tmp_path / "mine", []).samples()
    ]
    again = audit(tmp_path / "mine")
    assert (again.paid, again.lost, again.duplicated) == (first.paid, 0, 0) and again.starts == 2


def test_what_cannot_be_found_again_by_name_is_refused(flow: dict[str, Any], tmp_path: Path) -> None:
    """A run that was stopped has to find its functions again."""
    with pytest.raises(SynthError, match="cannot be found again by its name"):
        made({**flow, "models": {**flow["models"], "writer": Program(lambda messages: "")}}, tmp_path)


def test_a_wrong_key_is_named_as_in_a_file(flow: dict[str, Any], tmp_path: Path) -> None:
    """The dictionary is checked as strictly as a flow file."""
    with pytest.raises(ConfigError, match="generate_onyl"):
        made({**flow, "generate_onyl": True}, tmp_path)
