"""One sample in the shapes that trainers read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal, get_args

import orjson

from synth.curation.licences import terms_in
from synth.errors import DataError
from synth.records import Message, Sample, content_id

__all__ = ["FORMATS", "Format", "dataset_info", "once", "row", "schema"]

Format = Literal["parquet", "jsonl", "messages", "pairs", "prompts", "alpaca", "sharegpt"]
"""`parquet` and `jsonl` hold the rows as the student was trained on them, for TRL (`prompt` with
`completion`, or with `chosen` and `rejected`); `messages`, `pairs` and `prompts` are TRL's other
conversational types; `alpaca` and `sharegpt` are read by LLaMA-Factory and Axolotl."""
FORMATS: tuple[Format, ...] = get_args(Format)

SPEAKERS = {"user": "human", "assistant": "gpt", "tool": "observation"}


def row(sample: Sample, form: Format) -> dict[str, Any]:
    """The sample as one row. Raises `DataError` where the shape cannot hold it."""
    return _SHAPES[form](sample)


def _trained(sample: Sample) -> dict[str, Any]:
    """What the student learns from, with where it comes from beside it."""
    found: dict[str, Any] = {"prompt": sample.prompt}
    if sample.chosen is None:
        found["completion"] = sample.completion
    else:
        found |= {"chosen": sample.chosen, "rejected": sample.rejected}
    return found | _origin(sample)


def _origin(sample: Sample) -> dict[str, Any]:
    return {
        "id": sample.id,
        "family": sample.family,
        "skills": list(sample.skills),
        "licence": sample.licence,
        "terms": terms_in(sample),
        "round": sample.round,
    }


def _messages(sample: Sample) -> dict[str, Any]:
    """One conversation; of a pair the preferred one."""
    return {"messages": [*sample.prompt, *_answer(sample)], "id": sample.id}


def _pairs(sample: Sample) -> dict[str, Any]:
    _want_pair(sample)
    sides = {"chosen": sample.chosen, "rejected": sample.rejected}
    return {"prompt": sample.prompt, **sides, "id": sample.id}


def _prompts(sample: Sample) -> dict[str, Any]:
    """The prompt alone with what is known to be right, for training by reward."""
    return {
        "prompt": sample.prompt,
        "ground_truth": _truth(sample),
        "family": sample.family,
        "id": sample.id,
    }


def _truth(sample: Sample) -> str:
    """The answer that is known to be right; of constraints to be followed their list, as JSON."""
    question = sample.meta.get("truth") or {}
    if answer := sample.meta.get("answer") or question.get("answer"):
        return str(answer)
    constraints = (question.get("meta") or {}).get("constraints")
    return orjson.dumps(constraints).decode() if constraints else ""


def once(samples: Iterable[Sample], form: Format) -> Iterator[Sample]:
    """The samples that make a row: where prompts alone are wanted, one of several answers to a prompt."""
    seen: set[str] = set()
    for sample in samples:
        if form == "prompts":
            if (asked := content_id(sample.prompt)) in seen:
                continue
            seen.add(asked)
        yield sample


def _alpaca(sample: Sample) -> dict[str, Any]:
    turns = [message for message in sample.prompt if message["role"] != "system"]
    found: dict[str, Any] = {"instruction": turns[-1]["content"], "input": ""}
    if sample.chosen is None:
        found["output"] = _text(_answer(sample))
    else:
        found |= {"chosen": _text(sample.chosen), "rejected": _text(sample.rejected or ())}
    if len(turns) % 2 == 0 or any(turn["role"] != _turn(at) for at, turn in enumerate(turns)):
        raise DataError(
            f"the sample {sample.id} is no exchange of questions and answers, which alpaca wants",
            "export it as messages or sharegpt",
        )
    earlier = [turn["content"] for turn in turns[:-1]]
    history = [list(pair) for pair in zip(earlier[::2], earlier[1::2], strict=True)]
    return found | {"system": _system(sample), "history": history}


def _sharegpt(sample: Sample) -> dict[str, Any]:
    turns = [message for message in sample.prompt if message["role"] != "system"]
    found: dict[str, Any] = {"conversations": [_said(turn) for turn in turns], "system": _system(sample)}
    if sample.chosen is None:
        found["conversations"] += [_said(turn) for turn in _answer(sample)]
        return found
    return found | {"chosen": _said(sample.chosen[-1]), "rejected": _said((sample.rejected or [])[-1])}


_SHAPES: dict[Format, Callable[[Sample], dict[str, Any]]] = {
    "parquet": _trained,
    "jsonl": _trained,
    "messages": _messages,
    "pairs": _pairs,
    "prompts": _prompts,
    "alpaca": _alpaca,
    "sharegpt": _sharegpt,
}


def _answer(sample: Sample) -> list[Message]:
    return sample.completion or sample.chosen or []


def _want_pair(sample: Sample) -> None:
    if sample.chosen is None:
        raise DataError(
            f"the sample {sample.id} is a single answer, no pair", "export it as parquet, jsonl or messages"
        )


def _turn(at: int) -> str:
    return "user" if at % 2 == 0 else "assistant"


def _text(messages: Sequence[Message]) -> str:
    return "\n".join(message["content"] for message in messages)


def _system(sample: Sample) -> str:
    return _text([message for message in sample.prompt if message["role"] == "system"])


def _said(message: Message) -> dict[str, str]:
    return {"from": SPEAKERS.get(message["role"], message["role"]), "value": message["content"]}


def dataset_info(form: Format, name: str, file: str, pairs: bool) -> dict[str, Any] | None:
    """The entry of LLaMA-Factory's `dataset_info.json`; None for formats that are not its own."""
    if form not in ("alpaca", "sharegpt"):
        return None
    columns = {"system": "system"}
    if form == "sharegpt":
        columns["messages"] = "conversations"
    else:
        columns |= {"prompt": "instruction", "query": "input", "history": "history"}
        columns |= {} if pairs else {"response": "output"}
    entry: dict[str, Any] = {"file_name": file, "formatting": form, "columns": columns}
    if pairs:
        columns |= {"chosen": "chosen", "rejected": "rejected"}
        entry["ranking"] = True
    return {name: entry}


def schema(pairs: bool) -> Any:
    """The Arrow schema of the rows as trained on."""
    import pyarrow as pa

    messages = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
    sides = ("chosen", "rejected") if pairs else ("completion",)
    texts = [pa.field("id", pa.string()), pa.field("family", pa.string())]
    names = pa.list_(pa.string())
    more = [("skills", names), ("licence", pa.string()), ("terms", names), ("round", pa.int64())]
    return pa.schema([("prompt", messages), *((side, messages) for side in sides), *texts, *more])
