"""Tasks of several turns: functions are really called, conversations are answered turn by turn."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from synth.flows.agentinstruct import generate
from tests.flows.agentinstruct_session import CODE, Messages, playing

APIS = {
    "apis": [
        {
            "name": "double",
            "description": "Twice a number.",
            "parameters": [{"name": "x", "type": "integer"}],
            "returns": [{"name": "value", "type": "integer", "examples": [8]}],
        },
        {"name": "bad name", "description": "cannot be called"},
        {
            "name": "halve",
            "description": "Half of a number.",
            "parameters": [{"name": "x", "type": "number"}],
        },
    ]
}


def tool_teacher(task: dict[str, Any], steps: list[dict[str, Any]]) -> Any:
    """Describes two functions, writes one task, then takes `steps`, the last one again and again."""
    taken = Counter[str]()

    def say(messages: Messages, body: Mapping[str, Any]) -> str:
        text = str(messages[-1]["content"])
        if "<transformation " in text:
            return json.dumps(APIS)
        if "<type " in text:
            return json.dumps({"tasks": [task]})
        at = taken["steps"]
        taken["steps"] += 1
        return json.dumps(steps[min(at, len(steps) - 1)])

    return say


def tools(kind: str) -> dict[str, Any]:
    return {
        "skills": ["tool_use"],
        "types": {"tool_use": [kind]},
        "transformations": {"tool_use": ["api_documentation"]},
        "files": {"a.py": CODE.split("\n\n\n")[0]},
        "refinements": 0,
    }


CALL = {"calls": [{"name": "double", "arguments": {"x": 4}}]}
HALVE = {"calls": [{"name": "halve", "arguments": {"x": 4}}]}
ONE = {"instruction": "Double 4 for me.", "needs": ["double"]}


async def test_a_call_is_executed_and_its_result_goes_on(tmp_path: Path) -> None:
    """One example a turn of the assistant: the call, then the words for the user."""
    teacher = tool_teacher(ONE, [CALL, {"answer": "It is 8."}])
    async with playing(tmp_path, teacher, **tools("single_all_parameters")) as session:
        call, last = await generate(session)
    assert call.completion and last.completion
    assert json.loads(
        call.completion[0]["content"].removeprefix("<tool_call>").removesuffix("</tool_call>")
    ) == {
        "name": "double",
        "arguments": {"x": 4},
    }
    assert [message["role"] for message in call.prompt] == ["system", "user"]
    assert [message["role"] for message in last.prompt] == ["system", "user", "assistant", "tool"]
    assert json.loads(last.prompt[-1]["content"]) == {"value": 8}
    assert last.completion[0]["content"] == "It is 8."
    assert "bad name" not in call.prompt[0]["content"], "what cannot be called is not offered"
    assert (call.meta["turn"], last.meta["turn"]) == (0, 1)


async def test_a_call_that_does_not_fit_is_asked_for_again(tmp_path: Path) -> None:
    """Once; then the item is dropped with what the schema says."""
    bad = {"calls": [{"name": "double", "arguments": {"x": "four"}}]}
    mended = tool_teacher(ONE, [bad, CALL, {"answer": "It is 8."}])
    async with playing(tmp_path, mended, **tools("single_all_parameters")) as session:
        assert len(list(await generate(session))) == 2
    async with playing(
        tmp_path, tool_teacher(ONE, [bad]), name="bad", **tools("single_all_parameters")
    ) as session:
        assert not list(await generate(session))
        assert [(r.reason, r.detail) for r in session.rejections()] == [
            ("failed-check", "double: 'four' is not of type 'integer'")
        ]


@pytest.mark.parametrize(
    ("kind", "task", "steps", "fault"),
    [
        ("single_missing_parameters", ONE, [{"answer": "Which number?"}], ""),
        (
            "single_missing_parameters",
            ONE,
            [CALL, {"answer": "8"}],
            "it calls double where nothing should be called",
        ),
        ("single_all_parameters", ONE, [{"answer": "It is 8."}], "double is not called"),
        ("single_all_parameters", ONE, [CALL, HALVE, {"answer": "8"}], "halve is called and not needed"),
        ("multiple_all_parameters", ONE, [CALL], "it needs 1 functions, not many"),
        ("unlisted", {**ONE, "hidden": ["double"]}, [{"answer": "I have nothing for that."}], ""),
        ("unlisted", ONE, [{"answer": "No."}], "no function is hidden"),
        ("single_all_parameters", {**ONE, "needs": ["triple"]}, [CALL], "the functions are double, halve"),
        ("single_all_parameters", ONE, [CALL], "no answer after 6 turns"),
    ],
)
async def test_the_calls_made_are_those_the_type_is_for(
    tmp_path: Path, kind: str, task: dict[str, Any], steps: list[dict[str, Any]], fault: str
) -> None:
    """Asked for a missing value, refused what is not offered, called what is."""

    def say(messages: Messages, body: Mapping[str, Any]) -> str:
        mend = '<change goal="mend">' in str(messages[-1]["content"])
        return json.dumps({"task": task}) if mend else teacher(messages, body)

    teacher = tool_teacher(task, steps)
    async with playing(tmp_path, say, **tools(kind)) as session:
        samples = list(await generate(session))
        details = [r.detail for r in session.rejections()]
    assert bool(samples) is not bool(fault)
    assert all(fault in detail for detail in details)
    assert len(details) == (1 if fault else 0)


async def test_a_library_is_grown_from_similar_code(tmp_path: Path) -> None:
    """Retrieval shows other passages of the run; growing stops after two more looks."""
    seen: list[str] = []
    more = iter(
        [
            {"apis": [{"name": "double", "description": "again"}]},
            {"apis": [{"name": "third", "description": "3"}]},
        ]
    )

    def say(messages: Messages, body: Mapping[str, Any]) -> str:
        text = str(messages[-1]["content"])
        if "<known>" in text:
            seen.append(text)
            return json.dumps(next(more, {"apis": []}))
        return teacher(messages, body)

    teacher = tool_teacher(ONE, [CALL, {"answer": "It is 8."}])
    setup = {
        **tools("single_all_parameters"),
        "transformations": {"tool_use": ["api_retrieval"]},
        "files": {"a.py": CODE},
    }
    async with playing(tmp_path, say, **setup, limit=1) as session:
        samples = list(await generate(session))
    assert "<found>\ndef " in seen[0]
    assert len(seen) == 2
    assert "third" in samples[0].prompt[0]["content"]


async def test_a_conversation_is_answered_turn_by_turn(tmp_path: Path) -> None:
    """Each answer sees what went before and not what comes after."""
    asked: list[str] = []

    def say(messages: Messages, body: Mapping[str, Any]) -> str:
        text = str(messages[-1]["content"])
        if "<type " in text:
            return json.dumps(
                {"tasks": [{"instruction": "rivers", "turns": ["Why spring?", "And in autumn?"]}]}
            )
        asked.append(text)
        return json.dumps({"answer": f"Answer {len(asked)}."})

    only: dict[str, Any] = {
        "skills": ["conversation"],
        "types": {"conversation": ["learning"]},
        "transformations": {"conversation": ["identity"]},
    }
    async with playing(tmp_path, say, refinements=0, **only) as session:
        first, second = await generate(session)
    assert "And in autumn?" not in asked[0]
    assert "assistant: Answer 1." in asked[1]
    assert [m["content"] for m in second.prompt] == ["Why spring?", "Answer 1.", "And in autumn?"]
    assert first.completion and second.completion
    assert (first.completion[0]["content"], second.completion[0]["content"]) == ("Answer 1.", "Answer 2.")


async def test_a_turn_with_nothing_said_is_asked_for_once_more(tmp_path: Path) -> None:
    """With the fault; a second time it costs the conversation."""
    asked: list[str] = []

    def say(messages: Messages, body: Mapping[str, Any]) -> str:
        text = str(messages[-1]["content"])
        if "<type " in text:
            return json.dumps(
                {"tasks": [{"instruction": "rivers", "turns": [f"Why {n}?", f"And {n}?"]} for n in "ab"]}
            )
        asked.append(text)
        silent = ("<task>\nAnd a?" in text and "not accepted" not in text) or "<task>\nAnd b?" in text
        return json.dumps({"answer": " " if silent else "So."})

    only: dict[str, Any] = {
        "skills": ["conversation"],
        "types": {"conversation": ["learning"]},
        "transformations": {"conversation": ["identity"]},
    }
    async with playing(tmp_path, say, refinements=0, **only) as session:
        kept = list(await generate(session))
        lost = [drop for result in session.results("make") for drop in result.rejections]
    assert [sample.prompt[0]["content"] for sample in kept] == ["Why a?", "Why a?"]
    assert [(drop.reason, drop.detail, drop.attempts) for drop in lost] == [
        ("failed-check", "turn 2: the answer is empty", 2)
    ]
    assert sum("not accepted: the answer is empty" in text for text in asked) == 2
