"""Which of a flow file's profiles fits this machine, and why the others do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from synth.config import FlowFile, Loaded
from synth.errors import SynthError
from synth.gpu.devices import Gpu
from synth.gpu.needs import servings, sizes_by_name, trainings
from synth.gpu.share import DoesNotFit, share
from synth.gpu.sizes import GIB, Sizes
from synth.students.memory import SURE, needed
from synth.teachers.fleet import shared

__all__ = ["Fit", "profiles_that_fit"]

PROCESS = 1.0 * GIB
"""A server's process on a CPU, without weights and cache."""
NUMBER = 4
"""Bytes of a weight on a CPU."""


@dataclass(frozen=True)
class Fit:
    """One profile, None for the file as it stands; None under `fits` where nobody can tell."""

    profile: str | None
    fits: bool | None
    why: str


def profiles_that_fit(load: Callable[[str | None], Loaded], gpus: Sequence[Gpu], ram: float) -> Iterator[Fit]:
    """The file as it stands and each of its profiles, in their order. `load` reads it with a profile;
    `ram` are the bytes that can be had of the machine's memory. Raises `SynthError` for a faulty file."""
    whole = load(None)
    for profile in (None, *whole.flow.profiles):
        try:
            yield _fit(profile, whole if profile is None else load(profile), gpus, ram)
        except DoesNotFit as error:
            yield Fit(profile, False, error.what)
        except SynthError as error:
            yield Fit(profile, False, f"{error.what}; {error.cure}" if error.cure else error.what)


def _fit(profile: str | None, loaded: Loaded, gpus: Sequence[Gpu], ram: float) -> Fit:
    flow = loaded.flow
    places, sizes, unknown = sizes_by_name(flow)
    if unknown:
        return Fit(profile, None, f"the size of {', '.join(unknown)} is not known before it is here")
    if not places:
        return Fit(profile, True, "no model is served here")
    if not gpus:
        return _on_processor(profile, loaded, places, sizes, ram)
    needs = servings(flow, places, sizes), trainings(flow, loaded.path, sizes, len(gpus))
    return Fit(profile, True, "; ".join(share(*needs, gpus, ram, flow.gpu.share).said))


def _on_processor(
    profile: str | None, loaded: Loaded, places: dict[str, Path], sizes: dict[str, Sizes], ram: float
) -> Fit:
    """All servers and the training side by side in the machine's memory."""
    serving = _served(loaded.flow, places, sizes)
    training = max((_learnt(loaded.flow, role, sizes[role]) for role in loaded.flow.learning), default=0.0)
    said = (
        f"no GPU: about {(serving + training) / GIB:.1f} GiB of memory, {serving / GIB:.1f} for servers and "
        f"{training / GIB:.1f} for training; {ram / GIB:.1f} GiB are free"
    )
    return Fit(profile, serving + training <= ram, said)


def _served(flow: FlowFile, places: dict[str, Path], sizes: dict[str, Sizes]) -> float:
    return sum(
        (NUMBER * sizes[roles[0]].parameters + flow.models[roles[0]].server.kv_cache_gib * GIB + PROCESS)
        * flow.models[roles[0]].server.replicas
        for roles in shared(flow.models, places, flow.learning).values()
    )


def _learnt(flow: FlowFile, role: str, sizes: Sizes) -> float:
    train = flow.train if role == "student" else flow.learners[role]
    need = needed(train, sizes, train.max_length, train.batch_size, gpu=False)
    return need.weights + SURE * need.activations
