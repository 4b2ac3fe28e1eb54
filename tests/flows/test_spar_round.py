"""Whole rounds of SPaR on scripted models over real HTTP: pairs, trees, refiner data, controls."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from synth.engine.session import Session
from synth.flows.spar import generate
from synth.records import Sample
from tests.flows.spar_session import SCRIPT, Messages, flow_file, judge, part, playing


async def run(session: Session) -> list[Sample]:
    return list(await generate(session))


def measures(session: Session) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((session.folder.round(session.round) / "spar.json").read_bytes())
    return found


def trees(session: Session) -> list[dict[str, Any]]:
    path = session.folder.round(session.round) / "data" / "trees.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


def kinds(samples: list[Sample]) -> Counter[str]:
    return Counter(sample.meta["kind"] for sample in samples)


def text(messages: Sequence[Mapping[str, Any]] | None) -> str:
    assert messages is not None
    return str(messages[-1]["content"])


async def test_a_round_turns_failed_responses_into_minimal_pairs(tmp_path: Path) -> None:
    """Chosen is the rejected answer without its commas; up to three are out in a tree of depth three,
    four are too many and the seed is kept as a rejection. Everything is traced."""
    async with playing(tmp_path) as session:
        samples = [sample for sample in await run(session) if sample.learner == "student"]
        rejected = list(session.rejections())
    assert len(samples) + len(rejected) == 6
    assert samples
    assert {rejection.reason for rejection in rejected} <= {"not-refined"}
    for sample in samples:
        chosen, avoided = text(sample.chosen), text(sample.rejected)
        assert chosen == avoided.replace(",", "") != avoided
        assert sample.meta["depth"] == avoided.count(",")
        assert sample.meta["edit"] == round(avoided.count(",") / len(avoided), 4)
        assert sample.prompt[-1]["content"] == sample.meta["question"]
        calls = Counter(call.agent for call in sample.lineage.calls)
        depth = sample.meta["depth"]
        assert calls == {"respond": 1, "judge": 5 + 5 * depth, "refine": depth}
        assert {verdict.name: verdict.value for verdict in sample.verdicts} == {"value": 1.0, "met": True}


async def test_the_rounds_own_figures_and_trees_are_written(tmp_path: Path) -> None:
    """`spar.json` counts what was judged, checked, searched and paired; every tree is kept, whole."""
    async with playing(tmp_path) as session:
        samples = await run(session)
        found, grown = measures(session), trees(session)
    pairs = [sample for sample in samples if sample.learner == "student"]
    assert found["judged"] == {"no": 18, "yes": 12}
    assert (found["failing"], found["prompts_failed"]) == (0.6, 6)
    assert found["responses"]["agreement"] == 1.0
    assert found["responses"]["gap"] == found["refined"]["gap"] == 0.0
    assert found["search"]["trees"] == len(grown) == 6
    assert found["search"]["found"] == found["pairs"]["kept"] == len(pairs)
    depths = Counter(str(sample.meta["depth"]) for sample in pairs)
    assert found["search"]["found_by_depth"] == depths
    assert found["search"]["refinements"] == sum(tree["asked"] for tree in grown)
    assert {tree["sample"] for tree in grown if tree["sample"]} == {sample.id for sample in pairs}
    tree = next(tree for tree in grown if tree["sample"] == pairs[0].id)
    root, last = tree["nodes"][0], tree["nodes"][tree["found"]]
    assert root["response"] == text(pairs[0].rejected)
    assert (last["response"], last["value"]) == (text(pairs[0].chosen), 1.0)
    assert root["critique"].endswith("Final Judgement: No")
    assert last["reflection"] == "A comma is one too many."


async def test_the_refiner_learns_from_successes_and_contested_judgements(tmp_path: Path) -> None:
    """A refinement comes with the conversation it answers; a judgement only if a vote went against it.
    Nobody trains a refiner without `learners`: then no such sample leaves the flow."""
    async with playing(tmp_path) as session:
        samples = [sample for sample in await run(session) if sample.learner == "refiner"]
        kept = measures(session)["refiner_kept"]
    assert kinds(samples) == kept
    assert set(kept) == {"refine", "judge-no", "critique-no"} & set(kept)
    assert kept["judge-no"] > 0 and kept["refine"] > 0
    for sample in samples:
        said = text(sample.completion)
        if sample.meta["kind"] == "refine":
            assert [message["role"] for message in sample.prompt] == ["user", "assistant", "user"]
            assert part(sample.prompt, "response").count(",") == 1
            assert "[[start]]" in said
        else:
            assert part(sample.prompt, "response").count(",") == 1
            assert said == "Judge 0 counts 1 commas.\nFinal Judgement: No"

    other = tmp_path / "other"
    other.mkdir()
    async with playing(other, flow=flow_file(other, learners={})) as session:
        assert {sample.learner for sample in await run(session)} == {"student"}


async def test_a_second_call_makes_the_same_samples_and_asks_nobody(tmp_path: Path) -> None:
    """`generate` after a crash: the same samples in the same order, without one call."""
    async with playing(tmp_path) as session:
        first = [sample.id for sample in await run(session)]

    def nobody(messages: Messages, body: Mapping[str, Any]) -> str:
        raise AssertionError("nothing is to be asked")

    async with playing(tmp_path, dict.fromkeys(SCRIPT, nobody)) as session:
        assert [sample.id for sample in await run(session)] == first


async def test_what_the_rules_refute_is_not_learnt(tmp_path: Path) -> None:
    """A judge content with one comma passes refinements that still have one. In the faithful arm they
    are learnt from; the fixed arm drops the pairs, and the refiner's lessons with them."""

    def content(messages: Messages, body: Mapping[str, Any]) -> Sequence[str]:
        kind = part(messages, "response").count(",") < 2
        return [f"Final Judgement: {'Yes' if vote == kind else 'No'}" for vote in (True,) * 4 + (False,)]

    found = {}
    for arm in ("faithful", "fixed"):
        folder = tmp_path / arm
        folder.mkdir()
        async with playing(folder, {"judge": content}, arm=arm) as session:
            samples = await run(session)
            found[arm] = kinds(samples), measures(session)["pairs"]["dropped"]
            wrong = [rejection for rejection in session.rejections() if rejection.reason == "refuted"]
    (published, none), (repaired, dropped) = found["faithful"], found["fixed"]
    assert published["pair"] == published["refine"] == 6 and none == {}
    assert repaired["pair"] == repaired["refine"] == 0
    assert dropped == {"refuted": 6} == {"refuted": len(wrong)}
    assert published["judge-yes"] > repaired["judge-yes"]


async def test_an_echoed_hint_deceives_the_faithful_arm_alone(tmp_path: Path) -> None:
    """A judge that repeats "(Yes or No)" passes everything in the faithful arm: no negative, no pair.
    The fixed arm does not take such a line for a verdict, and asks again."""

    def echo(messages: Messages, body: Mapping[str, Any]) -> Sequence[str]:
        good = judge(messages, body)
        return [good[0].replace("Judgement:", "Judgement (Yes or No):"), *good[1:]]

    echoed = {"judge": lambda messages, body: echo(messages, body)[:1] * 5}
    for arm, expected in (("faithful", {"yes": 30}), ("fixed", {"undecided": 30})):
        folder = tmp_path / arm
        folder.mkdir()
        async with playing(folder, echoed, arm=arm) as session:
            assert await run(session) == []
            assert measures(session)["judged"] == expected
            lost = Counter(rejection.reason for rejection in session.rejections())
            assert lost == ({} if arm == "faithful" else {"undecided": 6})
    one = tmp_path / "one"
    one.mkdir()
    async with playing(one, {"judge": echo}) as session:
        assert await run(session)
        assert measures(session)["judged"] == {"no": 18, "yes": 12}


async def test_ties_of_the_actors_answers_are_judged_again_in_the_fixed_arm(tmp_path: Path) -> None:
    """A judge whose first five votes cannot be read: published, the answer is dropped for it."""
    asked: Counter[str] = Counter()

    def late(messages: Messages, body: Mapping[str, Any]) -> Sequence[str]:
        text = messages[0]["content"]
        asked[text] += 1
        return judge(messages, body) if asked[text] > 1 else ["I cannot tell."] * 5

    for arm, expected in (("faithful", {"undecided": 30}), ("fixed", {"no": 18, "yes": 12})):
        folder = tmp_path / arm
        folder.mkdir()
        asked.clear()
        async with playing(folder, {"judge": late}, arm=arm) as session:
            await run(session)
            assert measures(session)["judged"] == expected


async def test_independent_pairs_are_the_actors_own(tmp_path: Path) -> None:
    """The control refines nothing: both answers are samples of the actor, one judged right, one wrong."""
    async with playing(tmp_path, arm="control-independent", max_ratio=4) as session:
        samples = [sample for sample in await run(session) if sample.learner == "student"]
        assert trees(session) == []
    assert len(samples) == 6
    for sample in samples:
        assert "," in text(sample.rejected) and "," not in text(sample.chosen)
        assert sample.meta["depth"] == 0
        assert {call.agent for call in sample.lineage.calls} == {"respond", "judge"}


async def test_without_a_tree_only_single_commas_are_mended(tmp_path: Path) -> None:
    async with playing(tmp_path, arm="control-no-tree") as session:
        samples = [sample for sample in await run(session) if sample.learner == "student"]
        assert all(tree["asked"] == 1 for tree in trees(session))
    assert all(text(sample.rejected).count(",") == 1 for sample in samples)


async def test_rules_take_the_judges_place_where_there_are_any(tmp_path: Path) -> None:
    """No judge is asked about a prompt whose constraints can be checked; the critique names what is
    not met, and the refiner can work with it."""

    def nobody(messages: Messages, body: Mapping[str, Any]) -> str:
        raise AssertionError("the rules judge")

    async with playing(tmp_path, {"judge": nobody}, arm="control-rules") as session:
        samples = [sample for sample in await run(session) if sample.learner == "student"]
        critique = trees(session)[0]["nodes"][0]["critique"]
    assert samples
    assert all("," not in text(sample.chosen) for sample in samples)
    assert "Not met." in critique and critique.endswith("Final Judgement: No")


async def test_the_refiner_judges_where_nobody_else_does(tmp_path: Path) -> None:
    """As in the paper: one model criticises and refines."""

    def both(messages: Messages, body: Mapping[str, Any]) -> str | Sequence[str]:
        return SCRIPT["refiner"](messages, body) if len(messages) == 3 else judge(messages, body)

    async with playing(tmp_path, {"refiner": both}, judged_by="refiner") as session:
        samples = await run(session)
    assert kinds(samples)["pair"] > 0


async def test_the_search_at_inference_time_is_measured(tmp_path: Path) -> None:
    """The actor's first response has two commas: every held-out prompt fails plainly and passes
    after the search. No sample comes of a held-out prompt."""
    async with playing(tmp_path, inference=2) as session:
        samples = await run(session)
        found = measures(session)["inference"]
    assert found == {"items": 2, "plain": 0.0, "searched": 1.0}
    assert not any("thing10" in sample.meta["question"] for sample in samples)


async def test_prompts_are_evolved_and_unsuitable_ones_left_out(tmp_path: Path) -> None:
    """The teacher's prompt takes the plain one's place and names its category; None and an unreadable
    reply are rejections."""

    def teacher(messages: Messages, body: Mapping[str, Any]) -> str:
        asked = messages[-1]["content"]
        if "thing0" in asked:
            return "[[start]]None[[end]]"
        if "thing1" in asked:
            return "I cannot."
        return f"[[start]]List evolved{asked.split('List thing')[1][0]} without a comma.[[end]]"

    async with playing(tmp_path, {"teacher": teacher}, evolve=True) as session:
        samples = [sample for sample in await run(session) if sample.learner == "student"]
        reasons = Counter(rejection.reason for rejection in session.rejections())
    assert reasons["unsuitable"] == reasons["unparsed"] == 1
    assert samples
    assert all(sample.meta["question"].startswith("List evolved") for sample in samples)
    assert all(sample.family for sample in samples)
    assert measures(session)["responses"]["compared"] == 0
