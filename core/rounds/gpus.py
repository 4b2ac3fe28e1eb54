"""Before servers start: who gets how much of the GPUs, and what becomes of servers while a role learns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

from synth.config import FlowFile
from synth.gpu import DoesNotFit, Sharing, Sizes, share, visible_gpus
from synth.gpu.needs import servings, trainings
from synth.students.memory import free_ram
from synth.teachers.owner import wait_for_all
from synth.teachers.vllm_args import build_of, server_python

__all__ = ["arrange"]

TRIES = 5
"""Looks at the memory before giving up: what an earlier start left may still be ending."""
PAUSE = 2.0


async def arrange(
    flow: FlowFile, path: Path, folders: Mapping[str, Path], logs: Path, say: Callable[[str], None]
) -> Sharing | None:
    """The plan for the GPUs; None where there are none, or vLLM is not built for them.

    `logs` is the folder of the servers' logs. Raises `RunError` where models or training do not fit.
    """
    if not folders or await asyncio.to_thread(build_of, server_python()) == "cpu":
        return None
    await wait_for_all(logs)
    for tries_left in reversed(range(TRIES)):
        try:
            sharing = await asyncio.to_thread(_plan, flow, path, folders)
            break
        except DoesNotFit:
            if not tries_left:
                raise
            await asyncio.sleep(PAUSE)
    for line in sharing.said if sharing else ():
        say(line)
    return sharing


def _plan(flow: FlowFile, path: Path, folders: Mapping[str, Path]) -> Sharing | None:
    gpus = visible_gpus()
    if not gpus:
        return None
    sizes = {role: Sizes.of_folder(folder) for role, folder in folders.items()}
    return share(
        servings(flow, folders, sizes),
        trainings(flow, path, sizes, len(gpus)),
        gpus,
        free_ram(),
        flow.gpu.share,
    )
