"""Delta Learning on programs in the models' places: what is paired, measured, dropped and refused."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from synth.chat import Leaving, Reply, Request
from synth.config import FlowFile
from synth.config.objectives import Dpo
from synth.engine.folder import RunFolder
from synth.engine.session import Session
from synth.errors import ConfigError, DataError
from synth.flowfiles import load
from synth.flows import load_flow_module
from synth.flows.delta import Params, build, generate
from synth.journal import Journal
from synth.plan import Survey
from synth.progress import make_progress
from synth.records import Message, Sample
from synth.teachers import sections
from synth.teachers.model import Model
from synth.teachers.program import ProgramEndpoint
from synth.verify.sections import headings

FLOW = Path(__file__).parents[2] / "flows" / "delta.yaml"
PROMPTS = 12
Players = dict[str, ProgramEndpoint]


class Cutting(ProgramEndpoint):
    """A program whose answer to every third prompt, by its length, is cut off by the token limit."""

    async def chat(
        self, request: Request, model: str, n: int, first: int, name: str, leaving: Leaving | None = None
    ) -> list[Reply]:
        cut = len(request.messages[-1]["content"]) % 3 == 0
        whole = await super().chat(request, model, n, first, name, leaving)
        return [Reply(reply.text, "length" if cut else "stop") for reply in whole]


def third(messages: Sequence[Message], sample: int = 0) -> str:
    """The `student`: four sections."""
    return sections.write(messages, 4, sample)


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[..., Session]]:
    """A session on the built-in topics; keywords are Delta's parameters, `players` change who answers."""
    opened: list[Journal] = []

    def make(
        name: str = "run", players: dict[str, ProgramEndpoint] | None = None, **params: object
    ) -> Session:
        flow = FlowFile.model_validate(
            {
                "flow": "delta",
                "models": {role: {"program": "x:y"} for role in ("student", "strong", "weak")},
                "data": {
                    "test": {"source": "topics", "split": "test", "size": 5},
                    "prompts": {"source": "topics", "size": PROMPTS},
                },
                "evaluate": {"verifier": "synth.verify.sections:count_sections"},
            }
        )
        folder = RunFolder(tmp_path / name)
        folder.open()
        journal = Journal(folder.journal)
        opened.append(journal)
        programs = {"student": third, "strong": sections.strong, "weak": sections.weak}
        endpoints = {role: ProgramEndpoint(program) for role, program in programs.items()} | (players or {})
        models = {role: Model(role, role, "w", role, end, journal) for role, end in endpoints.items()}
        chosen, path = Params.model_validate(params), tmp_path / "flow.yaml"
        return Session(flow, chosen, folder, journal, models, make_progress(quiet=True), path)

    yield make
    for journal in opened:
        journal.close()


def lengths(samples: list[Sample]) -> set[tuple[int, int]]:
    """Numbers of sections on both sides of all pairs."""
    found = set()
    for sample in samples:
        assert sample.chosen is not None and sample.rejected is not None
        found.add((len(headings(sample.chosen[0]["content"])), len(headings(sample.rejected[0]["content"]))))
    return found


def report(session: Session) -> dict[str, Any]:
    """The round's `delta.json`."""
    found: dict[str, Any] = json.loads((session.folder.round(1) / "delta.json").read_text())
    return found


async def test_pairs_are_by_identity_of_the_models(begin: Callable[..., Session]) -> None:
    """One pair a prompt: the strong role's answer over the weak one's, both scored, both calls traced."""
    session = begin()
    samples = list(await generate(session))
    assert len(samples) == PROMPTS
    assert lengths(samples) == {(3, 2)}
    assert {sample.meta["chosen"] for sample in samples} == {"strong"}
    assert [call.agent for call in samples[0].lineage.calls] == ["chosen", "rejected"]
    assert [verdict.value for verdict in samples[0].verdicts] == [3.0, 2.0]
    assert {call.sampling.temperature for sample in samples for call in sample.lineage.calls} == {0.0}
    assert {call.sampling.max_tokens for sample in samples for call in sample.lineage.calls} == {2048}


async def test_the_report_measures_both_sides(begin: Callable[..., Session]) -> None:
    """`delta.json`: the score gap is the method's delta; length tells what else differs."""
    session = begin(ladder=("student",))
    samples = list(await generate(session))
    found = report(session)
    assert (found["prompts"], found["taught"]) == (PROMPTS, len(samples))
    assert (found["score_gap"], found["better"], found["worse"]) == (1.0, 1.0, 0.0)
    assert found["chosen"]["role"] == "strong" and found["chosen"]["mean_score"] == 3.0
    assert 1.2 < found["length_ratio"] < 1.8
    assert found["ladder"] == [{**found["ladder"][0], "role": "student", "mean_score": 4.0}]


async def test_the_student_may_play_a_side(begin: Callable[..., Session]) -> None:
    """Self-improvement: its own answers over a weaker model's."""
    samples = list(await generate(begin(chosen="student")))
    assert lengths(samples) == {(4, 2)}


async def test_controls_change_only_what_they_control(begin: Callable[..., Session]) -> None:
    """Reversed swaps the sides; tied has two different answers of the same role; SFT has the chosen ones."""
    fixed = list(await generate(begin("fixed")))
    turned = list(await generate(session := begin("reversed", arm="control-reversed")))
    tied = list(await generate(begin("tied", arm="control-tied")))
    alone = list(await generate(begin("sft", arm="control-sft")))
    assert [(s.chosen, s.rejected) for s in turned] == [(s.rejected, s.chosen) for s in fixed]
    assert report(session)["score_gap"] == -1.0
    assert report(session)["chosen"]["role"] == "weak"
    assert lengths(tied) == {(3, 3)}
    assert all(sample.chosen != sample.rejected for sample in tied)
    first = [
        sections.strong(sample.prompt) == sample.chosen[0]["content"] for sample in tied if sample.chosen
    ]
    assert set(first) == {True, False}  # by lot, so that another seed draws another chance difference
    assert [s.completion for s in alone] == [s.chosen for s in fixed]


async def test_cut_off_answers_are_not_taught_as_finished(begin: Callable[..., Session]) -> None:
    """The published code ends a cut-off answer as if it were whole; in all other arms training is told
    which side has no end."""
    cutting = {"strong": Cutting(sections.strong)}
    faithful = list(await generate(session := begin("faithful", cutting, arm="faithful")))
    assert len(faithful) == PROMPTS
    share = report(session)["chosen"]["truncated"]
    assert 0 < share < 1
    assert not any("unfinished" in sample.meta for sample in faithful)
    for arm, side in (("fixed", "chosen"), ("control-reversed", "rejected"), ("control-sft", "completion")):
        samples = list(await generate(begin(arm, cutting, arm=arm)))
        marks = Counter(str(sample.meta.get("unfinished")) for sample in samples)
        assert marks[f"['{side}']"] == round(share * PROMPTS)
        assert len(samples) == PROMPTS == marks.total()


async def test_identical_answers_are_counted_and_only_the_faithful_arm_keeps_them(
    begin: Callable[..., Session],
) -> None:
    """Their share is in the report, whatever becomes of them; curation drops what `lint_drop` names."""
    session = begin(players={"weak": ProgramEndpoint(sections.strong)})
    assert len(list(await generate(session))) == PROMPTS
    assert report(session)["identical"] == 1.0
    assert Params().lint_drop == ("identical",)
    assert Params(arm="faithful").lint_drop == ()
    assert Params(arm="faithful", lint_drop=("refused",)).lint_drop == ("refused",)


async def test_an_empty_answer_teaches_nothing(begin: Callable[..., Session]) -> None:
    """The faithful arm keeps it, the others drop it, and a round without pairs says so."""
    silent = {"weak": ProgramEndpoint(lambda messages: " ")}
    assert len(list(await generate(begin("faithful", silent, arm="faithful")))) == PROMPTS
    session = begin("fixed", silent)
    with pytest.raises(DataError, match="none of 12 prompts gave a pair"):
        await generate(session)
    assert {rejection.reason for rejection in session.rejections()} == {"empty"}


async def test_length_matching_keeps_pairs_within_the_ratio(begin: Callable[..., Session]) -> None:
    """What is learnt then cannot be length alone; the rest is kept as rejections."""
    twin = {"weak": ProgramEndpoint(lambda messages: sections.strong(messages, 1))}
    session = begin("matched", twin, arm="control-length-matched", length_ratio=1.1)
    samples = list(await generate(session))
    assert 0 < len(samples) < PROMPTS
    for sample in samples:
        assert sample.chosen is not None and sample.rejected is not None
        sizes = sorted(len(side[0]["content"]) for side in (sample.chosen, sample.rejected))
        assert sizes[1] <= 1.1 * sizes[0]
    assert {rejection.reason for rejection in session.rejections()} == {"length"}


async def test_a_second_call_makes_the_same_samples_and_asks_nobody(begin: Callable[..., Session]) -> None:
    """`generate` after a crash: same records, lineage included, and no new call."""
    session = begin()
    first = list(await generate(session))
    session.folder.close()

    def forbidden(messages: Sequence[Message]) -> str:
        raise AssertionError("asked again")

    again = begin(players={role: ProgramEndpoint(forbidden) for role in ("strong", "weak")})
    assert list(await generate(again)) == first


def test_the_plan_counts_every_rung(begin: Callable[..., Session]) -> None:
    """Prompts times the roles that answer; training data at most both answers at their limit."""
    session = begin(ladder=("student",), max_tokens=100)
    survey = Survey(session.flow, session.params, {"prompts": session.questions("prompts")})
    plan = build().plan
    assert plan is not None
    (stage,) = plan(survey)
    assert [(agent.role, agent.calls) for agent in stage.agents] == [
        ("strong", PROMPTS),
        ("weak", PROMPTS),
        ("student", PROMPTS),
    ]
    assert PROMPTS * 200 < stage.makes < PROMPTS * 260


@pytest.mark.parametrize("profile", [None, "tiny", "gpu-80gb"])
def test_the_flow_file_is_fit_to_run(profile: str | None) -> None:
    """The default and every profile pass `synth check`."""
    assert load(FLOW, (), profile).flow.flow == "delta"


ARMS = (
    ["with.arm=faithful", "train.dpo.stop_when_both_fall=null", "train.overlong=cut"],
    ["with.arm=control-tied"],
    ["with.arm=control-reversed"],
    ["with.arm=control-length-matched"],
    ["with.arm=control-sft", "train.objective=sft"],
    ["with.arm=control-none"],
)


@pytest.mark.parametrize("overrides", ARMS)
def test_every_arm_is_one_override_away(overrides: list[str]) -> None:
    """The arms as the page of the flow names them."""
    load(FLOW, overrides, None)


@pytest.mark.parametrize(
    ("overrides", "key", "said"),
    [
        (["train.dpo.beta=0.1"], "train.dpo.beta", "averaged"),
        (["train.dpo.length_normalised=false"], "train.dpo.beta", "summed"),
        (["with.rejected=nobody"], "with.rejected", "no model plays the role 'nobody'"),
        (["with.ladder=[nobody]"], "with.ladder", "nobody"),
        (["with.rejected=strong"], "with.rejected", "both sides are the role 'strong'"),
        (["with.arm=control-sft"], "train.objective", "makes data for sft"),
        (["train.objective=sft"], "train.objective", "makes data for dpo"),
        (["with.arm=faithful", "train.overlong=cut"], "train.dpo.stop_when_both_fall", "does not stop"),
        (["with.arm=faithful", "train.dpo.stop_when_both_fall=null"], "train.overlong", "cuts answers"),
        (["warm_start.data=nowhere"], "warm_start", "no data.nowhere"),
        (["warm_start.program=synth.teachers.sections:nothing"], "warm_start.program", "has no 'nothing'"),
        (["warm_start.train.lora={r: 4}"], "warm_start.train", "lora: null"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(overrides: list[str], key: str, said: str) -> None:
    """Before a run, at their place: a beta of the other kind of loss would train without a word."""
    with pytest.raises(ConfigError) as caught:
        load(FLOW, overrides, None)
    (problem,) = caught.value.problems
    assert problem.key.startswith(key)
    assert said in f"{problem.message} {problem.cure}"
    assert problem.where and problem.cure


def test_averaged_and_summed_log_probabilities_share_no_default() -> None:
    """A beta of 0.1 hardly holds a student where log-probabilities are averaged, in whatever flow."""
    assert (Dpo().beta, Dpo(length_normalised=True).beta, Dpo(loss="sigmoid_norm").beta) == (0.1, 5.0, 5.0)
    assert Dpo(length_normalised=True, beta=0.1).beta == 0.1
    assert Dpo.model_validate(Dpo(length_normalised=True, beta=7).model_dump()).beta == 7


def test_an_unusual_beta_can_be_allowed() -> None:
    """The check protects from a slip, not from an experiment."""
    load(FLOW, ["train.dpo.beta=0.1", "with.unusual_beta=true"], None)


def test_the_flow_is_built_in() -> None:
    """`flow: delta` leads to it, with a graph to draw."""
    flow = load_flow_module("delta")
    assert set(flow.graphs()["pair"].get_graph().nodes) >= {"chosen", "rejected", "pair"}
