"""The arms of DRIFT: what the published code does, what is repaired, and what each control changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from synth.chat import Leaving, Reply, Request
from synth.engine.session import Session
from synth.errors import DataError
from synth.flows.drift import generate
from synth.records import Message
from synth.teachers.model import Model
from synth.teachers.program import ProgramEndpoint
from tests.flows.drift_session import MISSED, SIZE, figures, noting, sessions, student, texts

begin = pytest.fixture(sessions, name="begin")


async def test_the_faithful_arm_takes_what_follows_the_last_mark(begin: Callable[..., Session]) -> None:
    """As published: one plain text, one sample, and a model that plays on as the user is believed; the
    repaired arm would drop it."""
    asked: list[list[Message]] = []
    session = begin(arm="faithful", models={"student": noting(student, asked)})
    samples = list(await generate(session))
    assert {texts(sample)[0].split()[0] for sample in samples} == {"Lakes"}
    plain = [messages for messages in asked if messages[0]["role"] == "text"]
    assert len(plain) == MISSED and {len(messages) for messages in plain} == {1}
    text = plain[0][0]["content"]
    assert text.startswith("User: Write about river #") and text.endswith("\nAssistant: ")
    assert text.index("\nAssistant: Well, ") < text.index("\nUser: ", 1) < text.index("\nSystem: ")


async def test_shuffled_complaints_change_only_the_complaint(begin: Callable[..., Session]) -> None:
    """The control: each reply meets a complaint about something else; the same complaints are used."""
    fixed = list(await generate(begin("fixed")))
    session = begin("shuffled", arm="control-shuffled")
    samples = list(await generate(session))
    session.folder.close()
    own = {texts(sample)[1]: sample.meta for sample in fixed}
    asked = Counter(sample.meta["feedback"] for sample in fixed)
    for sample in samples:
        wish = own[texts(sample)[1]]["wish"]
        assert sample.meta["wish"] != wish and sample.meta["missed"] == own[texts(sample)[1]]["missed"]
    assert Counter(sample.meta["feedback"] for sample in samples) <= asked
    assert figures(session)["chosen_pass"] < 1


async def test_unguided_replies_never_see_a_complaint(begin: Callable[..., Session]) -> None:
    """The control without feedback: the student is asked the bare request again."""
    asked: list[list[Message]] = []
    session = begin(arm="control-unguided", models={"student": noting(student, asked)})
    samples = list(await generate(session))
    revisions = [messages for messages in asked if len(messages) > 1]
    assert len(revisions) == MISSED  # the simulator's own, from which repairs come
    assert figures(session)["chosen_pass"] == 0.0
    assert all(texts(sample)[0].endswith("(1)") for sample in samples)  # the first is what displeased


async def test_the_placebo_is_as_good_on_both_sides(begin: Callable[..., Session]) -> None:
    """Rejected replies drawn by lot from all that would be fit to be chosen, pleasing ones among them, and
    bare requests: no side is better, or finished more often, than the other."""
    session = begin(arm="control-random")
    samples = list(await generate(session))
    assert len(samples) == MISSED
    found = figures(session)
    assert 0 < found["rejected_pass"] < 1 and found["chosen_pass"] == found["rejected_pass"]
    session = begin("cut", arm="control-random")
    endpoint = CutOff(student, turns=1)
    session.models = {**session.models, "student": Model("student", "s", "w", "s", endpoint, session.journal)}
    with pytest.raises(DataError, match="fit to be chosen"):
        await generate(session)


async def test_spin_sets_what_pleased_against_the_students_own(begin: Callable[..., Session]) -> None:
    """The control that takes real satisfaction for gold: no displeasing reply is in it, and the student's
    own is a new one."""
    samples = list(await generate(begin(arm="control-spin")))
    assert len(samples) == SIZE - MISSED
    for sample in samples:
        chosen, rejected = texts(sample)
        assert chosen.startswith("THE RIVER") and chosen.endswith("(0)")
        assert rejected == chosen.replace("(0)", "(1)")


async def test_iterdpo_ranks_two_of_the_students_own(begin: Callable[..., Session]) -> None:
    """The control that drops the real reply: guided over unguided where the checker says so, and no pair
    where it sees no difference."""
    session = begin(arm="control-iterdpo")
    samples = list(await generate(session))
    assert [[verdict.value for verdict in sample.verdicts] for sample in samples] == [[True, False]] * MISSED
    deaf = begin(
        "deaf", arm="control-iterdpo", models={"student": lambda messages, sample=0: "Yes, so it is."}
    )
    assert list(await generate(deaf)) == []
    assert figures(deaf)["drops"] == {"tie": SIZE}


class CutOff(ProgramEndpoint):
    """Answers that the token limit cuts off when the complaint is in view, which makes three turns."""

    def __init__(self, program: Callable[..., str], turns: int = 3) -> None:
        super().__init__(program)
        self.turns = turns

    async def chat(
        self, request: Request, model: str, n: int, first: int, name: str, leaving: Leaving | None = None
    ) -> list[Reply]:
        replies = await super().chat(request, model, n, first, name, leaving)
        reason = "length" if len(request.messages) == self.turns else "stop"
        return [Reply(reply.text, reason) for reply in replies]


@pytest.mark.parametrize(("arm", "kept"), [("fixed", 0), ("faithful", MISSED)])
async def test_only_finished_answers_are_chosen_in_the_fixed_arm(
    begin: Callable[..., Session], arm: str, kept: int
) -> None:
    """The published code takes answers cut off in mid-sentence, against whole ones."""
    session = begin(arm=arm)
    endpoint = CutOff(student)
    session.models = {**session.models, "student": Model("student", "s", "w", "s", endpoint, session.journal)}
    assert len(list(await generate(session))) == kept
    assert figures(session)["drops"] == ({} if kept else {"truncated": MISSED})
    tried = {rejection.raw.count("---") + 1 for rejection in session.rejections()}
    assert tried == (set() if kept else {session.params.samples})  # type: ignore[attr-defined]
