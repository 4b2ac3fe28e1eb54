"""Tool use: functions described from their source, requests for them, and the calls that serve one."""

from __future__ import annotations

import ast
import json
import random
import re
from collections.abc import Iterator
from typing import Any

from synth.teachers.bookworm.reading import examples, parsed

__all__ = ["WRITERS", "described", "serve"]

Said = dict[str, Any]
KINDS = {"int": "integer", "float": "number", "str": "string", "bool": "boolean"}
WANTS = ("I need this: {about}.", "Please get me this: {about}.", "Could you find this for me: {about}.")
_ASKED = "|".join(want.partition(":")[0] for want in WANTS)
_WANT = re.compile(rf"(?:{_ASKED}|Then this): (.+?)\.(?= Here | Then |$)(?: Here (.+?)\.(?= Then |$))?")


def described(code: str) -> list[Said]:
    """Functions that say in a sentence what they do, take plain values and show by doctests what
    comes of some."""
    tree = parsed(code)
    if tree is None:
        return []
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    apis = {node.name: api for node in nodes if not node.name.startswith("_") and (api := _api(node, code))}
    return list(apis.values())


def _api(node: ast.FunctionDef | ast.AsyncFunctionDef, code: str) -> Said | None:
    said = " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split(">>>")[0].split())
    about = re.split(r"(?<=[.!?:])\s", said)[0].replace("`", "").strip(" .:")
    every = [one for one in (*node.args.posonlyargs, *node.args.args) if one.arg not in ("self", "cls")]
    least = len(every) - len(node.args.defaults)
    kinds = {one.arg: KINDS.get(ast.unparse(one.annotation) if one.annotation else "") for one in every}
    taken = [one for place, one in enumerate(every) if kinds[one.arg] or place < least]
    if not 12 <= len(about) <= 140 or not re.fullmatch(r"[A-Z][^:\"]+", about) or not taken:
        return None
    if not all(kinds[one.arg] for one in taken):
        return None
    names = [one.arg for one in every]
    shown = [one for one in examples(code) if one.function == node.name]
    rows = [bound for one in shown if (bound := _bound(one.call, names))]
    parameters = [
        {
            "name": one.arg,
            "type": kinds[one.arg],
            "required": every.index(one) < least,
            "examples": [row[one.arg] for row in rows if one.arg in row][:3],
        }
        for one in taken
    ]
    kind = KINDS.get(ast.unparse(node.returns) if node.returns else "", "string")
    calls = [(bound, _literal(one.result)) for one in shown if (bound := _bound(one.call, names))]
    known = [
        {"arguments": bound, "returns": {"result": value}}
        for bound, value in calls
        if isinstance(value, str | int | float | bool)
    ]
    if not known:
        return None
    returns = [{"name": "result", "type": kind, "examples": [one["returns"]["result"] for one in known[:3]]}]
    about = {"name": node.name, "description": f"{about}."}
    return {**about, "parameters": parameters, "returns": returns, "known": known}


def _bound(call: str, names: list[str]) -> dict[str, Any]:
    """The literal arguments of a call by name; nothing where one is no plain value."""
    node = ast.parse(call, mode="eval").body
    if not isinstance(node, ast.Call):
        return {}
    given = dict(zip(names, node.args, strict=False)) | {k.arg: k.value for k in node.keywords if k.arg}
    plain = {name: _literal(ast.unparse(value)) for name, value in given.items()}
    return plain if all(isinstance(value, str | int | float | bool) for value in plain.values()) else {}


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return None


def _values(api: Said, leave_out: str = "", extra: str = "") -> str:
    told = [
        f"{one['name']} is {json.dumps(one['examples'][0], ensure_ascii=False)}"
        for one in api["parameters"]
        if one["examples"] and one["name"] != leave_out
    ]
    told += [extra] if extra else []
    return f" Here {', '.join(told)}." if told else ""


def _request(api: Said, **changed: str) -> str:
    about = api["description"].strip(".")
    want = random.Random(api["name"]).choice(WANTS)
    return want.format(about=about[0].lower() + about[1:]) + _values(api, **changed)


def _callable(text: str) -> list[Said]:
    apis = [api for api in json.loads(text)["apis"] if all(p["examples"] for p in api["parameters"])]
    random.Random(text).shuffle(apis)
    return apis


def single_all_parameters(text: str) -> list[Said]:
    """One function, all its values."""
    return [{"instruction": _request(api), "needs": [api["name"]]} for api in _callable(text)]


def single_superfluous_parameters(text: str) -> list[Said]:
    """One more value than the function takes."""
    more = ('colour is "blue"', 'language is "Latin"', "priority is 3")
    return [
        {"instruction": _request(api, extra=more[len(api["name"]) % 3]), "needs": [api["name"]]}
        for api in _callable(text)
    ]


def single_missing_parameters(text: str) -> list[Said]:
    """A value that the function requires is not said."""
    found = []
    for api in _callable(text):
        required = [one["name"] for one in api["parameters"] if one["required"]]
        if required:
            found.append({"instruction": _request(api, leave_out=required[-1]), "needs": [api["name"]]})
    return found


def multiple_all_parameters(text: str) -> list[Said]:
    """Two functions, one after the other."""
    apis = _callable(text)
    return [
        {
            "instruction": f"{_request(one)} {re.sub(f'^(?:{_ASKED})', 'Then this', _request(two))}",
            "needs": [one["name"], two["name"]],
        }
        for one, two in zip(apis[::2], apis[1::2], strict=False)
    ]


def unlisted(text: str) -> list[Said]:
    """A function that is not offered."""
    apis = _callable(text)
    return [
        {"instruction": _request(api), "needs": [api["name"]], "hidden": [api["name"]]}
        for api in (apis if len(apis) > 1 else [])
    ]


def serve(history: str, task: str) -> Said:
    """The next turn: calls, or what they came to, or what is missing."""
    results = re.findall(r"^tool: (\{.*\})$", history, re.MULTILINE)
    if results:
        said = [json.dumps(json.loads(one).get("result"), ensure_ascii=False) for one in results]
        return {"answer": f"The result is {' and then '.join(said)}."}
    schemas = [json.loads(line) for line in re.findall(r'^\{"name":.*\}$', history, re.MULTILINE)]
    calls = []
    for about, schema, given in _wanted(task, schemas):
        if schema is None:
            return {"answer": f"None of the functions I can call does this: {about}."}
        wanted = schema["parameters"]
        missing = [name for name in wanted["required"] if name not in given]
        if missing:
            return {"answer": f"What is {' and '.join(missing)}? I need it to call {schema['name']}."}
        arguments = {name: given[name] for name in given if name in wanted["properties"]}
        calls.append({"name": schema["name"], "arguments": arguments})
    return {"calls": calls}


def _wanted(task: str, schemas: list[Said]) -> Iterator[tuple[str, Said | None, dict[str, Any]]]:
    """What is asked for, the function for it, and the values that are said."""
    for about, told in _WANT.findall(task):
        fits = [one for one in schemas if one["description"].strip(".").casefold() == about.casefold()]
        given = {}
        for part in re.split(r", (?=[A-Za-z_]\w* is )", told):
            name, _, value = part.partition(" is ")
            if value:
                given[name] = json.loads(value)
        yield about, fits[0] if fits else None, given


WRITERS = {
    "single_all_parameters": single_all_parameters,
    "single_superfluous_parameters": single_superfluous_parameters,
    "single_missing_parameters": single_missing_parameters,
    "multiple_all_parameters": multiple_all_parameters,
    "unlisted": unlisted,
}
