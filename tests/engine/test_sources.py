"""What the stages are given of the data a flow file names."""

from __future__ import annotations

from pathlib import Path

from synth.config import DataSource, FlowFile
from synth.engine.sources import Sources


def test_a_row_that_repeats_another_is_one_question(tmp_path: Path) -> None:
    """Two alike would be one seed twice: an exam of them could never be complete."""
    first = '{"question": "2 + 2?", "answer": "4"}'
    other = '{"question": "2 + 2?", "answer": "four"}'
    (tmp_path / "twice.jsonl").write_text("\n".join([first, other, first]))
    flow = FlowFile.model_construct(data={"pool": DataSource(source="twice.jsonl")}, held_out=())
    questions = Sources(flow, tmp_path).questions("pool")
    assert [(found.question, found.answer) for found in questions] == [("2 + 2?", "4"), ("2 + 2?", "four")]
