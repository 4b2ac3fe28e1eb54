"""The agents of AgentInstruct: a few prompts, filled in by the skills' YAML."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from synth.agents import Agent
from synth.flows.agentinstruct.forms import FORMS, Answer, Draft
from synth.flows.agentinstruct.params import Params
from synth.flows.agentinstruct.simulate import Apis
from synth.records import Sampling

__all__ = ["Agents", "Edited", "Suggestion", "Suggestions", "Tasks", "Text"]

D = TypeVar("D", bound=Draft)


class Text(BaseModel):
    """A transformed text."""

    text: str


class Tasks(BaseModel, Generic[D]):
    """A list of tasks of one type."""

    tasks: list[D]


class Edited(BaseModel, Generic[D]):
    """A task rewritten, with the text it is about."""

    text: str = ""
    task: D


class Suggestion(BaseModel):
    """One way to take a task further."""

    goal: str
    change: str


class Suggestions(BaseModel):
    """Ways to take a task further, the best first."""

    suggestions: list[Suggestion]


@dataclass(frozen=True)
class Agents:
    """All agents of a run, by what they do. The teacher plays each of them."""

    params: Params

    @property
    def _sampling(self) -> Sampling:
        return Sampling(temperature=self.params.temperature, max_tokens=self.params.max_tokens)

    def _agent(self, name: str, output: Any) -> Agent[Any]:
        return _made(name, output, self._sampling)

    @property
    def transform(self) -> Agent[Text]:
        """Makes a text of a seed."""
        return self._agent("transform", Text)

    @property
    def describe_apis(self) -> Agent[Apis]:
        """Makes a list of functions of a seed."""
        return self._agent("apis", Apis)

    def instruct(self, form: str) -> Agent[Tasks[Any]]:
        """Lists tasks of a type."""
        return self._agent("instruct", Tasks[FORMS[form].draft])  # type: ignore[misc]

    @property
    def suggest(self) -> Agent[Suggestions]:
        """Proposes ways to take a task further."""
        return self._agent("suggest", Suggestions)

    def edit(self, form: str) -> Agent[Edited[Any]]:
        """Rewrites a task, and its text, as proposed or to mend a fault."""
        return self._agent("edit", Edited[FORMS[form].draft])  # type: ignore[misc]

    def respond(self, form: str) -> Agent[Answer]:
        """Answers a task it did not write."""
        return self._agent("respond", FORMS[form].answer)


@lru_cache(maxsize=256)
def _made(name: str, output: Any, sampling: Sampling) -> Agent[Any]:
    """One object for each agent and form, so that its schema is made once."""
    return Agent(name, "teacher", f"agentinstruct/{name}", output, sampling)
