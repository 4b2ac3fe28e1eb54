"""Forms: what a task and its answer look like, how they are shown, and when they are wrong."""

from __future__ import annotations

from synth.flows.agentinstruct.forms.base import Answer, Draft, Form
from synth.flows.agentinstruct.forms.closed import Choice, Label, Matching, Ordering, Statements
from synth.flows.agentinstruct.forms.data import Action, Cited, Described, Fields, Spans
from synth.flows.agentinstruct.forms.run import Code, Output
from synth.flows.agentinstruct.forms.talk import Dialogue, Tools
from synth.flows.agentinstruct.forms.text import FewShot, FillIn, Number, Open, Rewrite, Short

__all__ = ["FORMS", "Answer", "Draft", "Form"]

FORMS: dict[str, Form] = {
    form.name: form
    for form in (
        Open(), Short(), FillIn(), Rewrite(), FewShot(), Number(),
        Choice(), Statements(), Ordering(), Matching(), Label(),
        Spans(), Fields(), Described(), Cited(), Action(),
        Code(), Output(), Dialogue(), Tools(),
    )
}  # fmt: skip
"""Name in a skill's YAML -> form."""
