"""Adapters folded in, soups, restored layers: real weights of the tiny model, compared tensor by tensor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from synth.config.flowfile import Lora
from synth.errors import TrainError
from synth.rounds.soup import greedy, make_soup, students_of
from synth.students.job import weights_digest
from synth.students.merge import main as merge
from synth.students.restore import choose, pareto, restored
from synth.students.soup import main as make
from synth.students.soup import mean_of
from synth.students.souping import Part, Restore, SoupJob, Tried
from synth.students.tiny import save_untrained
from synth.students.training import train

IDS = torch.tensor([[5, 6, 7, 8]])


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        return model(IDS).logits


@pytest.fixture
def adapted(make_job, tiny: Path) -> list[Part]:
    """Two students of one base, each an adapter, as two rounds leave them."""
    parts = []
    for number in (1, 2):
        train_with = {"lora": Lora(r=4), "learning_rate": 2e-2, "seed": number}
        job = make_job(f"run/rounds/{number}", model=tiny, train=train_with, steps=3)
        train(job)
        job.file.write_text(job.model_dump_json())
        parts.append(Part(model=tiny, adapter=job.output, title=f"round {number}"))
    return parts


def test_an_adapter_folded_in_says_the_same(make_job, tiny: Path, adapted: list[Part]) -> None:
    """The merged model is an ordinary folder that gives the logits of base and adapter together."""
    job = make_job("merged", model=tiny, adapter=adapted[0].adapter, train={"lora": None})
    merge(job)
    merged = AutoModelForCausalLM.from_pretrained(job.output)
    together = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny), adapted[0].adapter)
    assert torch.allclose(logits(merged), logits(together), atol=1e-5)
    assert not torch.allclose(logits(merged), logits(AutoModelForCausalLM.from_pretrained(tiny)), atol=1e-3)
    AutoTokenizer.from_pretrained(job.output)
    result = job.finished()
    assert result is not None and result.weights == weights_digest(job.output)
    assert not (job.output / "adapter_config.json").exists()


def test_a_soup_is_the_mean_of_what_the_students_are(tmp_path: Path, tiny: Path, adapted: list[Part]) -> None:
    """Of whole weights: the mean of two adapters' matrices would be another model."""
    job = SoupJob(parts=tuple(adapted), output=tmp_path / "soup", work=tmp_path / "work")
    make(job)
    soup, base = load_file(job.output / "model.safetensors"), load_file(tiny / "model.safetensors")
    name = "model.layers.1.self_attn.q_proj"
    products, halves = torch.zeros_like(base[f"{name}.weight"]), []
    for part in adapted:
        assert part.adapter is not None
        adapter = load_file(part.adapter / "adapter_model.safetensors")
        a, b = (adapter[f"base_model.model.{name}.lora_{side}.weight"] for side in "AB")
        products += 0.5 * (32 / 4) * b @ a
        halves.append((a, b))
    assert torch.allclose(soup[f"{name}.weight"], base[f"{name}.weight"] + products, atol=1e-5)
    mixed = (32 / 4) * (halves[0][1] + halves[1][1]) / 2 @ (halves[0][0] + halves[1][0]) / 2
    assert not torch.allclose(products, mixed, atol=1e-4)
    assert torch.equal(soup["model.embed_tokens.weight"], base["model.embed_tokens.weight"])
    card = (job.output / "README.md").read_text()
    assert "The mean of 2 students" in card and "round 2" in card and weights_digest(job.output) in card
    AutoTokenizer.from_pretrained(job.output)
    assert AutoModelForCausalLM.from_pretrained(job.output).dtype == torch.float32


def test_students_of_another_shape_are_refused(tmp_path: Path, tiny: Path) -> None:
    """Instead of a broadcast that happens to work."""
    config = json.loads((tiny / "config.json").read_text()) | {"num_hidden_layers": 2}
    (tmp_path / "other").mkdir()
    from transformers import LlamaConfig, LlamaForCausalLM

    LlamaForCausalLM(LlamaConfig(**config)).save_pretrained(tmp_path / "other")
    with pytest.raises(TrainError, match="not of the shape"):
        mean_of((Part(model=tiny), Part(model=tmp_path / "other", title="the other")))


def test_layers_are_put_back_and_nothing_else(tmp_path: Path, tiny: Path) -> None:
    """The range that is named, or the best of all six of a model of three layers."""
    other = save_untrained(tmp_path / "pretrained", seed=5)
    model = AutoModelForCausalLM.from_pretrained(tiny)
    chosen, front = restored(model, Restore(pretrained=other, layers=(1, 2)), tiny)
    assert chosen == (1, 2) and front == []
    state, post = model.state_dict(), AutoModelForCausalLM.from_pretrained(tiny).state_dict()
    pre = AutoModelForCausalLM.from_pretrained(other).state_dict()
    for name, tensor in state.items():
        theirs = ".layers.1." in name or ".layers.2." in name
        assert torch.equal(tensor, (pre if theirs else post)[name]), name
    model = AutoModelForCausalLM.from_pretrained(tiny)
    chosen, front = restored(model, Restore(pretrained=other, tolerance=1.0), tiny)
    assert front[0].first == -1 and len(front) >= 2
    assert all(0 <= one.validity <= 1 and 0 <= one.diversity <= 1 for one in front)
    assert chosen in [(one.first, one.last) for one in front]
    with pytest.raises(TrainError, match="has 3"):
        restored(model, Restore(pretrained=other, layers=(1, 3)), tiny)


def test_the_choice_is_on_the_front_and_within_the_tolerance() -> None:
    """More diverse at a small loss of validity, never at any price."""
    points = [(-1, -1, 0.95, 0.2), (0, 0, 0.94, 0.5), (0, 1, 0.91, 0.7), (1, 1, 0.5, 0.9), (1, 2, 0.9, 0.6)]
    tried = [Tried(first=a, last=b, validity=v, diversity=d) for a, b, v, d in points]
    assert (choose(tried, 0.05).first, choose(tried, 0.05).last) == (0, 1)
    assert choose(tried, 0.02).last == 0
    assert [(one.first, one.last) for one in pareto(tried[1:])] == [(0, 0), (0, 1), (1, 1)]
    with pytest.raises(TrainError, match="costs more"):
        choose([tried[0], tried[3]], 0.05)


async def test_a_greedy_soup_takes_what_helps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """From the best on, each next one only where the mean with it is strictly better."""
    made: list[tuple[str, ...]] = []

    async def pretend(parts: list[Part], output: Path, restore: object = None) -> Any:
        from synth.rounds.soup import Kept

        made.append(tuple(dict.fromkeys(part.title for part in parts)))
        return Kept(output=output, weights="w")

    monkeypatch.setattr("synth.rounds.soup.make_soup", pretend)
    worth = {("b",): 0.7, ("a",): 0.6, ("c",): 0.5, ("b", "a"): 0.7, ("b", "c"): 0.8}
    parts = [Part(model=tmp_path / title, title=title, adapter=tmp_path) for title in "abc"]

    async def score(model: Path) -> float:
        return worth[made[-1]]

    kept = await greedy(parts, tmp_path / "out", score)
    assert kept.parts == ("b", "c")
    assert kept.scores == {"a": 0.6, "b": 0.7, "c": 0.5, "b + a": 0.7, "b + c": 0.8}


async def test_a_run_is_souped_in_a_process(tmp_path: Path, tiny: Path, adapted: list[Part]) -> None:
    """As `synth merge` does it: the run's students found, and the folder appears whole."""
    parts = students_of(tmp_path / "run")
    assert [(part.model, part.adapter) for part in parts] == [(p.model, p.adapter) for p in adapted]
    assert [part.title for part in students_of(tmp_path / "run", [2])] == ["run, round 2"]
    kept = await make_soup(parts, tmp_path / "out")
    assert kept.parts == ("run, round 1", "run, round 2")
    assert kept.weights == weights_digest(tmp_path / "out")
    assert not list(tmp_path.glob(".out*"))
