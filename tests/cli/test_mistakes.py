"""The standard mistakes: each ends in one short message that names the place and the cure, nothing lost.

Keys, types, data files and model names: `test_cli.py`. GPU memory and ports of servers: the tests of
`synth.teachers.vllm` and `synth.students.launch`. An interrupted run: `tests/engine/test_durability.py`.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from pydantic import BaseModel

from synth import Agent
from synth.agents import Prompt
from synth.errors import PromptError
from synth.records import Message
from synth.terminal import harmless
from tests.core.fake_run import build
from tests.support.command import Run

EXAMPLE = Path(__file__).parents[2] / "examples" / "judge_refine"
FLOW = """
flow: my_graph:build
generate_only: true
models:
  writer: WRITER
  judge: {program: "sentence_judge:judge"}
data:
  pool: {source: questions.jsonl, answer: null}
"""


def broken(messages: Sequence[Message]) -> str:
    """A program with a fault in it."""
    raise ValueError("out of ideas")


def loud(messages: Sequence[Message]) -> str:
    """A program that speaks to the terminal."""
    return "\x1b[2J\x1b]0;a new title\x07 no JSON"


class Text(BaseModel):
    """What an agent answers."""

    text: str


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The example of a graph of one's own, to be spoiled; the module has another name than there."""
    for file in EXAMPLE.glob("*.j2"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "my_graph.py").write_bytes((EXAMPLE / "judge_refine.py").read_bytes())
    (tmp_path / "sentence_judge.py").write_bytes((EXAMPLE / "sentence_judge.py").read_bytes())
    (tmp_path / "questions.jsonl").write_text('{"question": "Why?"}\n{"question": "Who?"}\n')
    write(tmp_path, '{program: "tests.cli.test_mistakes:broken"}')
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    import sys

    for name in ("my_graph", "sentence_judge"):
        sys.modules.pop(name, None)


def write(project: Path, writer: str) -> None:
    """The flow file with this writer."""
    (project / "flow.yaml").write_text(FLOW.replace("WRITER", writer))


def spoil(project: Path, old: str, new: str) -> None:
    """Change the writer's prompt."""
    prompt = project / "write.md.j2"
    assert old in prompt.read_text()
    prompt.write_text(prompt.read_text().replace(old, new))


def test_a_variable_that_nobody_fills_in_is_found_by_check(run: Run, project: Path) -> None:
    """A misspelt variable costs no call: the graph says what it reads, the prompt what it uses."""
    spoil(project, "seed.data.question", "sed.data.question")
    code, _, err = run("check", "flow.yaml")
    assert code == 2
    assert "flow.yaml:2:7: flow: the prompt write.md.j2 uses 'sed'" in err
    assert "did you mean 'seed'?" in err


def test_problems_are_told_as_json_to_an_editor(run: Run, project: Path) -> None:
    """Place, key, message and cure apart, for a program; the exit code is the same."""
    code, out, _ = run("check", "flow.yaml", "--json")
    assert (code, json.loads(out)) == (0, {"ready": True, "problems": []})
    (project / "flow.yaml").write_text(FLOW.replace("WRITER", "{modle: x}"))
    code, out, err = run("check", "flow.yaml", "--json")
    told = json.loads(out)
    assert (code, told["ready"], err) == (2, False, "")
    assert (told["problems"][0]["where"], told["problems"][0]["key"]) == (
        "flow.yaml:5:12",
        "models.writer.modle",
    )
    assert "model" in told["problems"][0]["cure"]


def test_a_template_that_is_none_is_named_by_line(run: Run, project: Path) -> None:
    spoil(project, "Reply with", "{% if %}Reply with")
    code, _, err = run("check", "flow.yaml")
    assert code == 2
    assert "write.md.j2:6: not a template" in err


def test_a_missing_prompt_file_names_its_neighbours(run: Run, project: Path) -> None:
    (project / "write.md.j2").rename(project / "writ.md.j2")
    code, _, err = run("check", "flow.yaml")
    assert code == 2
    assert "there is no prompt file" in err
    assert "did you mean 'writ.md.j2'?" in err


def test_a_field_that_no_question_has_is_named_by_line(run: Run, project: Path) -> None:
    """Known only when the prompt is filled in; then at the first record, with what there is."""
    spoil(project, "seed.data.question", "seed.data.quesion")
    code, _, err = run("run", "flow.yaml")
    assert code == 2
    assert "write.md.j2:4: cannot be filled in: 'dict object' has no attribute 'quesion'" in err
    assert "it has id, question, answer" in err


def test_an_optional_variable_needs_not_be_read() -> None:
    """A prompt may ask whether a variable is there; that is no mistake."""
    prompt = Prompt(
        "p", "--- user ---\n{% if hint is defined %}{{ hint }}{% endif %}{{ task }}{{ x | default }}"
    )
    assert prompt.needs == {"task"}
    prompt.fits(("task",), "here")
    with pytest.raises(PromptError, match="uses 'task', which here does not fill in"):
        prompt.fits(("tusk",), "here")


def test_an_endpoint_that_is_not_there(run: Run, project: Path) -> None:
    """Asked before anything is started; the address and what to do are named."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    write(project, f'{{model: some, base_url: "http://127.0.0.1:{port}/v1"}}')
    code, _, err = run("run", "flow.yaml")
    assert code == 3
    assert f"http://127.0.0.1:{port}/v1 cannot be reached" in err
    assert "start the server, or correct base_url" in err


def test_a_run_of_which_nothing_is_left_says_why(run: Run, project: Path) -> None:
    """A program with a fault in it: the reason and the first error are in the message, all in the file."""
    code, _, err = run("run", "flow.yaml")
    assert code == 1
    assert "no training example left: call-failed 2; write: ValueError: out of ideas" in err
    dropped = (project / "runs/flow/rounds/1/data/rejected.jsonl").read_text().splitlines()
    assert [json.loads(line)["reason"] for line in dropped] == ["call-failed"] * 2


def test_a_schema_that_is_none_is_refused_where_the_agent_is_made(project: Path) -> None:
    """An agent answers with a model of pydantic; anything else is said at once, not a thousand times."""
    Agent("write", "writer", project / "write.md.j2", Text).node("seed")
    with pytest.raises(PromptError, match="the agent 'write' answers with dict"):
        Agent("write", "writer", project / "write.md.j2", dict).node("seed")  # type: ignore[type-var]


def test_the_viewers_port_is_taken(run: Run, tmp_path: Path) -> None:
    folder = build(tmp_path / "run", rounds=1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, _, err = run("view", folder, "--port", str(port), "--no-browser")
    assert code == 3
    assert f"port {port} of this machine cannot be had" in err
    assert "leave it out so that a free one is taken" in err


def test_what_others_say_cannot_play_on_the_terminal(run: Run, project: Path) -> None:
    """A reply may hold codes that clear the screen or retitle the window: they are shown, not sent."""
    write(project, '{program: "tests.cli.test_mistakes:loud"}')
    for command in (("run", "flow.yaml", "--fresh"), ("show", "runs/flow"), ("status", "runs/flow")):
        _, out, err = run(*command)
        assert "\x1b]" not in out + err and "\x1b[2J" not in out + err
    raw = json.loads((project / "runs/flow/rounds/1/data/rejected.jsonl").read_text().splitlines()[0])
    _, out, _ = run("show", "runs/flow", raw["seed_id"])
    assert "\N{SYMBOL FOR ESCAPE}[2J" in out and "\x1b[2J" not in out
    assert harmless("a\tb\n\x7f\x9b") == "a\tb\n\N{SYMBOL FOR DELETE}\N{REPLACEMENT CHARACTER}"
