"""The estimate of a training's memory: what is counted, and what the refusal says to change."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from synth.config.flowfile import Lora, Train
from synth.errors import TrainError
from synth.students.job import TrainJob
from synth.students.memory import GIB, check_memory, estimate

HIDDEN, LAYERS, VOCABULARY = 100, 4, 1000
EMBEDDED, LINEAR = VOCABULARY * HIDDEN, HIDDEN * HIDDEN


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model's folder with the head of its weights file alone: nothing else is read."""
    shapes = {"model.embed_tokens.weight": [VOCABULARY, HIDDEN], "model.norm.weight": [HIDDEN]}
    shapes |= {f"model.layers.{n}.self_attn.q_proj.weight": [HIDDEN, HIDDEN] for n in range(LAYERS)}
    head = json.dumps({"__metadata__": {}, **{name: {"shape": shape} for name, shape in shapes.items()}})
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(head)) + head.encode())
    config = {"num_hidden_layers": LAYERS, "hidden_size": HIDDEN, "vocab_size": VOCABULARY}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def job(model: Path, **train: object) -> TrainJob:
    return TrainJob(
        model=model, data=model, output=model, work=model, train=Train.model_validate(train, strict=False)
    )


def test_weights_are_counted_by_what_is_trained(model: Path) -> None:
    """16 bytes a trained parameter under AdamW, a frozen one 4 on a CPU, 2 on a GPU, half in four bits."""
    params = EMBEDDED + HIDDEN + LAYERS * LINEAR
    assert estimate(job(model, lora=None), 10, 1, gpu=False).weights == 16 * params
    adapter = 16 * LAYERS * 8 * 2 * HIDDEN
    for bits, gpu, held in ((None, False, 4), (None, True, 2), (4, True, 0.55)):
        found = estimate(job(model, lora={"r": 8, "bits": bits}), 10, 1, gpu)
        assert found.weights == pytest.approx(held * params + adapter)
    half = estimate(job(model, lora={"r": 8, "layers": 2}), 10, 1, gpu=False)
    assert half.weights == pytest.approx(4 * params + adapter / 2)
    assert estimate(job(model, lora=None, objective="asft"), 10, 1, False).weights == 20 * params


def test_activations_are_of_the_longest_rows(model: Path) -> None:
    """Of pairs both answers count; objectives that hold all logits have them on top."""
    plain = estimate(job(model), 10, 4, gpu=False).activations
    assert plain == 10 * 4 * HIDDEN * 68 * LAYERS
    assert estimate(job(model, objective="dpo"), 10, 4, gpu=False).activations == 2 * plain
    assert estimate(job(model, objective="asft"), 10, 4, False).activations == plain + 40 * 24 * VOCABULARY


def test_the_refusal_says_what_would_fit(model: Path) -> None:
    """A smaller batch where the weights fit, an adapter where they do not, four bits on a GPU."""
    whole = job(model, lora=None, batch_size=8, gradient_accumulation=2)
    need = estimate(whole, 100, 8, gpu=False)
    assert check_memory(whole, 100, 8, int(need.total) + 1, gpu=False) == need
    with pytest.raises(TrainError, match="8 rows of up to 100 tokens; this machine has") as hit:
        check_memory(whole, 100, 8, int(need.weights + 0.49 * need.activations), gpu=False)
    assert hit.value.cure == "write train.batch_size: 3 and train.gradient_accumulation: 6"
    with pytest.raises(TrainError) as hit:
        check_memory(whole, 100, 8, int(need.weights / 2), gpu=False)
    assert hit.value.cure.startswith("write train.lora: {r: 16}")
    with pytest.raises(TrainError) as hit:
        check_memory(job(model, lora=Lora(r=8)), 100, 8, 1000, gpu=True)
    assert "lora.bits: 4" in hit.value.cure and GIB == 2**30
