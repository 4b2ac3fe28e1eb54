"""The team of a replay: every role is played by what a recorded run was answered."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from synth.chat import Leaving, Reply, Request
from synth.config import ModelSpec
from synth.errors import RunError
from synth.journal import Journal
from synth.runs.recording import Recording
from synth.teachers.model import Model
from synth.teachers.team import Team

__all__ = ["RecordedModel", "ReplayTeam"]


class Nobody:
    """Stands where an endpoint would be: there is none to send to."""

    width = 0

    async def chat(
        self, request: Request, model: str, n: int, first: int, name: str, leaving: Leaving | None = None
    ) -> list[Reply]:
        raise AssertionError("a replay sends nothing")

    async def aclose(self) -> None:
        """Nothing to close."""


class RecordedModel(Model):
    """Plays a role from a journal alone: a call it does not have fails, as it did there or for good."""

    def __init__(self, role: str, model: str, weights: str, journal: Journal, recording: Recording) -> None:
        super().__init__(role, model, weights, "", Nobody(), journal)
        self._recording = recording

    async def _send(self, request: Request, keys: list[bytes], first: int) -> list[Reply]:
        """Raises `CallFailed` for a call that failed when it was recorded, else `RunError`."""
        raise self._recording.failure(keys[0]) or self._recording.never_asked(
            request, self.model, self.weights, first
        )


class ReplayTeam(Team):
    """A `Team` that starts no server and contacts nobody; roles have their recorded weights."""

    live = False

    def __init__(self, specs: Mapping[str, ModelSpec], journal: Journal, recording: Recording) -> None:
        super().__init__(specs, journal, recording.path, learners={}, folders={}, say=lambda text: None)
        self._recording = recording

    async def start(self) -> None:
        """Raises `RunError` if the recording was made with another model in some role."""
        for role, spec in self._specs.items():
            model, weights = self._recording.identity(role) or (spec.title, "")
            if model != spec.title:
                raise RunError(
                    f"models.{role} is {spec.title}, and {self._recording.path} was made with {model}",
                    f"name the same model; or {self._recording.cure}",
                )
            self.models[role] = RecordedModel(role, model, weights, self._journal, self._recording)

    def folder(self, role: str) -> Path:
        """The recorded run's folder, which keeps the student's tokenizer. Raises `RunError` if not."""
        if not (self._recording.path / "tokenizer.json").is_file():
            raise RunError(
                f"{self._recording.path} keeps no tokenizer.json to count training tokens with",
                "copy the student's into it; runs keep it from the moment they first curate",
            )
        return self._recording.path

    async def swap_in(self, role: str, weights: Path, version: str, name: str) -> None:
        """From now on the role is played by what was recorded of these weights."""
        self.models[role].become(name, version)

    async def swap_back(self, role: str, weights: Path | None, version: str, served: str) -> None:
        """From now on the role is played by what was recorded of the earlier weights."""
        self.models[role].become(served, version)
