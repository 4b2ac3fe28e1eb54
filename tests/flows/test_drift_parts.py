"""The parts of DRIFT: prompts cut to length, signals read from conversations, replies fit to be chosen."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from synth.agents import load_prompt
from synth.chat import Dropped, Reply, Request
from synth.data.conversations import Conversation, Turn
from synth.flows.drift.fit import fault
from synth.flows.drift.guide import MARK, Guide
from synth.flows.drift.params import Params
from synth.flows.drift.ruler import Ruler
from synth.flows.drift.signals import Signal, shuffled, signals_of
from synth.flows.drift.user import KINDS, displeased
from synth.records import Message, Sampling
from synth.teachers.wire import body_of, replies_of

LONG: list[Message] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "First question. " * 40},
    {"role": "assistant", "content": "First answer. " * 40},
    {"role": "user", "content": "Which river is the longest in Europe?"},
]
REPLY = "The Danube is a long river, and it runs through ten countries."
FEEDBACK = "Wrong: it is not the longest. Name the longest one."


def signal(prompt: list[Message] = LONG, reply: str = REPLY, **rest: Any) -> Signal:
    return Signal.of(prompt, reply, **{"satisfied": False, "feedback": FEEDBACK, **rest})


def test_a_long_history_loses_its_oldest_turns_and_never_the_complaint() -> None:
    """The fixed arm: the last request, the reply and the complaint are whole, and so is the system's say."""
    messages = Guide(150).chat(signal())
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "user"]
    assert messages[:3] == [LONG[0], LONG[3], {"role": "assistant", "content": REPLY}]
    assert messages[3]["content"].startswith(FEEDBACK)
    assert Guide(2048).chat(signal())[:4] == LONG
    assert Guide(150).unguided(signal()) == [LONG[0], LONG[3]]


def test_what_cannot_be_cut_without_loss_is_dropped() -> None:
    """A complaint that alone is too long is no reason to show half of it."""
    with pytest.raises(Dropped, match="too-long"):
        Guide(60).chat(signal())


def test_the_published_prompt_loses_the_complaint_first() -> None:
    """The faithful arm cuts at the end, where the feedback and the request to improve stand."""
    whole, cut = Guide(2048).plain(signal()), Guide(150).plain(signal())
    assert whole.startswith("Be brief.\n\nUser: First question.") and whole.endswith(f"\n{MARK}")
    assert FEEDBACK in whole and "latest feedback" in whole
    assert whole.startswith(cut) and len(cut) == 600
    assert FEEDBACK not in cut and not cut.endswith(MARK)


def test_a_wish_is_shown_unless_the_complaint_says_it() -> None:
    """What a rubric agent made out goes along; a simulated user's words hold it already."""
    shown = Guide(2048).chat(signal(wish="Only the name of the longest river."))[-1]["content"]
    assert "what I want: Only the name" in shown
    assert "what I want" not in Guide(2048).chat(signal(wish="Name the longest one."))[-1]["content"]


def test_lengths_are_the_tokenizers_where_there_is_one(tmp_path: Path) -> None:
    """A cut comes after whole tokens of the student's own."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({"a": 0, "bb": 1, "?": 2}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    ruler = Ruler(tmp_path / "tokenizer.json")
    assert (ruler.tokens("a bb a"), ruler.head("a  bb a", 2), ruler.head("a bb", 2)) == (3, "a  bb", "a bb")
    assert (Ruler(tmp_path / "none.json").tokens("12345"), Ruler().head("123456789", 2)) == (2, "12345678")


def talk(*turns: tuple[str, str, str]) -> Conversation:
    return Conversation(
        id="x",
        turns=tuple(
            Turn.model_validate(dict(zip(("role", "content", "satisfaction"), t, strict=True))) for t in turns
        ),
    )


def test_signals_of_a_conversation() -> None:
    """The reply before a reaction is what displeased; a repair is the very next reply, if that pleased."""
    found = list(
        signals_of(
            talk(
                ("assistant", "Welcome!", "SAT"),
                ("user", "q1", ""),
                ("assistant", "a1", "DSAT"),
                ("user", "no", ""),
                ("assistant", "a2", "DSAT"),
                ("user", "still no", ""),
                ("assistant", "a3", "SAT"),
                ("user", "yes", ""),
                ("assistant", "  ", "DSAT"),
                ("user", "?", ""),
                ("assistant", "a5", "neither"),
            )
        )
    )
    told = [(one.reply, one.satisfied, one.feedback, one.repair, len(one.prompt)) for one in found]
    assert told == [
        ("a1", False, "no", "", 2),
        ("a2", False, "still no", "a3", 4),
        ("a3", True, "yes", "", 6),
    ]


def test_shuffling_gives_each_reply_a_complaint_about_something_else() -> None:
    """Nobody keeps his own; where no content has the majority, nobody gets one of the same content."""
    kinds = ["a"] * 4 + ["b"] * 3 + ["c"]
    signals = [signal(reply=f"{n}", feedback=f"{kind}{n}", missed=(kind,)) for n, kind in enumerate(kinds)]
    mixed = shuffled(signals, seed=0)
    assert all(new.feedback[0] != old.feedback[0] for new, old in zip(mixed, signals, strict=True))
    assert Counter(one.feedback for one in mixed) == Counter(one.feedback for one in signals)
    assert [one.reply for one in mixed] == [one.reply for one in signals]
    same = [signal(reply=f"{n}", feedback=f"a{n}", missed=("a",)) for n in range(5)]
    assert all(new.feedback != old.feedback for new, old in zip(shuffled(same, 0), same, strict=True))
    assert len(shuffled(signals[:1], 0)) == 1


GERMAN = "Der längste Fluss in Europa ist die Wolga, und sie fließt durch ganz Russland bis zum Meer."


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("The longest river in Europe is the Volga.", ""),
        ("It is the Volga. Thank you for your patience.", ""),
        ("Volga", ""),
        ("I apologize for the confusion. Thank you for pointing this out!", "apology"),
        ("the  danube is a long river, and it runs through ten countries. ", "identical"),
        ("As an AI language model, I cannot see maps.", "identity"),
        ("The Volga.\nUser: Thanks!", "role"),
        ("  ", "empty"),
        (GERMAN, "language"),
    ],
)
def test_what_may_be_chosen(text: str, reason: str) -> None:
    """A chosen reply teaches all it holds: its apologies, its roles, its language."""
    assert fault(Reply(text), REPLY, signal()) == reason


def test_cut_off_replies_and_wanted_languages() -> None:
    """Half an answer is never chosen; another language is right where the request is for it."""
    assert fault(Reply("The Volga", "length"), REPLY, signal()) == "truncated"
    asked = [{"type": "language:response_language", "args": {"language": "de"}}]
    assert fault(Reply(GERMAN), REPLY, signal(constraints=asked)) == ""
    assert fault(Reply(GERMAN), REPLY, signal(feedback=GERMAN)) == ""
    late: list[Message] = [{"role": "user", "content": "Write an apology to my teacher for being late."}]
    assert fault(Reply("I'm sorry for being late to the lesson."), REPLY, signal(late)) == ""


@pytest.mark.parametrize("kind", KINDS)
def test_the_programmed_user_says_what_was_missed(kind: str) -> None:
    """It reads the prompt a model would read, even where the reply imitates its tags."""
    messages = load_prompt("complain").render(
        question="Q", reply="<kind>\nnone\n</kind>", kind=kind, missed=["Do without commas.", "Be brief."]
    )
    said = json.loads(displeased(messages))["complaint"]
    assert "Do without commas. Be brief." in said and said != "Do without commas. Be brief."
    with pytest.raises(ValueError, match="kind"):
        displeased([{"role": "user", "content": "Hello"}])


def test_a_plain_text_goes_out_without_a_chat() -> None:
    """A single message of the role `text` is sent as a prompt to be continued, and its reply read."""
    request = Request([{"role": "text", "content": "User: Hi\nAssistant: "}], Sampling(max_tokens=4))
    body = json.loads(body_of(request, "m", 1, 0))
    assert body["prompt"] == "User: Hi\nAssistant: " and "messages" not in body
    raw = b'{"choices": [{"index": 0, "text": "Hello", "finish_reason": "length"}], "usage": {}}'
    [reply] = replies_of(raw, 1, 0.0)
    assert (reply.text, reply.truncated) == ("Hello", True)
    assert not Request([{"role": "user", "content": "Hi"}], Sampling()).plain


def test_defaults_are_the_papers() -> None:
    """T 0.7, top_p 0.9, 512 new tokens, prompts of 2048, three epochs on the repairs first."""
    params = Params()
    told = (params.temperature, params.top_p, params.max_tokens, params.max_prompt, params.repair_epochs)
    assert told == (0.7, 0.9, 512, 2048, 3.0) and params.repairs_first
    assert Params(arm="faithful").lint_drop == ()
