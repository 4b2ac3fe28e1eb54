"""Each step of curation: exactly what it drops, and what it lets through."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from synth.config.curation import Curate
from synth.curation import Curated, curate
from synth.curation.licences import conflicts, incompatible, terms_of
from synth.curation.private import find
from synth.engine.folder import RunFolder
from synth.errors import DataError
from synth.export import export
from synth.records import Sample

FACTS: dict[str, Any] = {"seed_id": "s", "flow": "f", "arm": "fixed", "round": 1}
PROSE = (
    "Water boils at a lower temperature on a mountain because the air above presses less on its surface, "
    "and so the bubbles of steam need less heat to push their way out of the pot into the open."
)


def sample(answer: str, prompt: str = "Why does water boil sooner on a mountain?", **rest: Any) -> Sample:
    return Sample.sft([{"role": "user", "content": prompt}], answer, **{**FACTS, **rest})


def kept(
    samples: Iterable[Sample],
    held_out: Mapping[str, str] | None = None,
    delimiters: tuple[str, ...] = (),
    **rules: Any,
) -> Curated:
    """The samples through the default steps with these changes; a token is a word here."""
    return curate(
        samples,
        held_out=held_out or {},
        count_tokens=lambda one: sum(len(m["content"].split()) for m in one.completion or one.chosen or ()),
        token_budget=None,
        limit=None,
        seed=0,
        rules=Curate.model_validate(rules),
        delimiters=delimiters,
    )


def reasons(curated: Curated) -> list[str]:
    return [rejection.reason for rejection in curated.rejections]


def test_near_duplicates_are_alike_in_prompt_and_answer() -> None:
    """Commas and capitals make no new sample; another question or another answer does."""
    passage = " ".join(random.Random(0).choices(PROSE.split(), k=300))
    same = [sample(PROSE), sample(PROSE.replace(", ", " ").upper())]
    questions = [sample(f"{PROSE} {n}", f"{passage}\nQuestion {n}: why?") for n in "ab"]
    answers = [sample(PROSE), sample(" ".join(reversed(PROSE.split())))]
    assert reasons(kept(same)) == ["near-duplicate"]
    assert reasons(kept(same, near=None)) == []
    assert reasons(kept(answers)) == []
    assert (
        reasons(kept([questions[0], sample(" ".join(reversed(PROSE.split())), f"{passage}\nAnd b: why?")]))
        == []
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (f"{PROSE} It is 3 + 4.", f"{PROSE} It is 3 + 5."),
        (f"{PROSE} It is 12 - 5.", f"{PROSE} It is 12 + 5."),
        ("yes", "Yes."),
        ("It is the mountain air.", "It is the mountain air!"),
    ],
)
def test_numbers_signs_and_short_answers_are_no_near_duplicates(one: str, other: str) -> None:
    """Procedural tasks differ in a number; a short answer is right for many questions."""
    assert reasons(kept([sample(one), sample(other)])) == []


def test_near_duplicates_are_of_one_learner_and_one_kind() -> None:
    """A refiner may learn from what the student learns from; a pair is no single answer."""
    pair = Sample.pair([{"role": "user", "content": "Why?"}], PROSE, PROSE[::-1], **FACTS)
    turned = Sample.pair([{"role": "user", "content": "Why?"}], PROSE[::-1], PROSE, **FACTS)
    assert reasons(kept([sample(PROSE), sample(PROSE + ".", learner="refiner"), pair, turned])) == []


LONG = (
    "A farmer has seventeen sheep and buys nine more at the market, then gives a third of all he has to his "
    "daughter, who already keeps four goats. How many animals does the daughter have in the end?"
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (LONG, True),
        (f"Think first. {LONG.upper()} Answer briefly.", True),
        (LONG.replace("market", "fair"), True),
        (re.sub(r"[^\w\s]", "", LONG), True),
        (LONG.replace("sheep", "cows").replace("goats", "hens"), True),
        (f"How many animals does the daughter have in the end? {LONG.rpartition('. ')[0]}.", True),
        (
            LONG.partition(", then")[0]
            + ". He sells all but five of them to a neighbour. How many did he sell?",
            False,
        ),
        (re.sub(r"\b(buys|then|third|already|many|the end)\b", "so", LONG), False),
        ("A farmer has seventeen sheep and buys nine more. How many does he have?", False),
        ("Please tell me: what is the capital of the old kingdom of Bavaria?", True),
        ("What is the capital of the old kingdom of Saxony?", False),
        ("So I asked myself: is it raining? It was.", False),
        ("Is it raining?", True),
    ],
)
def test_held_out_questions_inside_other_text(text: str, found: bool) -> None:
    """Long ones by most of their n-grams, short ones as a whole, the shortest only alone."""
    questions = (LONG, "What is the capital of the old kingdom of Bavaria?", "Is it raining?")
    held_out = {question.casefold(): "test" for question in questions}
    assert reasons(kept([sample(PROSE, text)], held_out)) == ["contaminated"] * found
    if found and text != "Is it raining?":
        whole_only = kept([sample(PROSE, text)], held_out, overlap=None)
        assert reasons(whole_only) == ["contaminated"] * (text == LONG)


def test_a_held_out_question_in_an_answer_is_found_and_its_source_named() -> None:
    """What is learned by heart is the answer's text."""
    curated = kept([sample(f"Here is one: {LONG}")], {LONG.casefold(): "gsm8k"})
    assert "gsm8k" in curated.rejections[0].detail


def test_a_template_is_no_contamination() -> None:
    """Questions that differ in two numbers each: what they share counts for none of them."""
    template = (
        "You are given a row of boxes and each of them holds some marbles of one colour. The first box "
        "holds {} marbles and the second box holds {} marbles. How many do the two boxes hold together?"
    )
    made = [template.format(a, b) for a in range(20, 40) for b in range(40, 60)]
    held_out = {text.casefold(): "test" for text in made[::10]}
    curated = kept([sample("60", text) for text in made], held_out)
    assert len(curated.samples) == len(made) - len(held_out)
    assert all(rejection.detail.startswith("repeats") for rejection in curated.rejections)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("```python\nprint(1)\n```", None),
        ("```python\nprint(1)\n", "unclosed"),
        ("  \n", "empty"),
        ("Paris.<|im_end|>", "leaked"),
        ("Paris. [END OF REPLY]", "leaked"),
        ("User: Hello!\nAssistant: Hello to you.", None),
        ("<s>old</s> new", None),
    ],
)
def test_form(answer: str, reason: str | None) -> None:
    """A dialogue may be asked for, and HTML strikes through with what ends a text elsewhere."""
    curated = kept([sample(answer)], delimiters=("[END OF REPLY]",))
    assert reasons(curated) == [reason] * bool(reason)
    assert reasons(kept([sample(answer)], format=False, delimiters=("[END OF REPLY]",))) == []


def test_unfinished_answers_and_pairs_are_left_to_those_who_know() -> None:
    """Training gives a cut-off answer no end; the lint tells a flow of its pairs."""
    cut = sample("```python\nprint(1)\n", meta={"unfinished": ["completion"]})
    pair = Sample.pair([{"role": "user", "content": "?"}], "```\nopen", "fine", **FACTS)
    assert reasons(kept([cut, pair])) == []


def test_refusals_go_only_if_wanted() -> None:
    """Some flows teach when to refuse."""
    samples = [sample("I'm sorry, but I can't help with that."), sample("Sorry for the delay: it is air.")]
    assert reasons(kept(samples)) == []
    assert reasons(kept(samples, refusals=True)) == ["refused"]


def test_length_is_bounded_in_characters_and_tokens() -> None:
    """Bounds are inclusive, and what is not bounded is not counted."""
    samples = [sample("one"), sample("one two"), sample("one two three")]
    curated = kept(samples, length={"min_chars": 4, "max_tokens": 2})
    assert reasons(curated) == ["too-short", "too-long"]
    assert [r.detail for r in curated.rejections] == [
        "3 characters, at least 4 wanted",
        "3 tokens, at most 2 wanted",
    ]
    assert reasons(kept(samples, length={"max_chars": 13, "min_tokens": 1})) == []


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (PROSE + " " + " ".join(f"word{n}" for n in range(40)), None),
        ("the end " * 40, "one run of 2 words"),
        ("\n".join(["a line that comes again and again"] * 4 + [f"{n} {PROSE}" for n in "abcde"]), "lines"),
        (f"{PROSE} {PROSE}", "repeated runs of 5 words"),
        ("the end " * 20, None),
    ],
)
def test_repetition(answer: str, why: str | None) -> None:
    """Loops are found by lines, by one run, by runs that come again; short answers are not looked at."""
    curated = kept([sample(answer)], repetition={})
    assert len(curated.rejections) == bool(why)
    if why:
        assert curated.rejections[0].reason == "repetitive" and why in curated.rejections[0].detail
    assert reasons(kept([sample(answer)])) == []


def test_language() -> None:
    """What is surely in another language goes; short answers and code are no evidence."""
    german = "Auf einem Berg kocht das Wasser früher, weil die Luft weniger auf seine Oberfläche drückt."
    samples = [sample(PROSE), sample(german), sample("Berg"), sample("def f(x):\n    return x + 1\n" * 3)]
    curated = kept(samples, language={"allow": ["en"]})
    assert [(r.reason, r.detail[:2]) for r in curated.rejections] == [("language", "de")]
    assert reasons(kept(samples, language={"allow": ["en", "de"]})) == []


PARTS = {
    "github": "ghp_" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dF3gH6",
    "aws": "AKIA" + "Q3EGZ7WJ5R2TNXKP",
    "card": "4539" + " 1488 0343 6467",
    "iban": "GB29" + " NWBK 6016 1331 9268 19",
    "aws secret": "aws_secret_access_key = wJalrXUtnFEMI/" + "K7MDENG/bPxRfiCYq8vLk2Zs9T",
    "slack": "https://hooks.slack.com/services/" + "T01ABCDEF/B01ABCDEF/aB3dE5fG7hJ9kL1mN3pQ5rS7",
    "pem": "-----BEGIN RSA PRIVATE" + " KEY-----\nabc\n-----END RSA PRIVATE" + " KEY-----",
}
"""In pieces, so that scanners of this repository find nothing."""


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        (f"token {PARTS['github']} here", ["api_key"]),
        (PARTS["aws"], ["api_key"]),
        (f"key:\n{PARTS['pem']}", ["api_key"]),
        (PARTS["aws secret"], ["api_key"]),
        (PARTS["slack"], ["api_key"]),
        (f"db = connect('postgres://app:{'Tr0ub4' + 'dor3'}@db.internal.corp:5432/app')", ["api_key"]),
        ("postgres://user:password@localhost:5432/db", []),
        ("sk-" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dF3gH6", ["api_key"]),
        ("a class sk-toggleable__content-arrow-and-other-long-names of scikit-learn", []),
        ("uuid 550e8400-e29b-41d4-a716-446655440000, sha 9fceb02d0ae598e95dc970b74767f19372d61af8", []),
        ("git clone git@github.com:me/mine.git", []),
        ("AKIA" + "IOSFODNN7EXAMPLE", []),
        ("ghp_" + "x" * 36, []),
        (f"pay with {PARTS['card']}", ["card"]),
        ("pay with 4539 1488 0343 6468", []),
        ("the card 4111 1111 1111 1111 is for tests", []),
        (f"{PARTS['card'].replace(' ', '')} + 1 = ?", []),
        (f"my card is {PARTS['card'].replace(' ', '')}", ["card"]),
        (PARTS["iban"], ["iban"]),
        ("GB29 NWBK 6016 1331 9268 18", []),
        ("write to jane.roe@mail.net, please", ["email"]),
        ("write to jane.roe@example.com or a@b.test", []),
        ("@property\ndef f(self): ...", []),
        ("call +44 20 7946 0958 now", ["phone"]),
        ("call (212) 736-5000 now", ["phone"]),
        ("call 212-555-0123, 123-456-7890 or (555) 123-4567 now", []),
        ("1234567890 apples, 2024-05-17, 3.141592653589", []),
        ("host 8.8.8.8 and 192.168.0.1 and 203.0.113.7", ["ip"]),
        ("version 1.2.3 of 999.1.1.1", []),
        ("at 12:30:45 o'clock", []),
    ],
)
def test_what_is_private_is_found(text: str, kinds: list[str]) -> None:
    """By shape and check digits; examples, placeholders and arithmetic are not."""
    assert [one.kind for one in find(text)] == kinds


def test_private_things_are_dropped_masked_or_left() -> None:
    """A dropped sample's text is kept only masked; a masked one has its own id and names what it was."""
    mail = sample(
        "Write to jane.roe@mail.net.", "Who is jane.roe@mail.net?", meta={"question": "jane.roe@mail.net?"}
    )
    curated = kept([mail, sample(f"Use {PARTS['github']}.")])
    [masked], [rejection] = curated.samples, curated.rejections
    assert masked.prompt[0]["content"] == "Who is [EMAIL]?" and masked.meta["question"] == "[EMAIL]?"
    assert masked.completion == [{"role": "assistant", "content": "Write to [EMAIL]."}]
    assert masked.id == sample("Write to [EMAIL].", "Who is [EMAIL]?").id
    assert masked.lineage.parents == (mail.id,)
    assert (rejection.reason, rejection.data["completion"][0]["content"]) == ("private-api-key", "Use [KEY].")
    assert curated.steps["private"].figures() == {
        **{"seen": 2, "kept": 1, "changed": 1},
        "dropped": {"private-api-key": 1},
    }
    off = kept([mail], private={"email": "off"})
    assert off.samples == [mail]
    assert reasons(kept([mail], private={"email": "drop"})) == ["private-email"]


def test_balance_caps_each_tag() -> None:
    """By family, skill, meta or a verdict; what has no tag passes."""
    samples = [sample(str(n), family="sums" if n < 6 else "") for n in range(8)]
    curated = kept(samples, balance={"by": "family", "most": 2})
    assert (len(curated.samples), set(reasons(curated))) == (4, {"over-represented"})
    skills = [sample(str(n), skills=("a", "b") if n else ("a",)) for n in range(4)]
    assert len(kept(skills, balance={"by": "skill", "most": 2}).samples) == 2
    levels = [sample(str(n), meta={"level": n % 2}) for n in range(6)]
    assert len(kept(levels, balance={"by": "meta.level", "most": 1}).samples) == 2


def test_steps_are_counted_in_their_order() -> None:
    """Every sample is counted by each step up to the one that dropped it."""
    curated = kept([sample("a"), sample("a"), sample(""), sample("b", "is it?")], {"is it?": "test"})
    counts = {name: (tally.seen, tally.kept) for name, tally in curated.steps.items()}
    assert counts == {
        **{"held-out": (4, 3), "private": (3, 3), "pairs": (3, 3), "duplicates": (3, 2), "format": (2, 1)},
        **{"near-duplicates": (1, 1), "budget": (1, 1)},
    }


@pytest.mark.parametrize(
    ("licence", "terms"),
    [
        ("", "unstated"), ("MIT", "free"), ("apache-2.0", "free"), ("Apache 2.0", "free"),
        ("CC0-1.0", "public"),
        ("CC-BY-4.0", "free"), ("CC BY-SA 4.0", "share-alike"), ("cc-by-nc-4.0", "non-commercial"),
        ("CC-BY-NC-SA-4.0", "non-commercial"), ("CC-BY-ND-4.0", "no-derivatives"),
        ("GPL-3.0-only", "share-alike"),
        ("ODbL-1.0", "share-alike"), ("BSD-3-Clause", "free"), ("llama3.1", "named"), ("ODC-BY", "free"),
    ],
)  # fmt: skip
def test_terms_of_licences(licence: str, terms: str) -> None:
    """As SPDX, the hub and people write them."""
    assert terms_of(licence) == terms


def test_licences_that_cannot_go_together() -> None:
    """Share-alike with non-commercial, two kinds of share-alike, no derivatives; others are only told."""
    assert incompatible({"CC-BY-SA-4.0": 1, "CC-BY-NC-4.0": 1})
    assert incompatible({"GPL-3.0": 1, "CC-BY-SA-4.0": 2})
    assert incompatible({"CC-BY-ND-4.0": 1})
    assert not incompatible({"CC-BY-SA-3.0": 1, "CC-BY-SA-4.0": 1, "MIT": 3})
    assert not incompatible({"CC-BY-NC-4.0": 1, "MIT": 3})
    assert conflicts({"MIT": 1, "CC0-1.0": 1}) == conflicts({"GPL-3.0": 1}) == []
    assert "no commercial use" in conflicts({"MIT": 1, "CC-BY-NC-4.0": 1})[0]
    assert "licence:" in conflicts({"MIT": 1, "unstated": 1})[0]


def test_an_export_refuses_what_cannot_go_together(tmp_path: Path) -> None:
    """Nothing is written; whoever knows better says so."""
    rows = [sample(str(n), licence=name) for n, name in enumerate(("CC-BY-SA-4.0", "CC-BY-NC-4.0"))]
    RunFolder.write_lines(tmp_path / "run/rounds/1/data/samples.jsonl", rows)
    with pytest.raises(DataError, match="mix licences whose terms cannot all be met"):
        export(tmp_path / "run", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert export(tmp_path / "run", tmp_path / "out", mixed=True).rows == 2
