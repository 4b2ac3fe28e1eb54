"""An agent: a prompt file, the role that answers, how it samples, and the shape of its answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, TypeVar

from langgraph.runtime import Runtime
from pydantic import BaseModel

from synth.agents.parse import Unparsed, parse_json
from synth.agents.prompt import Prompt, load_prompt
from synth.agents.schema import schema_of
from synth.chat import CallFailed, Chat, Dropped, Reply, Request
from synth.engine.context import Context
from synth.errors import PromptError
from synth.records import Call, Message, Sampling

__all__ = ["Agent", "ask"]

T = TypeVar("T", bound=BaseModel)
GREEDY = Sampling()


@dataclass(frozen=True)
class Agent(Generic[T]):
    """Asks `role` with `prompt` filled in, and reads the answer as an `output`.

    The schema of `output` goes with the request, so that an endpoint with guided decoding
    can only answer in that shape; elsewhere a reply that does not fit is given back once
    with what is wrong, then dropped as `unparsed`. `prompt` is a built-in name or a path.
    """

    name: str
    role: str
    prompt: str | Path
    output: type[T]
    sampling: Sampling = GREEDY

    @cached_property
    def _prompt(self) -> Prompt:
        return load_prompt(self.prompt)

    def load(self) -> None:
        """Read the prompt file now. Raises `PromptError` if it is missing or not a template."""
        self._prompt  # noqa: B018

    @cached_property
    def _schema(self) -> dict[str, Any]:
        return schema_of(self.output)

    async def __call__(self, context: Context, *, sample: int = 0, **variables: object) -> T:
        """One typed answer. `sample` numbers independent answers to the same question.

        Raises `Dropped` (`unparsed`, `truncated`, `call-failed`): the graph ends there and
        the seed is kept as a rejection.
        """
        messages = self._prompt.render(**variables)
        reply = await self._say(context, messages, sample)
        try:
            return self._read(reply)
        except Unparsed as error:
            return await self._repair(context, messages, reply, error, sample)

    def node(self, *reads: str, writes: str | None = None) -> Callable[..., Awaitable[dict[str, T]]]:
        """This agent as a node of a graph: the state's `reads` fill in its prompt (all of the state, where
        none are named), and its answer is put under `writes`, by default its own name.

        Raises `PromptError` if the prompt file is missing, is no template, or uses what is not read, and
        if `output` is no pydantic model.
        """
        if not (isinstance(self.output, type) and issubclass(self.output, BaseModel)):
            name = getattr(self.output, "__name__", repr(self.output))
            raise PromptError(
                f"the agent {self.name!r} answers with {name}, which is no pydantic model",
                "write a class Answer(BaseModel) with the fields that the prompt asks for",
            )
        if reads:
            self._prompt.fits(reads, f"the node of {self.name!r}")
        else:
            self.load()

        async def answer(state: Mapping[str, Any], runtime: Runtime[Context]) -> dict[str, T]:
            variables = {name: state[name] for name in reads} if reads else state
            return {writes or self.name: await self(runtime.context, **variables)}

        return answer

    async def _repair(
        self, context: Context, messages: list[Message], reply: Reply, problem: Unparsed, sample: int
    ) -> T:
        asked: list[Message] = [
            *messages,
            {"role": "assistant", "content": reply.text},
            {"role": "user", "content": f"That is not the JSON asked for ({problem}). Answer with it alone."},
        ]
        second = await self._say(context, asked, sample)
        try:
            return self._read(second)
        except Unparsed as error:
            raise Dropped("unparsed", self.name, str(error), second.text, 2, "Unparsed") from error

    def _read(self, reply: Reply) -> T:
        if reply.truncated:
            why = "the token limit cut the answer off"
            raise Dropped("truncated", self.name, why, reply.text, error="length")
        return parse_json(reply.text, self.output)

    async def _say(self, context: Context, messages: list[Message], sample: int) -> Reply:
        replies = await ask(
            context,
            self.role,
            messages,
            self.sampling,
            agent=self.name,
            prompt_hash=self._prompt.hash,
            schema=self._schema,
            first=sample,
        )
        return replies[0]


async def ask(
    context: Context,
    role: str,
    messages: list[Message],
    sampling: Sampling,
    *,
    agent: str,
    prompt_hash: str = "",
    schema: dict[str, Any] | None = None,
    n: int = 1,
    first: int = 0,
) -> list[Reply]:
    """`n` plain replies from a role, noted in the lineage. Raises `Dropped("call-failed")`."""
    model: Chat = context.models[role]
    stage = f"{context.round}/{context.stage}"
    request = Request(messages, sampling, schema, stage=stage, agent=agent, record=context.seed_id)
    try:
        replies = await model.ask(request, n=n, first=first)
    except CallFailed as error:
        raise Dropped("call-failed", agent, error.detail, error.raw, error.attempts, error.kind) from error
    for reply in replies:
        context.calls.append(
            Call.model_construct(
                key=reply.key,
                agent=agent,
                prompt_hash=prompt_hash,
                model=model.model,
                weights=model.weights,
                sampling=sampling,
            )
        )
    return replies
