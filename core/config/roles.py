"""Who plays a role: a model served locally, an endpoint, or a program."""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from synth.config.strict import Strict

__all__ = ["GpuUse", "ModelSpec", "Scratch", "ServerOptions", "check_address"]


class Scratch(Strict):
    """A small model trained from nothing on the run's own task families."""

    scratch: Literal["tiny"]
    """`tiny`: about 0.4 million parameters, bytes as tokens."""
    seed: int = 0
    """Seed of its initial weights and of its base training data."""
    steps: int = Field(default=300, gt=0)
    """Optimiser steps of its base training."""


class ServerOptions(Strict):
    """How a locally served model is started; what is left out is chosen for the machine."""

    port: int | None = Field(default=None, ge=1, le=65535)
    """Fixed port; by default a free one is taken."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """`auto`: float32 on a CPU, bfloat16 on a GPU."""
    max_model_len: int | None = Field(default=None, gt=0)
    """Longest prompt plus answer in tokens; by default the model's own limit, at most 2048 on a CPU."""
    gpu_memory_utilization: float | None = Field(default=None, gt=0, le=1)
    """Share of the GPU's memory the server may take; left out, what the others on it leave (docs/gpu.md)."""
    kv_cache_gib: int = Field(default=2, gt=0)
    """Memory for the KV cache on a CPU, in GiB."""
    tensor_parallel_size: int = Field(default=1, gt=0)
    replicas: int = Field(default=1, gt=0)
    """Servers of the same weights, each on GPUs of its own; every record keeps to one of them."""
    args: tuple[str, ...] = ()
    """Further arguments passed to the server as they are."""

    @field_validator("args")
    @classmethod
    def _no_key(cls, args: tuple[str, ...]) -> tuple[str, ...]:
        if any(arg.startswith("--api-key") for arg in args):
            raise ValueError("a key may not stand in the flow file; leave it out, a local server needs none")
        return args


class GpuUse(Strict):
    """Servers and training on the same GPUs; without a GPU it says nothing."""

    share: Literal["auto", "side-by-side", "sleep", "turns"] = "auto"
    """While a role learns its servers and the others stay up (`side-by-side`), give their memory back and
    keep their processes (`sleep`), or are stopped and started again (`turns`); `auto` takes the first that
    fits."""


def check_address(url: str) -> None:
    """Raises `ValueError` for what is no address, or holds a secret."""
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError("this is not a web address; write the root, such as http://127.0.0.1:8000/v1")
    if "@" in parts.netloc or parts.query:
        raise ValueError("an address may hold no password and no query; write 'api_key: env:NAME'")


class ModelSpec(Strict):
    """Who plays a role: a model served locally, an endpoint, or a program. Exactly one."""

    model: str | Scratch | None = None
    """An alias, a hub id, a local folder, or `{scratch: tiny}`; with `base_url` the served name."""
    base_url: str | tuple[str, ...] | None = None
    """Root of an OpenAI-compatible endpoint, such as http://127.0.0.1:8000/v1; a list where several
    servers have the same weights."""
    base_urls: str | None = None
    """A file with such addresses, one a line, or a folder of such files: servers that come and go."""
    api_key: str | None = None
    """`env:NAME`: the environment variable that holds the key. A key itself is refused."""
    program: str | None = None
    """`module:function`: a Python function from messages to text."""
    api: Literal["chat", "pooling", "classify", "embeddings"] = "chat"
    """What it is asked for: text, or (of vLLM's pooling models) scores and vectors, as JSON lists."""
    server: ServerOptions = ServerOptions()
    terms: str = ""
    """Licence or terms on what it writes, such as `Apache-2.0`, `OpenAI-terms` or `unconditional`, carried
    by every record made with it; by default what is known of the model."""
    concurrency: int | None = Field(default=None, gt=0)
    """Calls in flight, at each server; by default it finds its own level."""
    timeout: float = Field(default=120.0, gt=0)
    """Seconds one call may take, counted from sending."""

    @field_validator("base_url")
    @classmethod
    def _plain_urls(cls, urls: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        if urls is not None and not urls:
            raise ValueError("this list is empty; write one address at least")
        if isinstance(urls, tuple) and len(set(urls)) < len(urls):
            raise ValueError("an address stands here twice; write each server once")
        for url in (urls,) if isinstance(urls, str) else urls or ():
            check_address(url)
        return urls

    @field_validator("api_key")
    @classmethod
    def _only_named(cls, key: str | None) -> str | None:
        if key is not None and not re.fullmatch(r"env:[A-Za-z_][A-Za-z0-9_]*", key):
            raise ValueError(
                "a key itself may not stand in the flow file; write env:NAME, the variable that holds it"
            )
        return key

    @model_validator(mode="after")
    def _one_kind(self) -> ModelSpec:
        if self.base_url is not None and self.base_urls is not None:
            raise ValueError("addresses stand under base_url or in the file base_urls, not both; keep one")
        if self.program is not None and (self.model is not None or self.remote):
            raise ValueError(
                "a role is played by a program or by a model, not by both; "
                "keep one (an overlay drops the other with null, as in 'model: null')"
            )
        if self.program is None and self.model is None:
            raise ValueError("nobody plays this role; write model, base_url with model, or program")
        if self.remote and not isinstance(self.model, str):
            raise ValueError("an endpoint needs a model; write the name it serves under 'model'")
        return self

    @property
    def kind(self) -> Literal["local", "endpoint", "program"]:
        """Which of the three this is."""
        if self.program is not None:
            return "program"
        return "endpoint" if self.remote else "local"

    @property
    def remote(self) -> bool:
        """Whether servers elsewhere play the role."""
        return self.base_url is not None or self.base_urls is not None

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses that stand in the flow file."""
        return (self.base_url,) if isinstance(self.base_url, str) else self.base_url or ()

    @property
    def where(self) -> str:
        """Where the role is played, in a few words."""
        return self.base_urls or ", ".join(self.addresses) or self.title

    @property
    def title(self) -> str:
        """What the model is called in the journal and in price tables."""
        if isinstance(self.model, Scratch):
            return f"scratch-{self.model.scratch}"
        return self.program or str(self.model)
