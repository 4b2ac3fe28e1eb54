"""The real small model, through download and conversion: what transformers drops is put back."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys

import pytest

from synth.teachers.models import resolve, weights_version

TRY = """
import json, sys, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32)
turns = [{"role": "user", "content": "What is the capital of France?"}]
options = {"add_generation_prompt": True, "return_tensors": "pt", "return_dict": True}
asked = tokenizer.apply_chat_template(turns, **options)
made = model.generate(**asked, max_new_tokens=12, do_sample=False)[0][asked.input_ids.shape[1]:]
print(json.dumps({
    "answer": tokenizer.decode(made),
    "digits": tokenizer.tokenize("x  =  34"),
    "end": [model.generation_config.eos_token_id, tokenizer.eos_token],
    "longest": tokenizer.model_max_length,
}))
"""


@pytest.mark.slow
@pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("torch", "transformers", "gguf")),
    reason="torch, transformers and gguf are not all installed",
)
def test_the_converted_model_answers_and_ends() -> None:
    """It answers greedily and stops at its end mark; digits are split one by one, also after spaces."""
    folder = resolve("smollm2-135m")
    done = subprocess.run(
        [sys.executable, "-c", TRY, str(folder)], capture_output=True, text=True, check=True
    )
    said = json.loads(done.stdout)
    assert said["answer"] == "The capital of France is Paris.<|im_end|>"
    assert said["digits"] == ["x", "Ġ", "Ġ=", "ĠĠ", "3", "4"]
    assert said["end"] == [2, "<|im_end|>"] and said["longest"] == 8192
    about = json.loads((folder / "model.json").read_text())
    assert about["weights"] == weights_version(folder) and about["licence"] == "Apache-2.0"
