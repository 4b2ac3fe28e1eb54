"""`synth explain` and `synth preview`: every prompt and reply behind a sample is shown."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest

from synth.engine.folder import RunFolder
from synth.journal import CallRow, Journal
from synth.records import Call, Lineage, Rejection, Sample, Sampling
from tests.support.command import Run
from tests.support.recorded import FLOW

KEYS = ("0a" * 16, "0b" * 16)


def asked(key: str, agent: str, prompt: str, reply: str) -> CallRow:
    request = {"messages": [{"role": "user", "content": prompt}], "sampling": {"temperature": 0.7}}
    said = json.dumps({"text": reply, "finish_reason": "stop", "thinking": "", "prompt": 3, "completion": 2})
    content = json.dumps(request).encode()
    return CallRow(
        bytes.fromhex(key), "1/make", agent, "teacher", "m", "w1", content, said.encode(), 3, 2, 0.1
    )


@pytest.fixture
async def told(tmp_path: Path) -> Path:
    """A second sample made from the first; a third refused by curation, a seed in a graph."""
    folder = RunFolder(tmp_path / "run")
    facts = {"flow": "stat", "arm": "fixed", "round": 1}
    calls = [
        Call(key=key, agent=agent, prompt_hash="p", model="m", weights="w1", sampling=Sampling())
        for key, agent in zip(KEYS, ("write", "solve"), strict=True)
    ]
    first = Sample.sft(
        [{"role": "user", "content": "1 + 1?"}],
        "2",
        seed_id="s1",
        lineage=Lineage(calls=(calls[0],)),
        **facts,
    )
    lineage = Lineage(calls=(calls[1],), parents=(first.id,))
    second = Sample.sft([{"role": "user", "content": "2 + 2?"}], "4", seed_id="s2", lineage=lineage, **facts)
    third = Sample.sft([{"role": "user", "content": "2 + 2?"}], "5", seed_id="s3", lineage=lineage, **facts)
    data = folder.round(1) / "data"
    folder.write_lines(data / "samples.jsonl", [first, second])
    folder.write_lines(
        data / "rejected.jsonl",
        [
            Rejection(seed_id="s3", round=1, stage="curate", node="curate", reason="duplicate",
                      detail="as before", data={"sample": third.id}),
            Rejection(seed_id="seed4", round=1, stage="make", node="solve", reason="disagreed",
                      data={"question": "2 + 2?"}),
        ],
    )  # fmt: skip
    journal = Journal(folder.journal)
    await journal.record(asked(KEYS[0], "write", "Write a question like this one.", "1 + 1?"))
    await journal.record(asked(KEYS[1], "solve", "Solve: 2 + 2?", "It is 4."))
    payload = {"seed": "s3", "samples": [third.model_dump()], "rejections": [], "output": {}}
    journal.set_stage(1, "make", "done", {})
    journal.store_result("1/make", "s3", 0, 1, 0, json.dumps(payload).encode())
    await journal.flush()
    journal.close()
    return folder.path


def ids(run: Path) -> list[str]:
    lines = (run / "rounds/1/data/samples.jsonl").read_text().splitlines()
    return [json.loads(line)["id"] for line in lines]


def test_a_sample_is_told_back_to_its_parents_calls(run: Run, told: Path) -> None:
    """The ancestor's call comes first, then the sample's own, then why it was kept."""
    _, second = ids(told)
    code, out, _ = run("explain", second[:8], "--run", told)
    assert code == 0
    order = [out.index(part) for part in ("Write a question", "Solve: 2 + 2?", "It is 4.", "Kept:")]
    assert order == sorted(order)
    told_json = json.loads(run("explain", second, "--run", told, "--json")[1])
    assert [step["agent"] for step in told_json["steps"]] == ["solve"]
    assert told_json["ancestors"][0]["steps"][0]["reply"] == "1 + 1?"
    assert told_json["steps"][0]["temperature"] == 0.7


def test_what_was_refused_has_its_calls_too(run: Run, told: Path) -> None:
    """Curation refuses samples with a lineage; a graph refuses seeds, whose calls quote them."""
    code, _, err = run("explain", "s3", "--run", told)
    assert (code, "too short" in err) == (5, True)
    refused = json.loads((told / "rounds/1/data/rejected.jsonl").read_text().splitlines()[0])
    code, out, _ = run("explain", refused["data"]["sample"], "--run", told)
    assert code == 0
    assert "Dropped in curate at curate, duplicate: as before." in out
    assert "It is 4." in out
    code, out, _ = run("explain", "seed4", "--run", told)
    assert "found by the text they quote" in out
    assert "It is 4." in out
    assert "disagreed" in out


def test_a_recorded_run_explains_its_samples(run: Run, recorded: Path) -> None:
    """Of a real run the calls in a lineage are found, with prompt and reply."""
    lines = (recorded / "rounds/1/data/samples.jsonl").read_text().splitlines()
    samples = [Sample.model_validate_json(line) for line in lines]
    called = [one for one in samples if one.lineage.calls]
    assert called
    for sample in called[:3]:
        code, out, _ = run("explain", sample.id, "--run", recorded, "--json")
        steps = json.loads(out)["steps"]
        assert code == 0
        assert len(steps) == len({call.key for call in sample.lineage.calls})
        assert all(step["prompt"] and step["reply"] for step in steps)


@pytest.fixture
def flow(server: int, tmp_path: Path) -> Path:
    """The recorded run's flow file, its student an endpoint."""
    student = f"{{model: base, base_url: 'http://127.0.0.1:{server}/v1'}}"
    path = tmp_path / "flow.yaml"
    path.write_text(FLOW.replace("{model: smollm2-135m, concurrency: 32}", student))
    return path


def test_preview_shows_calls_and_keeps_nothing(
    run: Run, flow: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two samples with what was asked and said; neither a run folder nor a temporary one stays."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    monkeypatch.chdir(tmp_path)
    code, out, _ = run("preview", flow, "-n", "2", "--quiet")
    assert code == 0
    for part in ("sample 1 of 2", "sample 2 of 2", "call 1", "reply:", "Nothing was kept."):
        assert part in out
    code, out, _ = run("preview", flow, "-n", "1", "--json")
    found = json.loads(out)
    assert len(found["samples"]) == 1
    assert found["samples"][0]["steps"][0]["prompt"]
    assert "answer" in {step["agent"] for step in found["others"]}  # the profile's own exam
    assert list(scratch.iterdir()) == []
    assert {path.name for path in tmp_path.iterdir()} == {"flow.yaml", "scratch"}
