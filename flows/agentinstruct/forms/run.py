"""Forms whose answers are checked by running them."""

from __future__ import annotations

import re
from hashlib import sha256

from synth.flows.agentinstruct.forms.base import Answer, Draft, Form, unfenced
from synth.flows.agentinstruct.forms.text import TextAnswer
from synth.sandbox import Limits, Outcome, run_python_async

__all__ = ["Code", "Output"]

NOTHING = """
for _name, _value in list(globals().items()):
    if callable(_value) and getattr(_value, "__module__", None) == __name__:
        globals()[_name] = lambda *values, **named: object()
"""
"""Makes every function and class of a program one that gives nothing of use."""


class TestedDraft(Draft):
    """A programming task with tests. The tests are written without a solution in view."""

    tests: list[str]


class CodeAnswer(Answer):
    """A whole program."""

    code: str = ""


class Code(Form):
    """A function to write; it must pass the task's tests."""

    name = "code"
    draft = TestedDraft
    answer = CodeAnswer
    task_hint = (
        '{"instruction": "what to write in Python, with the exact name and parameters", '
        '"tests": ["assert f(2) == 4", "two to six asserts that any right solution passes"]}'
    )
    answer_hint = (
        '{"answerable": true, "code": "Python, imports included, standard library only, no input or output"}'
    )

    def fault(self, draft: TestedDraft, text: str) -> str:
        if not draft.tests or not all(test.strip().startswith("assert ") for test in draft.tests):
            return "there are no tests, or one is not an assert"
        try:
            compile("\n".join(draft.tests), "tests", "exec")
        except (SyntaxError, ValueError) as error:
            return f"the tests are not Python: {error}"
        return super().fault(draft, text)

    def tell(self, answer: CodeAnswer, draft: TestedDraft) -> str:
        code = unfenced(answer.code).strip()
        return f"```python\n{code}\n```" if code else ""

    async def fails(self, answer: CodeAnswer, draft: TestedDraft, limits: Limits) -> str:
        """What the sandbox says of the code under the task's tests, and of tests that anything passes."""
        code = unfenced(answer.code)
        passed, why = await _passes([code, *draft.tests], limits)
        if not passed:
            return f"its tests fail: {why}"
        passed, _ = await _passes([code, NOTHING, *draft.tests], limits)
        return "the tests pass whatever the code does" if passed else ""

    async def quoted_fails(self, draft: TestedDraft, limits: Limits) -> bool:
        """Whether the code the task quotes runs and fails its tests, as code with a mistake must."""
        quoted = re.search(r"```(?:python)?\n(.*?)```", draft.instruction, re.DOTALL)
        if not quoted:
            return False
        runs, _ = await _passes([quoted[1]], limits)
        passed, _ = await _passes([quoted[1], *draft.tests], limits)
        return runs and not passed


async def _passes(parts: list[str], limits: Limits) -> tuple[bool, str]:
    """Whether all parts run to the end of the last, and why not. A program that ends before, with
    whatever code, does not print what is asked for there and what it cannot know."""
    program = "\n\n".join(parts)
    mark = sha256(program.encode()).hexdigest()
    outcome = await run_python_async(f"{program}\n\nprint('\\n{mark}')\n", limits)
    if outcome.status != "ok":
        return False, outcome.reason
    return outcome.stdout.endswith(f"\n{mark}\n"), "the program ends before its tests do"


class ProgramDraft(Draft):
    """A program whose output is asked for."""

    program: str


class Output(Form):
    """What a program prints; the sandbox knows."""

    name = "output"
    draft = ProgramDraft
    answer = TextAnswer
    agrees = True
    task_hint = '{"instruction": "...", "program": "a whole Python program that prints one short line"}'
    answer_hint = '{"reason": "", "answerable": true, "answer": "exactly what it prints"}'

    def show(self, draft: ProgramDraft) -> str:
        return f"{draft.instruction.strip()}\n\n```python\n{draft.program.strip()}\n```"

    def fault(self, draft: ProgramDraft, text: str) -> str:
        try:
            compile(draft.program, "program", "exec")
        except (SyntaxError, ValueError) as error:
            return f"the program is not Python: {error}"
        return super().fault(draft, text) if "print" in draft.program else "the program prints nothing"

    def tell(self, answer: TextAnswer, draft: ProgramDraft) -> str:
        return answer.answer.strip()

    def key(self, answer: TextAnswer, draft: ProgramDraft) -> str:
        return answer.answer.strip()

    def solved(self, response: str, answer: TextAnswer, draft: ProgramDraft) -> bool | None:
        return self.key(answer, draft) in response

    async def fails(self, answer: TextAnswer, draft: ProgramDraft, limits: Limits) -> str:
        """Whether the program prints something else, or fails."""
        outcome: Outcome = await run_python_async(draft.program, limits)
        if outcome.status != "ok":
            return f"the program does not run: {outcome.reason}"
        if not outcome.stdout.strip():
            return "the program prints nothing"
        same = outcome.stdout.strip() == answer.answer.strip()
        return "" if same else "the program prints something else"
