"""GGUF to a folder that vLLM serves and TRL trains: `python -m synth.teachers.models.convert GGUF FOLDER`.

Runs in a process of its own, because it imports torch. The weights are widened from
their quantised form and stored as bfloat16, the precision the models were published in.
What a GGUF file states and transformers drops is put back: how digits are split, the
beginning-of-text token, the generation settings.
"""

from __future__ import annotations

import functools
import json
import sys
from pathlib import Path
from typing import Any

import gguf
import torch
from tokenizers import pre_tokenizers, processors
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

__all__ = ["convert"]

# transformers parses the file anew for configuration, weights and tokenizer, and builds the map
# of tensor names anew for every layer; together that takes longer than all the rest.
gguf.GGUFReader = functools.cache(gguf.GGUFReader)
gguf.get_tensor_name_map = functools.cache(gguf.get_tensor_name_map)

DROPPED = ("quantization_config", "_name_or_path", "_model_name_or_path", "transformers_version")
SAMPLES = (
    "The quick brown fox, 1234567 + 89 = ?",
    "def f(x):\n    return x ** 2  # naïve\n\n\t10",
    "Grüße aus Köln — 東京 🙂   end",
)
PROSE = "The capital of France is Paris, and the capital of Italy is Rome."
MOST_SURPRISE = 5.0
"""Nats a token on plain English; guessing blindly among 49152 tokens costs 10.8."""


def convert(source: Path, folder: Path) -> None:
    """Write `source` as config.json, safetensors, tokenizer and generation settings to `folder`.

    Raises `ValueError` if what was written does not behave as the model should.
    """
    fields = gguf.GGUFReader(str(source)).fields
    tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
    _repair(tokenizer, fields)
    model = AutoModelForCausalLM.from_pretrained(source.parent, gguf_file=source.name, dtype=torch.float32)
    plain = _unquantised(model).to(torch.bfloat16)
    plain.generation_config = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    plain.save_pretrained(folder)
    tokenizer.model_max_length = plain.config.max_position_embeddings
    tokenizer.save_pretrained(folder)
    _tidy(folder / "tokenizer_config.json")
    for path in folder.iterdir():
        path.chmod(0o644)
    _check(folder)


def _unquantised(model: Any) -> Any:
    """The same model without the marks of quantisation, which forbid saving it."""
    settings = {key: value for key, value in model.config.to_dict().items() if key not in DROPPED}
    plain = type(model)(type(model.config)(**settings))
    plain.load_state_dict(model.state_dict(), assign=True)
    plain.tie_weights()
    return plain


def _repair(tokenizer: Any, fields: dict[str, Any]) -> None:
    def stated(key: str) -> Any:
        field = fields.get(f"tokenizer.ggml.{key}")
        return field.contents() if field else None

    backend = tokenizer.backend_tokenizer
    if stated("pre") == "smollm":
        byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
        digits = pre_tokenizers.Digits(individual_digits=True)
        backend.pre_tokenizer = pre_tokenizers.Sequence([digits, byte_level])
    if stated("add_bos_token"):
        bos = tokenizer.bos_token
        backend.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", pair=f"{bos} $A {bos} $B:1", special_tokens=[(bos, tokenizer.bos_token_id)]
        )


def _tidy(settings_file: Path) -> None:
    """Drop traces of where the tokenizer was read, and name a class that every version knows."""
    settings = json.loads(settings_file.read_text(encoding="utf-8"))
    for trace in ("backend", "is_local", "local_files_only"):
        settings.pop(trace, None)
    if settings.get("tokenizer_class") == "TokenizersBackend":
        settings["tokenizer_class"] = "PreTrainedTokenizerFast"
    settings_file.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def _check(folder: Path) -> None:
    """Read the folder back and try it: text survives the tokenizer, English is no surprise."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for text in SAMPLES:
        back = tokenizer.decode(tokenizer.encode(text), skip_special_tokens=True)
        if back != text:
            raise ValueError(f"the tokenizer turns {text!r} into {back!r}")
    if tokenizer.chat_template:
        turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
        end = tokenizer.eos_token
        if end not in tokenizer.apply_chat_template(turns, tokenize=False):
            raise ValueError(f"the chat template never writes {end}, so answers would not end")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    ids = tokenizer(PROSE, return_tensors="pt").input_ids
    with torch.no_grad():
        surprise = float(model(input_ids=ids, labels=ids).loss)
    if not surprise < MOST_SURPRISE:
        raise ValueError(f"the converted model finds plain English at {surprise:.1f} nats a token")


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
