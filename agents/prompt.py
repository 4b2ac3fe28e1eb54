"""A prompt file: Jinja2 sections, each one chat message, checked when it is rendered."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from pathlib import Path

from jinja2 import StrictUndefined, Template, TemplateError, UndefinedError, nodes
from jinja2.runtime import new_context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from synth.errors import SynthError
from synth.records import Message

__all__ = ["Prompt", "load_prompt"]

_MARK = re.compile(r"^--- (system|user|assistant) ---$", re.MULTILINE)
_HERE = Path(__file__).parent / "prompts"
_environment = ImmutableSandboxedEnvironment(
    undefined=StrictUndefined, keep_trailing_newline=False, trim_blocks=True, lstrip_blocks=True
)
_globals = dict(_environment.globals)


class Prompt:
    """Messages to be filled in. `hash` changes with the file's text and goes into lineages."""

    def __init__(self, name: str, source: str) -> None:
        self.name = name
        self.hash = hashlib.blake2b(source.encode(), digest_size=6).hexdigest()
        # Split before rendering, so that no value can start a message of its own.
        parts = _MARK.split(source)
        if len(parts) < 3:
            raise SynthError(
                f"the prompt {name} has no message", "begin each message with a line such as --- user ---"
            )
        try:
            self._sections: list[tuple[str, Template | str]] = [
                (role, _compiled(text.strip())) for role, text in zip(parts[1::2], parts[2::2], strict=True)
            ]
        except TemplateError as error:
            raise SynthError(
                f"the prompt {name} is not a template: {error}", "mend the Jinja2 syntax"
            ) from error

    def render(self, **variables: object) -> list[Message]:
        """The messages with all variables filled in. A variable not given is a `SynthError`."""
        scope = {**_globals, **variables}
        try:
            return [{"role": role, "content": _filled(text, scope)} for role, text in self._sections]
        except UndefinedError as error:
            given = ", ".join(sorted(variables)) or "none"
            raise SynthError(
                f"the prompt {self.name} cannot be filled in: {error.message}", f"variables given: {given}"
            ) from error


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


@lru_cache(maxsize=256)
def load_prompt(name: str | Path) -> Prompt:
    """A prompt by its name in `agents/prompts/` or by the path of a file of one's own."""
    path = name if isinstance(name, Path) else _HERE / f"{name}.md.j2"
    try:
        return Prompt(path.name, path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        known = ", ".join(sorted(p.name.removesuffix(".md.j2") for p in _HERE.glob("*.md.j2")))
        raise SynthError(f"there is no prompt {path}", f"built-in prompts: {known}") from error
