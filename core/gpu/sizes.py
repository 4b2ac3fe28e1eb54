"""What a model weighs: read from the heads of its files, no weight is loaded."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["GIB", "Sizes"]

GIB = 1 << 30


@dataclass(frozen=True)
class Sizes:
    """What of a model decides the memory it takes."""

    parameters: int
    stored: int
    """Bytes of its weight files."""
    layers: int
    hidden: int
    vocabulary: int
    cache: int
    """Numbers that a token leaves in the KV cache: keys and values of all layers."""
    linear: int
    """Rows and columns of all linear maps inside the layers: an adapter has so many parameters a rank."""
    longest: int
    """Tokens the model was made for; 0 where it does not say."""
    quantised: bool = False
    """Whether its weights are held in fewer bits than the server's `dtype`."""

    @classmethod
    def of_folder(cls, folder: Path) -> Sizes:
        """Of a model on this machine. Raises `OSError`, `ValueError` or `KeyError` for what is none."""
        config = json.loads((folder / "config.json").read_bytes())
        shapes = dict(_shapes(folder))
        inner = (shape for name, shape in shapes.items() if len(shape) == 2 and ".layers." in name)
        text = config.get("text_config", config)
        return cls(
            parameters=sum(math.prod(shape) for shape in shapes.values()),
            stored=sum(path.stat().st_size for path in folder.glob("*.safetensors")),
            layers=int(text["num_hidden_layers"]),
            hidden=int(text["hidden_size"]),
            vocabulary=int(text["vocab_size"]),
            cache=_cache(text),
            linear=sum(map(sum, inner)),
            longest=int(text.get("max_position_embeddings") or 0),
            quantised="quantization_config" in config,
        )


def _cache(config: Mapping[str, Any]) -> int:
    layers, hidden = int(config["num_hidden_layers"]), int(config["hidden_size"])
    if "kv_lora_rank" in config:  # latent attention keeps one vector and the rotary part
        return layers * (int(config["kv_lora_rank"]) + int(config["qk_rope_head_dim"]))
    heads = int(config.get("num_attention_heads") or 1)
    head = int(config.get("head_dim") or hidden // heads)
    return 2 * layers * int(config.get("num_key_value_heads") or heads) * head


def _shapes(folder: Path) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Names and shapes of a model's tensors, from the heads of its files."""
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            head = json.loads(file.read(length))
        for name, tensor in head.items():
            if name != "__metadata__":
                yield name, tuple(tensor["shape"])
