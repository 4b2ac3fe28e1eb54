"""The verifiers `constraints` and `module:function`, and rows that carry constraints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from synth.config import DataSource
from synth.data import read_questions
from synth.errors import DataError
from synth.records import Question
from synth.verify import judge

NO_COMMA = {"type": "punctuation:no_comma", "args": {}}
QUOTED = {"type": "startend:quotation", "args": {}}
TITLED = {"type": "detectable_format:title", "args": {}}


def asked(*constraints: dict[str, Any]) -> Question:
    return Question.of("Write.", "", meta={"constraints": list(constraints)} if constraints else None)


async def test_constraints_give_correct_strict_score_and_parts() -> None:
    """Right is what follows all of them loosely; the score is a share; the parts are strict."""
    question = asked(NO_COMMA, QUOTED, TITLED)
    all_three = await judge('"<<Tea>>"', question, "constraints")
    assert (all_three.correct, all_three.strict, all_three.score) == (True, True, 1.0)
    framed = await judge('Sure:\n"<<Tea>>"', question, "constraints")
    assert (framed.correct, framed.strict, framed.score) == (True, False, 1.0)
    assert framed.parts == (True, False, True)
    one = await judge("Tea without more", question, "constraints")
    assert (one.correct, one.strict, one.score) == (False, False, pytest.approx(1 / 3))


async def test_empty_and_truncated_answers_follow_nothing() -> None:
    """A text that was cut off is no answer, even if it keeps to the rules so far."""
    question = asked(NO_COMMA)
    assert (await judge("Tea is", question, "constraints")).correct
    for response, truncated in (("", False), ("Tea is", True)):
        judged = await judge(response, question, "constraints", truncated=truncated)
        assert (judged.correct, judged.strict, judged.score, judged.parts) == (False, False, 0.0, (False,))
        assert judged.response == response, "the record keeps what was said"


async def test_a_question_without_constraints_is_a_fault_of_the_data() -> None:
    """Nothing to check is no success."""
    with pytest.raises(DataError, match="has no constraints"):
        await judge("Tea", asked(), "constraints")


def half(response: str, question: Question) -> float:
    return 0.5 if "half" in response else 1.0


def short(response: str, question: Question) -> bool:
    return len(response) < len(question.question)


def broken(response: str, question: Question) -> str:
    return {"a": "text"}[response]


async def test_a_function_of_the_users_judges() -> None:
    """A number is the score and right from 1 on; a bool is right or wrong."""
    score = await judge("half done", asked(), f"{__name__}:half")
    assert (score.score, score.correct) == (0.5, False)
    assert (await judge("done", asked(), f"{__name__}:half")).correct
    assert (await judge("Tea", asked(), f"{__name__}:short")).score == 1.0
    assert not (await judge("A longer text", asked(), f"{__name__}:short")).correct
    assert not (await judge("", asked(), f"{__name__}:short")).correct
    assert not (await judge("Tea", asked(), f"{__name__}:short", truncated=True)).correct


@pytest.mark.parametrize(
    ("verifier", "response", "message"),
    [
        ("nowhere:check", "a", "cannot be loaded"),
        (f"{__name__}:nothing", "a", "cannot be loaded"),
        (f"{__name__}:broken", "b", "KeyError"),
        (f"{__name__}:broken", "a", "returned str"),
    ],
)
async def test_a_faulty_function_is_named(verifier: str, response: str, message: str) -> None:
    """A mistake in it is told with the function's name and no traceback."""
    with pytest.raises(DataError, match=message) as caught:
        await judge(response, asked(), verifier)
    assert verifier in caught.value.what and caught.value.cure


ROW = {"prompt": "Write.", "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{"num_words": None}]}


def read(path: Path) -> list[Question]:
    return list(read_questions(DataSource(source=str(path), question="prompt", answer=None), base=Path()))


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_rows_in_ifevals_form_are_prompts_with_constraints(tmp_path: Path, suffix: str) -> None:
    """Ids and arguments are taken over; null arguments, which tables are full of, are not."""
    path = tmp_path / f"prompts{suffix}"
    if suffix == ".jsonl":
        path.write_bytes(orjson.dumps(ROW))
    else:
        pq.write_table(pa.Table.from_pylist([ROW]), path)
    [question] = read(path)
    assert question.meta == {"constraints": [NO_COMMA]}
    assert (question.answer, question.family, question.skills) == ("", NO_COMMA["type"], (NO_COMMA["type"],))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"instruction_id_list": ["punctuation:no_coma"]}, "no constraint type 'punctuation:no_coma'"),
        ({"kwargs": []}, "do not go together"),
        ({"kwargs": [{"num_words": 3}]}, "argument 'num_words'"),
    ],
)
def test_faulty_rows_name_file_and_line(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    """A wrong id or argument stops the reading, at the line that holds it."""
    path = tmp_path / "prompts.jsonl"
    path.write_bytes(orjson.dumps(ROW) + b"\n" + orjson.dumps({**ROW, **change}))
    with pytest.raises(DataError, match=message) as caught:
        read(path)
    assert f"{path}:2: " in caught.value.what
