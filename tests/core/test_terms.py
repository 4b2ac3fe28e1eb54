"""Terms on what models write travel with every sample, and an export says what they ask for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from synth.config import FlowFile, ModelSpec
from synth.curation.licences import conflicts, incompatible, terms_of
from synth.engine.folder import RunFolder
from synth.errors import DataError
from synth.export import export
from synth.records import Call, Lineage, Sample, Sampling
from synth.rounds.terms import terms_on, with_terms


def sample(answer: str, *models: str, **rest: Any) -> Sample:
    calls = tuple(
        Call(key="k", agent="a", prompt_hash="", model=name, weights="w", sampling=Sampling())
        for name in models
    )
    facts: dict[str, Any] = {"seed_id": "s", "flow": "f", "arm": "fixed", "round": 1}
    return Sample.sft(
        [{"role": "user", "content": "?"}], answer, lineage=Lineage(calls=calls), **facts, **rest
    )


@pytest.mark.parametrize(
    ("terms", "kind"),
    [
        ("OpenAI-terms", "no-rivals"), ("Anthropic terms", "no-rivals"), ("Gemini-API-terms", "no-rivals"),
        ("llama3", "own-family"), ("Llama 2 Community License", "own-family"), ("llama3.3", "named"),
        ("Llama 3.1 Community License", "named"), ("llama4", "unknown"), ("gemma", "inherited"),
        ("Gemma Terms of Use", "inherited"), ("unconditional", "public"),
        ("Qwen Research License", "unknown"),
    ],
)  # fmt: skip
def test_kinds_of_terms(terms: str, kind: str) -> None:
    """Only what is certain is in the table; the rest is unknown."""
    assert terms_of(terms) == kind


@pytest.mark.parametrize(
    ("spec", "terms"),
    [
        ({"model": "gpt-x", "base_url": "https://api.openai.com/v1"}, "OpenAI-terms"),
        ({"model": "gpt-x", "base_url": "https://api.openai.com.evil.example/v1"}, ""),
        ({"model": "Qwen/Qwen3-0.6B", "base_url": "http://127.0.0.1:8000/v1"}, "Apache-2.0"),
        ({"model": "llama3.2-1b"}, "Llama 3.2 Community License"),
        ({"model": "owner/unheard-of"}, ""),
        ({"model": "owner/unheard-of", "terms": "MIT"}, "MIT"),
        ({"model": {"scratch": "tiny"}}, "Apache-2.0"),
        ({"program": "synth.teachers.rules:judge"}, "Apache-2.0"),
        ({"program": "mine:judge"}, ""),
    ],
)
def test_what_is_written_goes_before_what_is_known(spec: dict[str, Any], terms: str) -> None:
    """Services by their host, models by their alias, the project's own programs; nothing is guessed."""
    assert terms_on(ModelSpec.model_validate(spec)) == terms


def test_every_sample_carries_the_terms_of_its_models() -> None:
    """Of those that were called for it, by the model's name; unknown ones are named too."""
    models = {"student": {"model": "smollm2-135m"}, "teacher": {"model": "big", "program": None}}
    flow = FlowFile.model_validate({"flow": "x", "models": models})
    one, other = with_terms(flow, [sample("a", "smollm2-135m", "big", "big"), sample("b")])
    assert (one.terms, other.terms) == ({"smollm2-135m": "Apache-2.0", "big": ""}, {})


def test_what_makers_ask_is_told() -> None:
    """Of one kind of terms as well as of several; free ones ask nothing."""
    assert conflicts({"MIT": 2}, {"Apache-2.0": 2}) == []
    assert "competes" in conflicts({"MIT": 2}, {"OpenAI-terms": 2})[0]
    assert "in front of its own" in conflicts({"MIT": 2, "llama3.1": 1})[0]
    assert "write terms:" in conflicts({"MIT": 2}, {"unstated": 1})[0]
    assert incompatible({"CC-BY-SA-4.0": 1, "OpenAI-terms": 1})
    assert incompatible({"CC-BY-SA-4.0": 1, "llama3": 1})
    assert not incompatible({"CC-BY-4.0": 1, "OpenAI-terms": 1, "gemma": 1})


def test_an_export_holds_data_and_models_together(tmp_path: Path) -> None:
    """Share-alike data answered by a model whose terms bind further are refused; the rows bear the terms."""
    bound = sample("a", "big", licence="CC-BY-SA-4.0", terms={"big": "OpenAI-terms"})
    RunFolder.write_lines(tmp_path / "run/rounds/1/data/samples.jsonl", [bound])
    with pytest.raises(DataError, match="rivals"):
        export(tmp_path / "run", tmp_path / "out")
    done = export(tmp_path / "run", tmp_path / "out", "jsonl", mixed=True)
    assert done.terms == {"OpenAI-terms": 1}
    assert json.loads((tmp_path / "out/train.jsonl").read_text())["terms"] == ["OpenAI-terms"]
    card = (tmp_path / "out/README.md").read_text()
    assert "license: other" in card and "| OpenAI-terms | 1 |" in card
    assert export(tmp_path / "run", tmp_path / "out", mixed=True).rows == 1
