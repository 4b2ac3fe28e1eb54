"""What a running vLLM server is told besides requests: adapters, new weights, and its figures.

`root` is the server's address without /v1. All raise `ServerError` with the server's text.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp

from synth.errors import ServerError

__all__ = [
    "healthy",
    "load_adapter",
    "metrics",
    "reload_weights",
    "reset_prefix_cache",
    "served_names",
    "sleep",
    "wake",
    "wake_with",
]

METRICS = {
    "vllm:num_requests_running": "num_requests_running",
    "vllm:num_requests_waiting": "num_requests_waiting",
    "vllm:kv_cache_usage_perc": "kv_cache_usage_perc",
    "vllm:prefix_cache_queries_total": "prefix_cache_queries",
    "vllm:prefix_cache_hits_total": "prefix_cache_hits",
    "vllm:num_preemptions_total": "num_preemptions",
}
DRAIN_SECONDS = 600.0
RESET_TRIES = 20


async def load_adapter(root: str, name: str, path: Path) -> None:
    """Serve the LoRA adapter in `path` as the model `name`; a name is used once."""
    await _post(root, "/v1/load_lora_adapter", {"lora_name": name, "lora_path": str(path.absolute())})


async def reload_weights(root: str, path: Path, version: str | None = None) -> None:
    """Replace the served weights by the safetensors in `path` (same architecture).

    Requests in flight are finished first, later ones wait; what the prefix cache holds of
    the old weights is dropped. Needs a server started with `dev`.
    """
    await _post(root, "/pause?mode=wait")
    try:
        await _replace(root, path)
        await reset_prefix_cache(root)
        await _post(root, "/update_weight_version", {"new_version": version or str(path)})
    finally:
        await _post(root, "/resume")


async def sleep(root: str, level: int) -> None:
    """Give the GPU's memory back: level 1 keeps the weights in the machine's memory, level 2 drops them.

    Requests in flight are finished first. Needs a server started with `--enable-sleep-mode` and `dev`.
    """
    await _post(root, f"/sleep?level={level}&mode=wait")


async def wake(root: str) -> None:
    """From level 1: weights and an empty cache are back, and requests are taken again."""
    await _post(root, "/wake_up")


async def wake_with(root: str, path: Path) -> None:
    """From level 2: room for weights, the weights in `path`, room for the cache; only then requests."""
    await _post(root, "/wake_up?tags=weights")
    await _replace(root, path)
    await _post(root, "/wake_up?tags=kv_cache")
    await _post(root, "/update_weight_version", {"new_version": str(path)})


async def _replace(root: str, path: Path) -> None:
    call = {"method": "reload_weights", "kwargs": {"weights_path": str(path.absolute())}}
    await _post(root, "/collective_rpc", call)


async def healthy(root: str) -> bool:
    """Whether the server says that it is well."""
    limit = aiohttp.ClientTimeout(total=5)
    try:
        async with aiohttp.ClientSession(timeout=limit) as session, session.get(f"{root}/health") as response:
            return response.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


async def served_names(root: str, seconds: float = 10.0) -> list[str]:
    """Names the server answers to: its own and those of loaded adapters."""
    listing = await _get(root, "/v1/models", seconds)
    return [str(model["id"]) for model in listing["data"]]


async def metrics(root: str, seconds: float = 10.0) -> dict[str, float]:
    """Requests running and waiting, KV cache in use (0..1), prefix cache queries and hits, preemptions.

    Raises `ServerError` too where the page is not that of a vLLM.
    """
    page = await _get(root, "/metrics", seconds, text=True)
    if "vllm:num_requests_running" not in page:
        raise ServerError(f"{root}/metrics tells nothing of a vLLM's queue")
    figures = dict.fromkeys(METRICS.values(), 0.0)
    for line in page.splitlines():
        name, _, rest = line.partition("{")
        if name in METRICS:
            key, value = METRICS[name], float(rest.rpartition("}")[2].split()[0])
            # One line for each engine: counts add up, a share does not.
            figures[key] = max(figures[key], value) if key.endswith("_perc") else figures[key] + value
    return figures


async def reset_prefix_cache(root: str) -> None:
    """Have the server forget all prefixes. Needs a server started with `dev`."""
    for _ in range(RESET_TRIES):
        if (await _post(root, "/reset_prefix_cache")).get("success"):
            return
        await asyncio.sleep(0.1)
    raise ServerError(f"{root} did not let go of its prefix cache", "stop other clients of this server")


async def _post(root: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    return await _ask("POST", root, path, DRAIN_SECONDS, body)  # type: ignore[no-any-return]


async def _get(root: str, path: str, seconds: float, text: bool = False) -> Any:
    return await _ask("GET", root, path, seconds, text=text)


async def _ask(
    method: str, root: str, path: str, seconds: float, body: dict[str, Any] | None = None, text: bool = False
) -> Any:
    limit = aiohttp.ClientTimeout(total=seconds)
    try:
        async with (
            aiohttp.ClientSession(timeout=limit) as session,
            session.request(method, root + path, json=body) as response,
        ):
            said = await response.text()
            if response.status >= 400:
                raise _refused(method, root + path, response.status, said)
            if text:
                return said
            return await response.json() if response.content_type == "application/json" else {}
    except (aiohttp.ClientError, TimeoutError) as error:
        raise ServerError(
            f"{method} {root + path} got no answer: {type(error).__name__} {error}".rstrip(),
            "see the end of the server's log",
        ) from error


def _refused(method: str, url: str, status: int, said: str) -> ServerError:
    cures = {
        404: "start the server with what this needs: lora=True for adapters, dev=True for whole weights",
        400: "for an adapter: use a new name, and a rank within the server's limit",
    }
    return ServerError(f"{method} {url} was refused with {status}: {said[:500]}", cures.get(status, ""))
