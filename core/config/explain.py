"""What a model refused, in plain words, each fault at its place in the flow file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from synth.config.faults import Fault, find_faults
from synth.config.shape import default_of, describe, description_of, fields_of, is_list, literals, options
from synth.config.suggest import nearest, suggestion
from synth.config.tree import KeyPath, Tree, dotted
from synth.errors import Problem

__all__ = ["explain"]

Sections = Mapping[str, type[BaseModel]]

_LIMITS = {
    "greater_than": ("must be more than", "gt"),
    "greater_than_equal": ("must be at least", "ge"),
    "less_than": ("must be less than", "lt"),
    "less_than_equal": ("must be at most", "le"),
    "multiple_of": ("must be a multiple of", "multiple_of"),
    "too_short": ("must not be shorter than", "min_length"),
    "too_long": ("must not be longer than", "max_length"),
    "string_too_short": ("must not be shorter than", "min_length"),
    "string_too_long": ("must not be longer than", "max_length"),
    "string_pattern_mismatch": ("must match the pattern", "pattern"),
}
_SPOKEN = {"yes": "true", "on": "true", "no": "false", "off": "false"}
_MAY_BE_SECRET = ("api_key", "base_url", "args")


def explain(
    error: ValidationError,
    model: type[BaseModel],
    tree: Tree,
    at: KeyPath = (),
    sections: Sections | None = None,
) -> list[Problem]:
    """Every fault of the data at `at`, which `model` refused.

    `sections` are the flow file's, to tell where a key belongs that stands in the wrong one;
    the file itself is the section "".
    """
    faults = find_faults(error.errors(include_url=False), model, at)
    unknown = {fault.path[:-1]: str(fault.path[-1]) for fault in faults if fault.kind == "extra_forbidden"}
    problems = []
    for fault in faults:
        if fault.kind == "missing" and nearest(unknown.get(fault.path[:-1], ""), [str(fault.path[-1])]):
            continue  # the misspelled key is reported already
        problems.append(_problem(fault, tree, sections or {}))
    return problems


def _problem(fault: Fault, tree: Tree, sections: Sections) -> Problem:
    path = fault.path
    if fault.kind == "extra_forbidden":
        return _unknown(fault, tree, sections)
    if fault.kind == "missing":
        about = description_of(fault.parent, str(path[-1]))
        cure = f"write '{path[-1]}: ...' here" + (f" ({about})" if about else "")
        return tree.problem(path, "this key is required and missing", cure)
    if fault.kind in ("value_error", "assertion_error"):
        message, _, cure = fault.message.partition(", ")[2].partition("; ")
        return tree.problem(_culprit(path, tree), message, cure or _about(fault))
    if fault.kind in _LIMITS:
        phrase, limit = _LIMITS[fault.kind]
        found = _found(tree.get(path), path)
        bound = fault.context[limit]
        message = f"{phrase} {bound:g}{found}" if isinstance(bound, float) else f"{phrase} {bound}{found}"
        return tree.problem(path, message, _about(fault))
    if fault.kind.startswith("union_tag"):
        key = fault.context["discriminator"].strip("'")
        cure = f"write one of: {fault.context.get('expected_tags', '...')}"
        return tree.problem((*path, key), "this key says what kind of section it is", cure)
    if not _is_type(fault.kind):
        return tree.problem(path, fault.message, _about(fault))
    found = _found(tree.get(path), path)
    return tree.problem(path, f"expected {describe(fault.annotation)}{found}", _cure(fault, tree.get(path)))


def _is_type(kind: str) -> bool:
    """Whether an error says that the value is of the wrong type, or none of the words known."""
    return kind.endswith(("_type", "_parsing", "_error", "_from_float")) or kind in ("enum", "union")


def _unknown(fault: Fault, tree: Tree, sections: Sections) -> Problem:
    key, known = str(fault.path[-1]), fields_of(fault.parent)
    here = dotted(fault.path[:-1])
    inner = {f"{here}.{name}".lstrip("."): one for name, kind in known.items() for one in options(kind)}
    outer = sections if len(fault.path) <= 2 else {}
    homes = [home for home, kind in {**inner, **outer}.items() if home != here and key in fields_of(kind)]
    if homes:
        cure = f"it belongs under '{homes[0]}'" if homes[0] else "it belongs at the top of the file"
    else:
        cure = suggestion(key, known) or "remove it"
    return tree.problem(fault.path, "unknown key", cure, at_key=True)


def _culprit(path: KeyPath, tree: Tree) -> KeyPath:
    """Of a section whose keys contradict each other, a key that a profile or `--set` laid over it."""
    section = tree.places.get(path)
    for key in tree.keys(path):
        place = tree.places.get((*path, key))
        if place and section and place.layer > section.layer:
            return (*path, key)
    return path


def _about(fault: Fault) -> str:
    """What the key is for and what it is when left out."""
    key = str(fault.path[-1]) if fault.path else ""
    about, default = description_of(fault.parent, key), default_of(fault.parent, key)
    if default:
        return f"{about} (default: {default})" if about else f"the default is {default}"
    return about or "write another value, or remove the line"


def _cure(fault: Fault, value: Any) -> str:
    """What to write in place of a value of the wrong type."""
    if fault.path and fault.path[-1] == "api_key":
        return "write env:NAME, the variable that holds the key"
    members, words = options(fault.annotation), literals(fault.annotation)
    if value is None:
        return "write a value, or remove the line"
    if isinstance(value, str):
        near = nearest(value, words)
        if near:
            return f"did you mean '{near}'?"
        if bool in members and value.lower() in _SPOKEN:
            return f"write {_SPOKEN[value.lower()]}"
        if (int in members or float in members) and value.replace(".", "", 1).isdigit():
            return "remove the quotes"
    if str in members:
        return _text_cure(value) if _safe(fault.path) else "write text"
    if any(is_list(member) for member in members) and not isinstance(value, dict | list):
        return f"write it in brackets: [{_plain(value) if _safe(fault.path) else '...'}]"
    sections = [member for member in members if fields_of(member)]
    if sections:
        return _section_cure(sections[0], value)
    return _about(fault)


def _text_cure(value: Any) -> str:
    """Most often a template such as `{question}`, which YAML takes for a section."""
    if isinstance(value, list):
        return "write one value, not a list"
    if isinstance(value, dict):
        template = "".join(f"{{{key}}}" for key in value) if not any(value.values()) else "..."
        return f'put it in quotes: "{template}"'
    return f'put it in quotes: "{_plain(value)}"'


def _section_cure(section: Any, value: Any) -> str:
    """A lone word where a section belongs is most likely its first key's value."""
    fields = fields_of(section)
    first = next(iter(fields))
    if isinstance(value, str) and str in options(fields[first]):
        return f"write {{{first}: {value}}}"
    needed = any(info.is_required() for info in getattr(section, "model_fields", {}).values())
    return "write its keys on the lines below it, indented" + ("" if needed else ", or {} for the defaults")


def _safe(path: KeyPath) -> bool:
    return not any(part in _MAY_BE_SECRET for part in path)


def _found(value: Any, path: KeyPath) -> str:
    """What was found, in words; nothing of it where it may be a secret."""
    if isinstance(value, dict | list):
        return ", found a section" if isinstance(value, dict) else ", found a list"
    if not _safe(path):
        return ""
    return ", found nothing" if value is None else f", found {_plain(value)}"


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return f"'{value}'" if len(value) <= 40 else f"'{value[:37]}...'"
    return str(value).lower() if isinstance(value, bool) else str(value)
