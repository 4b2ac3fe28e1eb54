"""The data that flows: questions in, samples and rejections out, each with its lineage.

All records are immutable pydantic models that serialise to one JSON line. Ids are
content hashes, so the same content made twice is one record.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NotRequired

import orjson
from pydantic import BaseModel, ConfigDict, Field, model_validator
from typing_extensions import TypedDict

__all__ = [
    "AnswerKind",
    "Call",
    "Judged",
    "Lineage",
    "Message",
    "Question",
    "Rejection",
    "Sample",
    "Sampling",
    "Seed",
    "Verdict",
    "content_id",
]

AnswerKind = Literal["number", "word", "list", "choice", "math", "text"]


class Message(TypedDict):
    """One chat turn in the OpenAI wire format."""

    role: str
    content: str
    name: NotRequired[str]


def content_id(content: object) -> str:
    """Sixteen hex digits that depend on the content alone (keys are sorted first)."""
    data = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(data, digest_size=8).hexdigest()


class Record(BaseModel):
    """Base of all records: immutable, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Seed(Record):
    """What one graph invocation starts from. `data` is the flow's own; `id` is its hash."""

    id: str
    data: dict[str, Any]

    @classmethod
    def of(cls, **data: Any) -> Seed:
        """A seed whose id is the hash of its data."""
        return cls(id=content_id(data), data=data)


class Question(Record):
    """A question with its known answer: an item of a pool, a profile or a test set.

    `kind` tells the extractor what an answer looks like; `choices` are the admissible
    labels for `kind="choice"`. `source` is `file:line` or the task family; `family` groups
    items for per-skill tables (the skill itself in procedural data).
    """

    id: str
    question: str
    answer: str
    kind: AnswerKind = "text"
    family: str = ""
    skills: tuple[str, ...] = ()
    solution: str = ""
    choices: tuple[str, ...] = ()
    source: str = ""
    licence: str = ""
    meta: dict[str, Any] = Field(default_factory=dict)
    """What a verifier or a flow needs beside the answer: `constraints` (a list of IFEval types
    with their arguments), `messages` (the turns before the question)."""

    @classmethod
    def of(cls, question: str, answer: str, *, meta: dict[str, Any] | None = None, **rest: Any) -> Question:
        """A question whose id is the hash of its text, its answer and its `meta`, if it has one."""
        identity = content_id([question, answer, meta] if meta else [question, answer])
        return cls(id=identity, question=question, answer=answer, meta=meta or {}, **rest)


class Sampling(Record):
    """Decoding parameters, sent in full so that a server's defaults never matter."""

    temperature: float = Field(default=0.0, ge=0)
    top_p: float = Field(default=1.0, gt=0, le=1)
    max_tokens: int = Field(default=512, gt=0)
    stop: tuple[str, ...] = ()
    seed: int | None = None


class Call(Record):
    """One model call in a lineage: which agent asked which weights, under which key."""

    key: str
    agent: str
    prompt_hash: str
    model: str
    weights: str
    sampling: Sampling


class Lineage(Record):
    """Where a sample comes from: the calls that made it and the records it was made from."""

    calls: tuple[Call, ...] = ()
    parents: tuple[str, ...] = ()


class Verdict(Record):
    """One judgement of a sample: by whom, of what, how it came out."""

    by: str
    name: str
    value: float | str | bool


class Sample(Record):
    """One training example. SFT has `completion`; a preference pair has `chosen` and `rejected`.

    `learner` is the role that trains on it.
    """

    id: str
    seed_id: str
    flow: str
    arm: str
    round: int
    prompt: list[Message]
    completion: list[Message] | None = None
    chosen: list[Message] | None = None
    rejected: list[Message] | None = None
    learner: str = "student"
    skills: tuple[str, ...] = ()
    family: str = ""
    licence: str = ""
    """Of the data it was made from."""
    terms: dict[str, str] = Field(default_factory=dict)
    """Model that had a part in it -> licence or terms on what that model writes; empty if unknown."""
    verdicts: tuple[Verdict, ...] = ()
    lineage: Lineage = Lineage()
    meta: dict[str, Any] = Field(default_factory=dict)

    @classmethod
    def sft(cls, prompt: Sequence[Message], answer: str, **rest: Any) -> Sample:
        """A prompt with one assistant answer to learn."""
        completion: list[Message] = [{"role": "assistant", "content": answer}]
        identity = content_id([list(prompt), completion])
        return cls(id=identity, prompt=list(prompt), completion=completion, **rest)

    @classmethod
    def pair(cls, prompt: Sequence[Message], chosen: str, rejected: str, **rest: Any) -> Sample:
        """A prompt with an answer to prefer and one to avoid."""
        better: list[Message] = [{"role": "assistant", "content": chosen}]
        worse: list[Message] = [{"role": "assistant", "content": rejected}]
        identity = content_id([list(prompt), better, worse])
        return cls(id=identity, prompt=list(prompt), chosen=better, rejected=worse, **rest)


class Rejection(Record):
    """A record that did not become data, with its whole story.

    `reason` is one short word used for counting (`unparsed`, `disagreed`, `duplicate`,
    `contaminated`, `truncated`, `call-failed`, `wrong`, …); `node` is the graph node or
    curation step; `raw` the text that was refused.
    """

    seed_id: str
    round: int
    stage: str
    node: str
    reason: str
    detail: str = ""
    attempts: int = 1
    error: str = ""
    raw: str = ""
    data: Mapping[str, Any] = Field(default_factory=dict)


class Judged(Record):
    """One held-out item as one student answered it. `strict` wants the bare answer.

    `score` is the verifier's own number where it gives one, else 1 for right and 0 for wrong;
    `parts` are its single verdicts, such as one a constraint.
    """

    id: str
    family: str
    question: str
    answer: str
    response: str
    extracted: str
    correct: bool
    strict: bool
    score: float = 0.0
    parts: tuple[bool, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _scored(cls, data: Any) -> Any:
        """Without a score of its own an item counts 1 or 0."""
        if isinstance(data, dict) and "score" not in data:
            return {**data, "score": float(bool(data.get("correct")))}
        return data
