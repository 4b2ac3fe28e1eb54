"""The prompt with the complaint in view: what the student is asked for a better reply with."""

from __future__ import annotations

from dataclasses import dataclass, field

from synth.agents import Prompt, load_prompt
from synth.chat import Dropped
from synth.flows.drift.ruler import Ruler
from synth.flows.drift.signals import Signal
from synth.records import Message

__all__ = ["MARK", "Guide"]

MARK = "Assistant: "
"""What a reply follows in the plain-text prompt of the published code."""
NAMES = {"user": "User", "assistant": "Assistant", "system": "System"}


@dataclass(frozen=True)
class Guide:
    """Writes prompts of at most `limit` tokens by `ruler`."""

    limit: int
    ruler: Ruler = field(default_factory=Ruler)

    @property
    def chat_prompt(self) -> Prompt:
        """The user's turn that brings the complaint."""
        return load_prompt("improve_reply")

    @property
    def plain_prompt(self) -> Prompt:
        """The whole text of the published code's form."""
        return load_prompt("improve_reply_plain")

    def chat(self, signal: Signal) -> list[Message]:
        """The conversation with the reply and the complaint as its next turns.

        What is too long loses its oldest turns, a system message excepted; the last request,
        the reply and the complaint stay whole. Raises `Dropped("too-long")` if these alone do
        not fit.
        """
        wish = "" if signal.wish in signal.feedback else signal.wish
        asked = self.chat_prompt.render(feedback=signal.feedback, wish=wish)
        reply: Message = {"role": "assistant", "content": signal.reply}
        return self.fitted(signal.prompt, [reply, *asked])

    def unguided(self, signal: Signal) -> list[Message]:
        """The conversation as it was before the reply, cut like the guided one."""
        return self.fitted(signal.prompt, [])

    def plain(self, signal: Signal) -> str:
        """The published form: one text, cut at its end, where the complaint and the request stand."""
        system = next((turn["content"] for turn in signal.prompt if turn["role"] == "system"), "")
        history = [
            {"name": NAMES[turn["role"]], "content": turn["content"]}
            for turn in signal.prompt
            if turn["role"] != "system"
        ]
        [text] = self.plain_prompt.render(
            system=system,
            history=history,
            reply=signal.reply,
            feedback=signal.feedback or signal.wish,
        )
        return self.ruler.head(text["content"] + "\n" + MARK, self.limit)

    def fitted(self, prompt: list[Message], tail: list[Message]) -> list[Message]:
        """`prompt` and `tail` within the limit, by leaving out the oldest turns of `prompt`."""
        system = [turn for turn in prompt[:1] if turn["role"] == "system"]
        turns = prompt[len(system) :]
        fixed = sum(self.ruler.tokens(turn["content"]) for turn in (*system, *tail))
        lengths = [self.ruler.tokens(turn["content"]) for turn in turns]
        start = 0
        while fixed + sum(lengths[start:]) > self.limit or turns[start]["role"] == "assistant":
            start += 1
            if start >= len(turns):
                why = f"the last request, the reply and the complaint exceed {self.limit} tokens"
                raise Dropped("too-long", "generate", why)
        return [*system, *turns[start:], *tail]
