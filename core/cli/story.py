"""A record's story on the terminal: what `show`, `explain` and `preview` share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from synth.terminal import harmless

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text
    from rich.tree import Tree

    from synth.records import Message, Sample
    from synth.runs.explain import Step
    from synth.runs.lookup import Origin, Story

__all__ = ["ancestry", "call_steps", "clip", "headline", "line", "messages", "plain", "texts"]

CLIP = 400
"""Characters shown of a text inside a tree."""


def headline(story: Story) -> str:
    """Who a record is, in a line."""
    sample = story.sample
    if sample is None:
        return f"{story.id}: refused in round {story.round}"
    kind = "a pair" if sample.chosen is not None else "an example"
    skills = f", skills {', '.join(sample.skills)}" if sample.skills else ""
    family = f", family {sample.family}" if sample.family else ""
    return (
        f"{sample.id}: {kind} for the {sample.learner}, round {sample.round}, "
        f"flow {sample.flow}, arm {sample.arm}{family}{skills}"
    )


def messages(title: str, messages: Sequence[Message]) -> Iterator[RenderableType]:
    """Chat turns whole, each under its role."""
    for message in messages:
        yield line(title, message["role"])
        yield plain(message["content"])


def texts(sample: Sample) -> Iterator[RenderableType]:
    """What a sample says: its prompt and its answers."""
    yield from messages("prompt", sample.prompt)
    for name in ("completion", "chosen", "rejected"):
        yield from messages(name, getattr(sample, name) or ())


def call_steps(steps: Sequence[Step], full: bool) -> Iterator[RenderableType]:
    """Each call: who was asked, what was asked, what came back; clipped unless `full`."""
    for number, step in enumerate(steps, 1):
        who = f"{step.role} " if step.role else ""
        head = f"{step.agent}: {who}{step.model}@{step.weights[:12]}, temperature {step.temperature:g}"
        yield line(f"call {number}", f"{head}{', ' + step.stage if step.stage else ''}")
        if not step.prompt:
            yield plain("(its prompt and reply are in no journal here)", style="dim")
        for turn in step.prompt:
            yield plain(f"{turn['role']}:", style="italic")
            yield plain(turn["content"] if full else clip(turn["content"]))
        for title, said in (("thinking", step.thinking), ("reply", step.reply)):
            if said:
                yield plain(f"{title}:", style="italic")
                yield plain(said if full else clip(said), style="green")


def plain(text: str, style: str = "") -> Text:
    """Words of models and documents, in which nothing is markup and no control character is left."""
    from rich.text import Text

    return Text(harmless(text), style)


def line(title: str, text: str) -> RenderableType:
    """A heading with a remark."""
    from rich.text import Text

    return Text.assemble("\n", (title, "bold"), "  ", (harmless(text), "dim"))


def ancestry(origins: Sequence[Origin]) -> Tree:
    """What a record was made from."""
    from rich.tree import Tree

    def grow(branch: Tree, origin: Origin) -> None:
        where = f" of {origin.where}" if origin.where else ""
        below = branch.add(plain(f"{origin.id}  {origin.kind}{where}  {clip(origin.text)}".rstrip()))
        for parent in origin.origins:
            grow(below, parent)

    tree = Tree("\nmade from")
    for origin in origins:
        grow(tree, origin)
    return tree


def clip(text: str) -> str:
    """At most `CLIP` characters."""
    return text if len(text) <= CLIP else text[:CLIP].rstrip() + " …"
