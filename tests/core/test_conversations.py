"""Dialogues of every shape become the same conversation, and a faulty row is named with its cure."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from synth.config import DataSource, FlowFile
from synth.data.conversations import Conversation, read_conversations
from synth.engine.folder import RunFolder
from synth.engine.session import Session
from synth.errors import DataError
from synth.flows.drift import Params
from synth.journal import Journal
from synth.progress import make_progress

TURNS = [
    {"role": "user", "content": "Name a river."},
    {"role": "assistant", "content": "The Rhine, I would say."},
    {"role": "user", "content": "Only the name!", "satisfaction": "DSAT"},
    {"role": "assistant", "content": "Rhine"},
    {"role": "user", "content": "Thanks.", "satisfaction": "sat"},
]
SHARED = [
    {"from": {"user": "human", "assistant": "gpt"}[t["role"]], "value": t["content"], **_rest}
    for t in TURNS
    for _rest in [{"satisfaction": t["satisfaction"]} if "satisfaction" in t else {}]
]
SHAPES: dict[str, dict[str, Any]] = {
    "wildchat": {"conversation_hash": "x", "conversation": TURNS},
    "openai": {"messages": TURNS},
    "sharegpt": {"id": "x", "conversations": SHARED},
}


def read(path: Path, exclude: tuple[str, ...] = (), **rest: Any) -> list[Conversation]:
    source = DataSource(source=str(path), shape="conversations", **rest)
    return list(read_conversations(source, base=Path(), exclude=exclude))


def write(path: Path, rows: list[Any]) -> Path:
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return path


def told(conversation: Conversation) -> list[tuple[str, str, str]]:
    return [(turn.role, turn.content, turn.satisfaction) for turn in conversation.turns]


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_give_the_same_conversation(tmp_path: Path, shape: str) -> None:
    """A tag in the user's turn stands with the reply it speaks of, whatever the shape."""
    [found] = read(write(tmp_path / "x.jsonl", [SHAPES[shape]]), licence="MIT")
    assert told(found) == [
        ("user", "Name a river.", ""),
        ("assistant", "The Rhine, I would say.", "DSAT"),
        ("user", "Only the name!", ""),
        ("assistant", "Rhine", "SAT"),
        ("user", "Thanks.", ""),
    ]
    assert (found.licence, found.source) == ("MIT", f"{tmp_path}/x.jsonl:1")
    assert found.opening == "Name a river."


def test_wildfeedback_fields_say_who_pleased(tmp_path: Path) -> None:
    """`rejected` displeased, `user_preference` is the user's next turn, `chosen` pleased; each may be a
    text, a message or a list that ends with one."""
    prompt = TURNS[:1]
    complained = {
        "prompt": prompt,
        "rejected": [{"role": "assistant", "content": "The Rhine, I would say."}],
        "user_preference": {"content": "Only the name!"},
    }
    repaired = {"prompt": "Name a river.", "chosen": "Rhine", "rejected": ["Well.", "The Rhine"]}
    pleased = {"prompt": prompt, "chosen": [*prompt, {"role": "assistant", "content": "{Rhine}"}]}
    first, second, third = read(write(tmp_path / "x.jsonl", [complained, repaired, pleased]))
    asked = ("user", "Name a river.", "")
    assert told(first) == [
        asked,
        ("assistant", "The Rhine, I would say.", "DSAT"),
        ("user", "Only the name!", ""),
    ]
    assert told(second) == [asked, ("assistant", "Well.\nThe Rhine", "DSAT"), ("assistant", "Rhine", "SAT")]
    assert told(third) == [asked, ("assistant", "{Rhine}", "SAT")]


def test_parquet_and_csv_hold_the_same_dialogues(tmp_path: Path) -> None:
    """Parquet has lists of structs, csv has JSON in its cells; a reply that looks like JSON stays text."""
    row = {"prompt": TURNS[:1], "rejected": '{"river": "Rhine"}', "user_preference": "No JSON, please."}
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "x.parquet")
    with (tmp_path / "x.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(row)
        table.writerow([orjson.dumps(row["prompt"]).decode(), row["rejected"], row["user_preference"]])
    [from_parquet], [from_csv] = read(tmp_path / "x.parquet"), read(tmp_path / "x.csv")
    assert told(from_parquet) == told(from_csv)
    assert told(from_csv)[1] == ("assistant", '{"river": "Rhine"}', "DSAT")


def test_empty_and_divided_contents_are_read(tmp_path: Path) -> None:
    """Real logs have turns without a text, and contents in parts."""
    turns = [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]
    [found] = read(
        write(tmp_path / "x.jsonl", [{"messages": [*turns, {"role": "assistant", "content": None}]}])
    )
    assert told(found) == [("user", "a\nb", ""), ("assistant", "", "")]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"text": "hello"}, "no conversation in it; its fields: 'text'"),
        ({"messages": "plain"}, "messages is not JSON"),
        ({"messages": {"role": "user"}}, "messages: expected a list of turns; found dict"),
        ({"messages": ["hello"]}, "messages[0]: expected a turn"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0]: nobody known speaks here: 'tool'"),
        (
            {"messages": [{"role": "user", "content": 5}]},
            "messages[0]: expected content (or value) with a text",
        ),
        ({"messages": [{"role": "assistant", "content": "Hi"}]}, "no turn of the user's"),
        (
            {"messages": [*TURNS[:2], {"role": "user", "content": "x", "satisfaction": "good"}]},
            "messages[2]: satisfaction is 'good'",
        ),
        ({"prompt": "x", "rejected": 7}, "rejected: expected a text or a message; found int 7"),
    ],
)
def test_faults_name_file_and_line(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    """Among a million conversations only the line number helps."""
    path = write(tmp_path / "x.jsonl", [{"messages": TURNS}, row])
    with pytest.raises(DataError) as caught:
        read(path)
    assert caught.value.what.startswith(f"{path}:2: ") and message in caught.value.what
    assert caught.value.cure


def test_conversations_keep_clear_of_held_out_openings(tmp_path: Path) -> None:
    """What opens like a test question, in any spelling, would leak it; a draw is the same every time."""
    rows = [{"messages": [{"role": "user", "content": f"Question {n}"}]} for n in range(20)]
    path = write(tmp_path / "x.jsonl", rows)
    openings = [found.opening for found in read(path, exclude=("  question 3 ",))]
    assert len(openings) == 19 and "Question 3" not in openings
    assert read(path, size=5, seed=1) == read(path, size=5, seed=1) != read(path, size=5, seed=2)


def test_a_session_gives_conversations_and_counts_them_as_questions(tmp_path: Path) -> None:
    """What a run asks of every source (how many, which texts) it can ask of conversations, too; asking
    for conversations where there are questions is told with its cure."""
    write(tmp_path / "talk.jsonl", [SHAPES["openai"], {"messages": [{"role": "user", "content": "Hi"}]}])
    write(tmp_path / "test.jsonl", [{"question": "hi", "answer": "hello"}])
    data = {
        "test": {"source": "test.jsonl"},
        "conversations": {"source": "talk.jsonl", "shape": "conversations"},
    }
    flow = FlowFile.model_validate({"flow": "drift", "models": {"student": {"program": "x:y"}}, "data": data})
    journal = Journal(tmp_path / "journal.db")
    try:
        folder = RunFolder(tmp_path / "run")
        path = tmp_path / "flow.yaml"
        session = Session(flow, Params(), folder, journal, {}, make_progress(quiet=True), path)
        session.sources.sizes()
        assert [found.opening for found in session.conversations("conversations")] == ["Name a river."]
        assert [question.question for question in session.questions("conversations")] == ["Name a river."]
        with pytest.raises(DataError, match=r"data\.test as conversations"):
            session.conversations("test")
    finally:
        journal.close()
