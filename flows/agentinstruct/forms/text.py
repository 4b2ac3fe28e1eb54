"""Forms answered in running text or in a few words."""

from __future__ import annotations

import math
import re
from typing import Any

from synth.data.overlap import normalise
from synth.flows.agentinstruct.forms.base import Answer, Draft, Form, broken, found_in

__all__ = ["FewShot", "FillIn", "Number", "Open", "Rewrite", "Short"]


class TextAnswer(Answer):
    """An answer in words."""

    answer: str = ""


class Open(Form):
    """Anything that only a reader can judge: an essay, an explanation, a story."""

    name = "open"
    answer = TextAnswer
    answer_hint = '{"answerable": true, "answer": "the whole answer, as it should be read"}'

    def tell(self, answer: Any, draft: Any) -> str:
        return str(answer.answer).strip()

    def wrong(self, answer: Any, draft: Any, text: str) -> str:
        return broken(self.tell(answer, draft)) or super().wrong(answer, draft, text)


_UNKNOWN = re.compile(
    r"(i (do not|don't) know|unknown|n/?a|not (stated|given|mentioned|specified|said|available)|"
    r"(it )?cannot be (determined|known|said)|the (text|passage) does(n't| not) \w+)\b.{0,40}"
)
"""What is said in place of an answer."""


class Short(Open):
    """A word, a name, a number or a short list that the text holds or that follows from it."""

    name = "short"
    agrees = True
    answer_hint = '{"reason": "one sentence", "answerable": true, "answer": "a few words, no sentence"}'

    def wrong(self, answer: TextAnswer, draft: Draft, text: str) -> str:
        if len(answer.answer.split()) > 40:
            return "the answer is longer than a few words"
        if _UNKNOWN.fullmatch(normalise(answer.answer)):
            return "it says in words that there is no answer; answerable is false then"
        return super().wrong(answer, draft, text)

    def key(self, answer: TextAnswer, draft: Any) -> str:
        """Without articles, and marks at the edges of words: as reading tests compare (SQuAD)."""
        said = (word.strip(".,;:!?\"'`()[]*") for word in normalise(self.tell(answer, draft)).split())
        bare = " ".join(word for word in said if word not in ("", "a", "an", "the"))
        return bare or normalise(self.tell(answer, draft))


class FillDraft(Draft):
    """A sentence with a gap."""

    sentence: str


class FillIn(Short):
    """A gap in a sentence, to be filled with words of the text."""

    name = "fill_in"
    draft = FillDraft
    task_hint = '{"instruction": "what to do", "sentence": "a sentence with ____ for the missing words"}'
    answer_hint = (
        '{"reason": "", "answerable": true, "answer": "only the missing words, spelled as in the text"}'
    )

    def show(self, draft: FillDraft) -> str:
        return f"{draft.instruction.strip()}\n\n{draft.sentence.strip()}"

    def fault(self, draft: FillDraft, text: str) -> str:
        gaps = len(re.findall(r"_{3,}", draft.sentence))
        return super().fault(draft, text) if gaps == 1 else f"the sentence has {gaps} gaps (____), not one"

    def wrong(self, answer: TextAnswer, draft: Draft, text: str) -> str:
        if not found_in(answer.answer, text):
            return "the answer does not occur in the text"
        return super().wrong(answer, draft, text)


class Rewrite(Open):
    """A text to be changed: the new text must be there, and be another one than the task quotes."""

    name = "rewrite"
    answer_hint = '{"answerable": true, "answer": "the new text alone, without remarks or quotation marks"}'

    def wrong(self, answer: TextAnswer, draft: Draft, text: str) -> str:
        task = draft.instruction
        quoted = [text, task, task.partition(": ")[2], *re.findall(r'"([^"]+)"', task)]
        if _unquoted(answer.answer) in map(_unquoted, quoted):
            return "the answer is the text itself, unchanged"
        return super().wrong(answer, draft, text)


def _unquoted(text: str) -> str:
    return text.strip().strip('"').strip()


class ShotsDraft(Draft):
    """Worked examples and the case to do."""

    examples: list[str]
    query: str


class FewShot(Short):
    """A pattern shown by examples, to be applied to one more case."""

    name = "few_shot"
    draft = ShotsDraft
    answer_hint = '{"answerable": true, "answer": "exactly what stands after Output:"}'
    task_hint = (
        '{"instruction": "...", "examples": ["Input: ...\\nOutput: ...", "at least two"], '
        '"query": "Input: ..."}'
    )

    def arrange(self, draft: ShotsDraft) -> ShotsDraft:
        return draft.model_copy(update={"query": re.sub(r"\s*\bOutput:\s*$", "", draft.query)})

    def show(self, draft: ShotsDraft) -> str:
        shots = "\n\n".join(example.strip() for example in draft.examples)
        return f"{draft.instruction.strip()}\n\n{shots}\n\n{draft.query.strip()}\nOutput:"

    def fault(self, draft: ShotsDraft, text: str) -> str:
        if len({normalise(example) for example in draft.examples}) < 2:
            return "there are fewer than two different examples"
        if not all(re.search(r"^Output:\s*\S", example, re.MULTILINE) for example in draft.examples):
            return "an example has no line that begins with Output:"
        if "Output:" in draft.query or not draft.query.strip():
            return "the case to do is missing, or has its output"
        if normalise(draft.query) in map(_given, draft.examples):
            return "the case to do is one of the examples"
        return super().fault(draft, text)

    def tell(self, answer: TextAnswer, draft: ShotsDraft) -> str:
        return super().tell(answer, draft).removeprefix("Output:").strip()

    def key(self, answer: TextAnswer, draft: ShotsDraft) -> str:
        """To the letter: a rule may be about capitals or marks."""
        return self.tell(answer, draft)


def _given(example: str) -> str:
    """What an example starts from."""
    return normalise(example.partition("\nOutput:")[0])


class NumberAnswer(Answer):
    """An estimate with its steps."""

    value: float = 0.0
    unit: str = ""


class Number(Form):
    """An estimate (Fermi): independent ones must lie within a factor of ten."""

    name = "number"
    answer = NumberAnswer
    agrees = True
    answer_hint = '{"reason": "the steps of the estimate", "answerable": true, "value": 1200, "unit": "..."}'

    def tell(self, answer: NumberAnswer, draft: Draft) -> str:
        value = float(f"{answer.value:.6g}")
        told = f"{value:,.0f}" if 1e6 <= value < 1e15 else f"{value:,.6g}"
        return f"About {told} {answer.unit}".strip() if value else ""

    def wrong(self, answer: NumberAnswer, draft: Draft, text: str) -> str:
        if not math.isfinite(answer.value) or answer.value <= 0:
            return f"the estimate {answer.value} is no positive number"
        return "" if len(answer.reason.split()) >= 5 else "the steps of the estimate are missing"

    def key(self, answer: NumberAnswer, draft: Draft) -> str:
        return f"{answer.value:.6g}"

    def solved(self, response: str, answer: NumberAnswer, draft: Draft) -> bool | None:
        said = re.findall(r"\d[\d,]*\.?\d*(?:e[+-]?\d+)?", response.lower())
        last = float(said[-1].replace(",", "")) if said else 0.0
        return last > 0 and abs(math.log10(last / answer.value)) <= 1
