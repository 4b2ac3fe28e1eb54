"""AgentInstruct's graph over scripted models: what is made, refined, answered, checked, dropped."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from synth.flows.agentinstruct import generate
from synth.flows.agentinstruct.coverage import coverage, evenness
from synth.flows.agentinstruct.skill import load_skills
from tests.flows.agentinstruct_session import CODE, READ, TEXT, Messages, agents, playing, read_only
from tests.flows.agentinstruct_teacher import STORY, language_model


async def test_reading_comprehension_from_document_to_sample(tmp_path: Path) -> None:
    """Tasks, refined tasks and their answers, with source, licence and ancestors."""
    async with playing(tmp_path, **READ) as session:
        samples = list(await generate(session))
    kinds = Counter((s.meta["type"], s.meta["refinement"]) for s in samples)
    assert kinds["vocabulary_and_language_use", ""] == 2
    assert kinds["sequencing_events", ""] == 1
    by_item = {sample.meta["item"]: sample for sample in samples}
    for sample in samples:
        assert sample.licence == "CC0"
        assert sample.meta["source"].endswith("documents/rivers.md:1-5")
        assert sample.prompt[-1]["content"].endswith(sample.meta["task"])
        if sample.meta["refinement"]:
            parent = by_item[sample.meta["parent"]]
            assert sample.lineage.parents[1:] == (parent.meta["item"],)
            assert sample.lineage.parents[0] == parent.lineage.parents[0]
    assert {"unanswerable", "answer_changes"} & {s.meta["refinement"] for s in samples}


async def test_answers_come_from_calls_of_their_own(tmp_path: Path) -> None:
    """No instruction agent is asked for an answer: its schema has no place for one."""
    async with playing(tmp_path, **READ) as session:
        samples = list(await generate(session))
        rows = [
            row for key in samples[0].lineage.calls for row in [session.journal.find(bytes.fromhex(key.key))]
        ]
    assert {"instruct", "suggest", "respond"} <= set(agents(samples))
    replies = [json.loads(json.loads(row)["text"]) for row in rows if row]
    written = [task for reply in replies for task in reply.get("tasks", [])]
    assert written
    assert all("answer" not in task for task in written)


async def test_the_unanswerable_must_be_abstained_on_every_time(tmp_path: Path) -> None:
    """One independent try that answers gives the item away."""
    tries = Counter[str]()

    def sometimes(messages: Messages, body: Mapping[str, Any]) -> str:
        said = read_only(messages, body)
        if '"answerable": false' in said:
            tries["abstained"] += 1
            if tries["abstained"] == 2:
                return '{"answer": "water"}'
        return said

    async with playing(tmp_path, sometimes, suggestions=2, **READ) as session:
        samples = list(await generate(session))
        rejections = list(session.rejections())
    assert tries["abstained"] >= 3
    wrong = [r for r in rejections if r.reason == "answered"]
    assert len(wrong) == 1
    assert "1 of 3 tries answer" in wrong[0].detail
    assert wrong[0].data["refinement"] == "unanswerable"
    assert not any(s.meta["item"] == wrong[0].data["item"] for s in samples)


async def test_a_wrong_answer_is_repaired_once_then_rejected(tmp_path: Path) -> None:
    """The agent is told what is wrong; a second failure is a rejection with the fault."""

    def careless(messages: Messages, body: Mapping[str, Any]) -> str:
        text = str(messages[-1]["content"])
        if "<task>" in text and "Fill in" in text:
            return read_only(messages, body) if "was not accepted" in text else '{"answer": "elephants"}'
        return '{"answer": ["A", "A", "C", "D"]}' if "<task>" in text else read_only(messages, body)

    async with playing(tmp_path, careless, refinements=0, **READ) as session:
        samples = list(await generate(session))
        rejections = list(session.rejections())
    assert Counter(s.meta["type"] for s in samples) == {"vocabulary_and_language_use": 2}
    assert [(r.reason, r.data["type"]) for r in rejections] == [("failed-check", "sequencing_events")]
    assert "is not an order of all" in rejections[0].detail


async def test_answers_that_disagree_drop_the_item(tmp_path: Path) -> None:
    """Three different words of the text fit a gap: none is trusted."""
    words = iter(["river", "season", "mountains", "days", "fields", "water"] * 9)

    def undecided(messages: Messages, body: Mapping[str, Any]) -> str:
        if "<task>" in str(messages[-1]["content"]):
            return json.dumps({"answer": next(words)})
        return read_only(messages, body)

    types = {"types": {"reading_comprehension": ["vocabulary_and_language_use"]}}
    async with playing(tmp_path, undecided, refinements=0, **{**READ, **types}) as session:
        assert not list(await generate(session))
        reasons = Counter(r.reason for r in session.rejections())
    assert reasons["disagreed"] == 2


async def test_a_faulty_task_is_mended_once(tmp_path: Path) -> None:
    """A sentence without a gap goes back to the editor with the fault."""
    mends: list[str] = []

    def forgetful(messages: Messages, body: Mapping[str, Any]) -> str:
        text = str(messages[-1]["content"])
        if '<type name="vocabulary' in text:
            return '{"tasks": [{"instruction": "Fill in the word.", "sentence": "no gap here"}]}'
        if '<change goal="mend">' in text:
            mends.append(text)
            return json.dumps(
                {"task": {"instruction": "Fill in the word.", "sentence": "The ____ of the mountains melts"}}
            )
        return '{"answer": "snow"}' if "<task>" in text else read_only(messages, body)

    types = {"types": {"reading_comprehension": ["vocabulary_and_language_use"]}}
    async with playing(tmp_path, forgetful, refinements=0, **{**READ, **types}) as session:
        samples = list(await generate(session))
    assert [s.completion[0]["content"] for s in samples if s.completion] == ["snow"]
    assert "the sentence has 0 gaps" in mends[0]


async def test_a_second_run_asks_nobody_and_makes_the_same(tmp_path: Path) -> None:
    """What a kill and a new start come to: the journal answers, samples keep their order."""
    asked: list[str] = []
    async with playing(tmp_path, seen=asked.append, **READ) as session:
        first = [sample.id for sample in await generate(session)]
    paid = len(asked)
    async with playing(tmp_path, seen=asked.append, **READ) as session:
        for seed in session.results("make"):
            session.journal.forget_result("1/make", seed.seed)
        session.journal.set_stage(1, "make", "running", {})
        await session.journal.flush()
        assert [sample.id for sample in await generate(session)] == first
    assert len(asked) == paid > 0


async def test_the_arms_change_what_they_control(tmp_path: Path) -> None:
    """No refinement; no check; answers of the same type swapped."""
    made = {}
    for arm in ("fixed", "control-unrefined", "faithful", "control-format"):
        async with playing(tmp_path, name=arm, **READ, arm=arm) as session:
            made[arm] = list(await generate(session))
    assert {s.meta["refinement"] for s in made["control-unrefined"]} == {""}
    assert len(made["faithful"]) >= len(made["fixed"])
    assert all(not s.verdicts for s in made["faithful"])
    answers = {arm: Counter(str(s.completion) for s in made[arm]) for arm in made}
    assert answers["control-format"] == answers["fixed"]
    moved = sum(
        a.completion != b.completion for a, b in zip(made["fixed"], made["control-format"], strict=True)
    )
    assert moved >= len(made["fixed"]) // 2


async def test_code_is_kept_only_if_it_runs(tmp_path: Path) -> None:
    """Outputs and functions are checked in the sandbox, against what their text says."""
    files = {
        "a.py": CODE
        + '\n\ndef wrong(x: int) -> int:\n    """One more.\n\n    >>> wrong(1)\n    7\n    """\n'
        + "    return x + 1\n"
    }
    only = {"skills": ["coding"], "types": {"coding": ["predict_the_output", "write_the_function"]}}
    async with playing(
        tmp_path, files=files, tasks=9, refinements=0, transformations={"coding": ["identity"]}, **only
    ) as session:
        samples = list(await generate(session))
        rejections = list(session.rejections())
    outputs = {s.completion[0]["content"] for s in samples if s.completion and s.meta["form"] == "output"}
    assert outputs == {"8", "-2", "2.0"}
    assert [s.meta["task"].split("`")[1] for s in samples if s.meta["form"] == "code"] == ["double(x: int)"]
    faults = [r.detail for r in rejections if r.reason != "no-task"]
    assert faults == ["the program prints something else"]


async def test_discrimination_keeps_what_only_the_stronger_model_solves(tmp_path: Path) -> None:
    """Too easy for the student, or not solved at all: both go, with their reason."""

    def strong(messages: Messages, body: Mapping[str, Any]) -> str:
        if messages[0]["role"] == "user":  # from the prompt alone
            task = str(messages[0]["content"])
            return "Perhaps snow." if "of the mountains" in task.split("\n\n")[-1] else "no idea"
        return read_only(messages, body)

    def weak(messages: Messages, body: Mapping[str, Any]) -> str:
        return "I do not know."

    types = {"types": {"reading_comprehension": ["vocabulary_and_language_use"]}, "discriminate": True}
    async with playing(tmp_path, strong, weak, refinements=0, tasks=9, **{**READ, **types}) as session:
        samples = list(await generate(session))
        reasons = Counter(r.reason for r in session.rejections())
    assert all(
        {(v.by, v.value) for v in s.verdicts if v.name == "solved"} == {("teacher", True), ("student", False)}
        for s in samples
    )
    assert reasons["unsolved"] + len(samples) == 5
    async with playing(
        tmp_path, strong, strong, name="easy", refinements=0, tasks=9, **{**READ, **types}
    ) as session:
        assert not list(await generate(session))
        assert Counter(r.reason for r in session.rejections())["too-easy"] == len(samples)


async def test_coverage_counts_every_type_and_reason(tmp_path: Path) -> None:
    """The tree adds up to what was made, and says what is missing."""
    async with playing(tmp_path, **READ) as session:
        samples = list(await generate(session))
        rejections = list(session.rejections())
        folder = session.folder.round(1)
    told = json.loads((folder / "coverage.json").read_text())
    skill = told["skills"]["reading_comprehension"]
    assert told["kept"] == skill["kept"] == len(samples)
    assert sum(part["kept"] for part in skill["types"].values()) == len(samples)
    assert Counter(told["reasons"]) == Counter(r.reason for r in rejections)
    assert skill["types"]["sequencing_events"]["origin"] == "paper"
    assert json.loads((folder / "seeds.json").read_text())["licences"] == {"CC0": 1}


def test_evenness_is_one_where_all_come_equally_often() -> None:
    """And nothing where only one does."""
    assert (evenness([3, 3, 3]), evenness([9, 0, 0]), evenness([])) == (1.0, 0.0, 0.0)


async def test_a_model_makes_up_turns_from_the_start_of_its_template(tmp_path: Path) -> None:
    """Magpie: the plain completions route gets the bare prefix; what is no turn is dropped."""
    asked: list[Mapping[str, Any]] = []

    def prequery(messages: Messages, body: Mapping[str, Any]) -> str:
        if messages[0]["role"] == "text":
            asked.append(body)
            turns = ("How do rivers get their names?", "Do the following:", "Why is the sky blue at noon?")
            return turns[len(asked) % 3]
        text = str(messages[-1]["content"])
        if "<type " in text:
            return '{"tasks": [{"instruction": "Write a haiku about noon."}]}'
        return '{"answer": "Noon light."}'

    only: dict[str, Any] = {
        "skills": ["creative_content"],
        "transformations": {"creative_content": ["identity"]},
    }
    source = {"source": "magpie", "role": "student", "size": 6, "licence": "model"}
    async with playing(
        tmp_path, prequery, prequery, seeds=[source], refinements=0, types_per_seed=1, **only
    ) as session:
        samples = list(await generate(session))
        reasons = Counter(r.reason for r in session.rejections())
    assert asked[0]["messages"][0]["content"] == "<|im_start|>user\n"
    assert asked[0]["stop"] == ["<|im_end|>", "\n"]
    assert reasons == {"no-turn": 2}
    assert {s.meta["source"] for s in samples} == {"magpie:student"}
    assert len({s.lineage.parents[0] for s in samples}) == 2


async def test_every_skill_runs_to_its_end_on_whatever_comes_back(tmp_path: Path) -> None:
    """Answers of the right shape and no sense: nothing crashes, everything dropped has its place."""
    async with playing(
        tmp_path, None, files={"rivers.md": TEXT, "double.py": CODE}, types_per_seed=2, tasks=1
    ) as session:
        samples = list(await generate(session))
        rejections = list(session.rejections())
    assert len({s.family for s in samples} | {r.data["skill"] for r in rejections}) == 17
    assert not [r for r in rejections if r.reason == "crashed"]
    assert all(r.detail and r.data["skill"] for r in rejections)


async def test_a_language_model_makes_every_type_of_every_skill(tmp_path: Path) -> None:
    """All 175 types and every goal, by the prompts alone: each type is kept, whatever was refined has
    its parent, and the right answer of what is unanswerable is to say so."""
    tails = {
        "rivers.md": TEXT.split("\n\n")[1],
        "boats.md": "A boat has a keel, a mast and a crew of four or five.",
    }
    files = {"double.py": CODE, **{name: f"{STORY}{tail}" for name, tail in tails.items()}}
    ways = {"analytical_reasoning": ["rules", "case_study"], "data_to_text": ["table"]}
    ways |= {"text_extraction": ["identity"], "coding": ["identity"]}
    few = {"tasks": 1, "samples": 2, "abstentions": 2, "types_per_seed": 50}
    async with playing(tmp_path, language_model, files=files, transformations=ways, **few) as session:
        samples = list(await generate(session))
        skills = load_skills((), tmp_path)
        told = coverage(session.results("make"), skills)
    kept = {
        f"{name}/{kind}": n["kept"]
        for name, one in told["skills"].items()
        for kind, n in one["types"].items()
    }
    assert len(kept) == 175
    assert [kind for kind, count in kept.items() if not count] == []
    assert set(told["reasons"]) <= {"failed-check", "same-answer", "unverified"}, "code has no ports to name"
    assert {s.meta["refinement"] for s in samples} == {
        "",
        *(goal.name for skill in skills.values() for goal in skill.refinements),
    }
    assert all(s.meta["parent"] in ("", *s.lineage.parents) for s in samples)
    for sample in samples:
        abstains = {sample.meta["refinement"], sample.meta["type"]} & {
            "unanswerable",
            "not_in_the_text",
            "not_there",
        }
        assert ((sample.completion or [])[-1]["content"] == "The text does not say.") == bool(abstains)
        if sample.family == "retrieval_augmented_generation" and sample.meta["transformation"] != "identity":
            name = Path(sample.meta["source"].partition(".md")[0]).name + ".md"
            assert tails[name].split(".")[0] not in sample.meta["task"], "what it was made of answers as well"
