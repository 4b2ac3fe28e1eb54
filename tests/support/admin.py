"""vLLM's routes beside the chat: models, health, metrics, adapters, and the weight-reload calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import orjson

from tests.support.load import Load
from tests.support.wire import Reply, error

__all__ = ["Admin"]

MEMORY = ("weights", "kv_cache")
ACCEPTED = ("/pause", "/resume", "/collective_rpc", "/update_weight_version")


class Admin:
    """`calls` keeps every POST beside the chat as (path with query, body), in order.

    It sleeps as vLLM does: level 1 keeps the weights, level 2 loses them, and what is asked of memory
    that is not there, or of weights that were not loaded again, fails as it would on a GPU.
    """

    def __init__(self, models: Sequence[str], load: Load) -> None:
        self.models = tuple(models)
        self.load = load
        self.adapters: dict[str, str] = {}
        self.calls: list[tuple[str, Mapping[str, Any]]] = []
        self.asleep: set[str] = set()
        self.blank = False

    @property
    def awake(self) -> bool:
        """Whether an answer would come, and from weights that mean something."""
        return not self.asleep and not self.blank

    def serves(self, model: object) -> bool:
        """Whether a chat may name this model."""
        return model in self.models or model in self.adapters

    def forget(self) -> None:
        """What a restart loses: adapters and the prefix cache."""
        self.adapters.clear()
        self.load.forget_prefixes()

    def get(self, path: str) -> Reply:
        """Answer a GET."""
        if path == "/health":
            return Reply(b"")
        if path == "/is_sleeping":
            return Reply(orjson.dumps({"is_sleeping": bool(self.asleep)}))
        if path == "/metrics":
            return Reply(self.load.metrics(self.models[0]).encode(), kind="text/plain")
        if path != "/v1/models":
            return error(404, "Not Found")
        cards = [{"id": name, "object": "model", "root": name, "parent": None} for name in self.models]
        cards += [
            {"id": name, "object": "model", "root": root, "parent": self.models[0]}
            for name, root in self.adapters.items()
        ]
        return Reply(orjson.dumps({"object": "list", "data": cards}))

    def post(self, route: str, body: Mapping[str, Any]) -> Reply:
        """Answer a POST; `route` is the path with its query."""
        self.calls.append((route, body))
        path = route.partition("?")[0]
        if path == "/v1/load_lora_adapter":
            return self._load(body)
        if path == "/v1/unload_lora_adapter":
            return self._unload(body)
        if path == "/reset_prefix_cache":
            self.load.forget_prefixes()
            return Reply(b'{"success":true}')
        if path in ("/sleep", "/wake_up"):
            return self._sleep(parse_qs(route.partition("?")[2]), path)
        if path == "/collective_rpc":
            if "weights" in self.asleep:
                return error(500, "an illegal memory access was encountered")
            self.blank = False
        return Reply(b"{}") if path in ACCEPTED else error(404, "Not Found")

    def _sleep(self, query: Mapping[str, list[str]], path: str) -> Reply:
        if path == "/wake_up":
            self.asleep -= set(query.get("tags", MEMORY))
        else:
            self.asleep |= set(MEMORY)
            self.blank = self.blank or query["level"] == ["2"]
            self.load.forget_prefixes()
        return Reply(b"{}")

    def _load(self, body: Mapping[str, Any]) -> Reply:
        name, path = body.get("lora_name"), body.get("lora_path")
        if not name or not path:
            return error(400, "Both 'lora_name' and 'lora_path' must be provided.")
        if name in self.adapters and not body.get("load_inplace"):
            return error(400, f"The lora adapter '{name}' has already been loaded.")
        if not Path(path).exists():
            return error(404, f"Loading lora {name} failed: No adapter found for {path}")
        self.adapters[name] = path
        return Reply(f"Success: LoRA adapter '{name}' added successfully.".encode(), kind="text/plain")

    def _unload(self, body: Mapping[str, Any]) -> Reply:
        name = body.get("lora_name", "")
        if self.adapters.pop(name, None) is None:
            return error(404, f"The lora adapter '{name}' cannot be found.")
        return Reply(f"Success: LoRA adapter '{name}' removed successfully.".encode(), kind="text/plain")
