"""Skills as files: the published lists, what a user's own file may hold, and how seeds are dealt."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from synth.data.documents import Passage
from synth.errors import ConfigError, DataError, SynthError
from synth.flowfiles import load
from synth.flows.agentinstruct import Params
from synth.flows.agentinstruct.seeds import Deck, drawn, plan_seeds
from synth.flows.agentinstruct.simulate import Api, call, schema_of
from synth.flows.agentinstruct.skill import load_skills

HERE = Path(__file__)
ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "agentinstruct" / "skills"


def test_seventeen_skills_with_the_published_lists() -> None:
    """Nine transformations and 43 types of reading comprehension, 18 of text modification, seven of
    tool use; what the paper does not publish is not passed off as its own."""
    skills = load_skills((), HERE)
    assert len(skills) == 17
    reading, changing, tools = (skills[n] for n in ("reading_comprehension", "text_modification", "tool_use"))
    assert [t.origin for t in reading.transformations] == ["paper"] * 9
    assert Counter(t.origin for t in reading.types) == {"paper": 14, "ours": 29}
    assert {g.name: g.expect for g in reading.refinements} == {
        "unanswerable": "abstain",
        "answer_changes": "differ",
        "more_complex": "",
    }
    assert Counter(t.origin for t in changing.types) == {"paper": 18}
    assert Counter(t.origin for t in tools.types) == {"paper": 7}
    rest = [s for s in skills.values() if s not in (reading, changing, tools)]
    assert {part.origin for s in rest for part in (*s.types, *s.transformations)} == {"ours"}


def test_a_file_of_ones_own_is_an_eighteenth_skill() -> None:
    """By file or by folder, beside built-in ones."""
    assert "proofreading" in load_skills((str(EXAMPLE / "proofreading.yaml"),), HERE)
    assert list(load_skills(("fermi", str(EXAMPLE)), HERE)) == ["fermi", "proofreading"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("form: chioce", "did you mean 'choice'"),
        ("after: [copi]", "did you mean 'copy'"),
        ("colour: red", "Extra inputs"),
    ],
)
def test_a_mistake_in_a_skill_file_is_named(tmp_path: Path, change: str, message: str) -> None:
    """With the file and the nearest right word."""
    path = tmp_path / "own.yaml"
    form = "" if change.startswith("form") else ", form: open"
    path.write_text(
        "skill: own\nabout: x\ntransformations: [{name: copy, makes: copy}]\n"
        f"types: [{{name: a, ask: b{form}, {change}}}]\n"
    )
    with pytest.raises(SynthError, match=message) as error:
        load_skills((str(path),), HERE)
    assert "own.yaml" in error.value.what


def test_unknown_names_are_refused_with_the_nearest() -> None:
    """Skills, types and transformations alike."""
    with pytest.raises(DataError, match="fermy") as error:
        load_skills(("fermy",), HERE)
    assert "fermi" in error.value.cure
    with pytest.raises(DataError, match="no part 'how_mnay'"):
        load_skills(("fermi",), HERE, {"fermi": ("how_mnay",)})
    with pytest.raises(DataError, match="parts of a skill 'coddling'"):
        load_skills(("fermi",), HERE, {"coddling": ("explain",)})
    assert list(load_skills(("fermi",), HERE, {"coding": ("explain",)})) == ["fermi"]


def test_a_flow_file_with_a_wrong_skill_is_refused_before_it_runs() -> None:
    """By `synth check` and by `synth run`, at the place in the file."""
    flow = ROOT / "flows" / "agentinstruct.yaml"
    load(flow, ["with.limit=3"], "narrow")
    with pytest.raises(ConfigError, match="fermy"):
        load(flow, ["with.skills=[fermy]"], None)
    with pytest.raises(ConfigError, match="no part 'how_mnay'"):
        load(flow, ["with.types={fermi: [how_mnay]}"], None)


def passages(count: int, kind: Any = "prose") -> list[Passage]:
    return [Passage.of(f"text {n}", kind, f"f:{n}") for n in range(count)]


def test_a_deck_deals_all_before_any_again() -> None:
    """Also where not every card may be dealt each time."""
    deck = Deck("abcde", "key", balance=True)
    dealt = Counter(name for _ in range(25) for name in deck.deal(1))
    assert set(dealt.values()) == {5}
    deck = Deck("abcde", "key", balance=True)
    picky = Counter[str]()
    for turn in range(60):
        picky.update(deck.deal(1, "bcde".__contains__ if turn % 2 else "abcde".__contains__))
    assert max(picky.values()) - min(picky.values()) <= 2


def test_seeds_are_balanced_over_transformations_and_types() -> None:
    """The default; without it chance decides, and a second plan is the same in either case."""
    skills = load_skills(("reading_comprehension", "coding"), HERE)
    spread = {}
    for balance in (True, False):
        params = Params(types_per_seed=1, balance=balance)
        seeds = list(plan_seeds(passages(86), skills, params, 0))
        assert [s.id for s in seeds] == [s.id for s in plan_seeds(passages(86), skills, params, 0)]
        counts = Counter(s.data["types"][0] for s in seeds)
        spread[balance] = max(counts.values()) - min(counts.values()) if len(counts) == 43 else 9
        assert {s.data["skill"] for s in seeds} == {"reading_comprehension"}, "code skills take no prose"
    assert spread[True] == 0
    assert spread[False] > 2


def test_types_follow_their_transformation() -> None:
    """A type that needs a scenario of rules is never asked of another text."""
    skills = load_skills(("analytical_reasoning",), HERE)
    for seed in plan_seeds(passages(60), skills, Params(), 0):
        useful = {t.name for t in skills["analytical_reasoning"].types_after(seed.data["transformation"])}
        assert set(seed.data["types"]) <= useful


def test_a_limit_draws_from_the_whole_stream_in_its_order() -> None:
    """Not the first ones; the same ones each time."""
    every = passages(200)
    taken = list(drawn(iter(every), 20, 0))
    assert len(taken) == 20
    assert taken == list(drawn(iter(every), 20, 0))
    places = [every.index(passage) for passage in taken]
    assert places == sorted(places)
    assert max(places) > 100


def test_the_identity_control_transforms_nothing() -> None:
    """Where a skill has a copy to offer."""
    skills = load_skills(("reading_comprehension",), HERE)
    seeds = list(plan_seeds(passages(20), skills, Params(arm="control-identity"), 0))
    assert {s.data["transformation"] for s in seeds} == {"identity"}


WEATHER = Api.model_validate(
    {
        "name": "forecast",
        "description": "Weather of a day.",
        "parameters": [
            {"name": "city", "type": "string"},
            {"name": "days", "type": "integer", "required": False},
            {"name": "unit", "type": "string", "required": False, "choices": ["C", "F"]},
        ],
        "returns": [
            {"name": "city"},
            {"name": "high", "type": "integer"},
            {"name": "sky", "examples": ["clear"]},
        ],
    }
)


def test_a_simulated_function_answers_from_its_description() -> None:
    """The same call has the same result; what was given comes back as given."""
    result, fault = call([WEATHER], "forecast", {"city": "Oslo", "unit": "C"})
    assert fault == ""
    assert (result["city"], result["sky"]) == ("Oslo", "clear")
    assert call([WEATHER], "forecast", {"unit": "C", "city": "Oslo"})[0] == result
    assert schema_of(WEATHER)["parameters"]["required"] == ["city"]


@pytest.mark.parametrize(
    ("name", "arguments", "fault"),
    [
        ("forecats", {}, "there is no function"),
        ("forecast", {}, "'city' is a required property"),
        ("forecast", {"city": 3}, "is not of type 'string'"),
        ("forecast", {"city": "Oslo", "unit": "K"}, "is not one of"),
        ("forecast", {"city": "Oslo", "wind": 1}, "Additional properties"),
    ],
)
def test_a_call_that_does_not_fit_its_schema_is_refused(
    name: str, arguments: dict[str, Any], fault: str
) -> None:
    """With the reason that goes back to the assistant."""
    assert fault in call([WEATHER], name, arguments)[1]
