"""A prompt file: Jinja2 sections, each one chat message, checked when it is read and when it is rendered."""

from __future__ import annotations

import hashlib
import re
import traceback
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, UndefinedError, nodes
from jinja2.meta import find_undeclared_variables
from jinja2.runtime import new_context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from synth.config.suggest import listing, suggestion
from synth.errors import PromptError
from synth.records import Message

__all__ = ["Prompt", "load_prompt"]

_MARK = re.compile(r"^--- (system|user|assistant) ---$", re.MULTILINE)
_HERE = Path(__file__).parent / "prompts"


class _Missing(StrictUndefined):
    """A value that is not there; its error says what is there instead."""

    @property
    def _undefined_message(self) -> str:
        said = super()._undefined_message
        held = self._undefined_obj
        return f"{said}; it has {listing(map(str, held))}" if isinstance(held, Mapping) else said


_environment = ImmutableSandboxedEnvironment(
    undefined=_Missing, keep_trailing_newline=False, trim_blocks=True, lstrip_blocks=True
)
_globals = dict(_environment.globals)


class Prompt:
    """Messages to be filled in. `hash` changes with the file's text and goes into lineages; `needs` are the
    variables it cannot do without."""

    def __init__(self, name: str, source: str) -> None:
        self.name = name
        self.hash = hashlib.blake2b(source.encode(), digest_size=6).hexdigest()
        self.needs: set[str] = set()
        # Split before rendering, so that no value can start a message of its own.
        parts = _MARK.split(source)
        if len(parts) < 3:
            raise PromptError(
                f"the prompt {name} has no message", "begin each message with a line such as --- user ---"
            )
        self._sections: list[tuple[str, Template | str]] = []
        self._lines: list[int] = []
        """The line of the file before each section's first."""
        for index in range(1, len(parts), 2):
            text = parts[index + 1]
            blank = text[: len(text) - len(text.lstrip())]
            above = "".join(parts[:index]).count("\n") + blank.count("\n")
            self._lines.append(above)
            try:
                self._sections.append((parts[index], _compiled(text.strip())))
            except TemplateSyntaxError as error:
                raise PromptError(
                    f"{name}:{above + error.lineno}: not a template: {error.message}",
                    "mend the Jinja2 syntax",
                ) from error
            self.needs |= _needed(text)

    def render(self, **variables: object) -> list[Message]:
        """The messages with all variables filled in. One that is not given is a `PromptError`."""
        scope = {**_globals, **variables}
        messages: list[Message] = []
        try:
            for role, text in self._sections:
                messages.append({"role": role, "content": _filled(text, scope)})
        except UndefinedError as error:
            section = len(messages)
            line = self._lines[section] + _line(error, self._sections[section][1])
            raise PromptError(
                f"{self.name}:{line}: cannot be filled in: {error.message}",
                f"variables given: {listing(sorted(variables)) or 'none'}",
            ) from error
        return messages

    def fits(self, given: tuple[str, ...], where: str) -> None:
        """Raises `PromptError` if it needs a variable that is not among those `given`."""
        for name in sorted(self.needs.difference(given)):
            raise PromptError(
                f"the prompt {self.name} uses {name!r}, which {where} does not fill in",
                suggestion(name, given, "it fills in"),
            )


def _needed(text: str) -> set[str]:
    """Variables of a template that it does not ask whether they are there."""
    parsed = _environment.parse(text)
    asked = [*parsed.find_all(nodes.Test), *parsed.find_all(nodes.Filter)]
    optional = {
        one.node.name
        for one in asked
        if one.name in ("defined", "undefined", "default", "d") and isinstance(one.node, nodes.Name)
    }
    return find_undeclared_variables(parsed) - optional - _globals.keys()


def _compiled(text: str) -> Template | str:
    """A template; or, where it has nothing to be filled in, the text it always comes to."""
    template = _environment.from_string(text)
    parts = _environment.parse(text).body
    constant = all(
        isinstance(part, nodes.Output) and all(isinstance(node, nodes.TemplateData) for node in part.nodes)
        for part in parts
    )
    return template.render() if constant else template


def _filled(text: Template | str, scope: dict[str, object]) -> str:
    """As `Template.render`, which copies all globals twice, and takes three times as long for it."""
    if isinstance(text, str):
        return text
    context = new_context(_environment, None, text.blocks, scope, shared=True)
    return "".join(text.root_render_func(context))


def _line(error: UndefinedError, text: Template | str) -> int:
    """The line of a section's text at which it could not be filled in."""
    frames = traceback.extract_tb(error.__traceback__)
    at = [frame.lineno for frame in frames if frame.filename == "<template>" and frame.lineno]
    return text.get_corresponding_lineno(at[-1]) if at and isinstance(text, Template) else 1


@lru_cache(maxsize=256)
def load_prompt(name: str | Path) -> Prompt:
    """A prompt by its name in `agents/prompts/` or by the path of a file of one's own."""
    path = name if isinstance(name, Path) else _HERE / f"{name}.md.j2"
    try:
        return Prompt(_shown(path), path.read_text(encoding="utf-8"))
    except (FileNotFoundError, IsADirectoryError) as error:
        near = path.parent if isinstance(name, Path) else _HERE
        known = sorted(p.name.removesuffix(".md.j2") if near == _HERE else p.name for p in near.glob("*.j2"))
        where = "built-in prompts" if near == _HERE else "prompt files beside it"
        raise PromptError(
            f"there is no prompt file {path}", suggestion(path.name, known, where) or "write it"
        ) from error
    except UnicodeDecodeError as error:
        raise PromptError(f"{path} is not UTF-8", "save the file as UTF-8") from error


def _shown(path: Path) -> str:
    """A prompt file's name in messages: from the current directory, if it is below that."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
