"""What a night is made of: its file, lock, limits, champion, pruning, summary and schedule."""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path

import pytest

from synth.config import Budget
from synth.data import read_questions
from synth.engine.folder import RunFolder
from synth.engine.lock import take_lock
from synth.errors import BudgetExceeded, ConfigError, RunError, SynthError
from synth.measure.guards import check_sizes
from synth.nightly import champion as champion_module
from synth.nightly import limits as limits_module
from synth.nightly import night as night_module
from synth.nightly.champion import Champion, crown, current, weights_of
from synth.nightly.file import Keep, Limits, read_night
from synth.nightly.flows import read_flow
from synth.nightly.keep import prune
from synth.nightly.limits import Spent, budget, disk_used, reached, within
from synth.nightly.reference import below_the_best, remember
from synth.nightly.state import Night, begin, nights
from synth.students.job import TrainJob, weights_digest
from tests.core.test_gate import judged
from tests.support.nights import load, night, place, skill


def spoil(folder: Path, text: str) -> Path:
    file = place(folder, [])
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("flows: [none.yaml]\n", "1:9: flows.0: there is no flow file none.yaml"),
        ("flows: [plain.yaml]\nlimits: {hous: 3}\n", "2:10: limits.hous: unknown key"),
        ("flows: [plain.yaml]\nlimits: {hours: -1}\n", "must be more than 0"),
        ("flows: []\n", "flows"),
        ("keep: {days: 1}\n", "flows"),
        ("flows: [plain.yaml]\nwebhook: ftp://x\n", "no web address"),
    ],
)
def test_a_faulty_night_file_is_told_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    """As of flow files: every fault with line, key and cure."""
    with pytest.raises(ConfigError, match="problem") as caught:
        read_night(spoil(tmp_path, text))
    assert told in str(caught.value)


def test_a_limit_in_money_needs_prices_and_the_champion_its_place(tmp_path: Path) -> None:
    """What only a night asks of a flow is asked before anything runs; later nights have their own seed."""
    file = spoil(tmp_path, "flows: [{flow: plain.yaml, set: [seed=5]}]\nlimits: {money: 1}\n")
    found = read_night(file)
    with pytest.raises(ConfigError, match="no price"):
        read_flow(found, file, found.flows[0], load)
    found = found.model_copy(update={"limits": Limits()})
    loaded = read_flow(found, file, found.flows[0], load, student=tmp_path / "a: b", later=3)
    assert (loaded.flow.seed, loaded.flow.models["student"].model) == (8, str(tmp_path / "a: b"))


def test_the_example_is_sound() -> None:
    """Its flow files load with its overrides, and its guard has the items that its margin needs."""
    file = Path(__file__).parents[2] / "flows/nightly.yaml"
    found = read_night(file)
    assert found.name == "nightly"
    for turn in found.flows:
        flow = read_flow(found, file, turn, load, student=file.parent, later=2).flow
        assert flow.gate.guards and flow.gate.on_reject == "halve_lr"
        sizes = {
            guard.data: len(list(read_questions(flow.data[guard.data], base=file.parent)))
            for guard in flow.gate.guards.values()
        }
        check_sizes(flow, sizes)


def test_one_night_at_a_time(tmp_path: Path) -> None:
    """A second process is told who has the nights, with the exit code for it."""
    file = place(tmp_path, ["test=.3"])
    (tmp_path / "nights").mkdir()
    take_lock(tmp_path / "nights/night.lock", "the folder")
    with pytest.raises(RunError, match="is being worked on by process") as caught:
        night(file)
    assert caught.value.exit_code == 5
    assert nights(tmp_path / "nights") == []


def test_limits_are_shared_by_the_nights_runs(tmp_path: Path) -> None:
    """A run gets the lesser of its own budget and what the others left; all limits are told in words."""
    limits = Limits(hours=2, tokens=1000, money=3, disk=0.000001)
    own = Budget(tokens=800, hours=5)
    left = budget(limits, Spent(3600, 400, 1.0), own)
    assert (left.hours, left.tokens, left.money) == (1, 600, 2)
    assert budget(Limits(), Spent(), own) == own
    assert "2 h 00 min of 2 hours" in reached(limits, Spent(7200), tmp_path)
    assert "1,000 of 1,000 tokens" in reached(limits, Spent(tokens=1000), tmp_path)
    assert reached(limits, Spent(), tmp_path) == ""
    (tmp_path / "a").write_bytes(b"x" * 9000)
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    assert 9000 <= disk_used(tmp_path) < 18000
    assert "GiB" in reached(limits, Spent(), tmp_path)


def test_a_night_without_time_ends_with_its_own_code(tmp_path: Path) -> None:
    """The first flow stops at a clean point, the second is not begun; the champion is what it was."""
    file = place(tmp_path, ["test=.3"])
    file.write_text("flows: [plain.yaml, plain.yaml]\nlimits: {hours: 1.0e-7}\n")
    summary = night(file)
    assert (summary.exit_code, [flow.state for flow in summary.flows]) == (4, ["budget", "budget"])
    assert "not begun" in summary.flows[1].reason
    assert summary.champion is None


@pytest.mark.parametrize("step", ["crown", "remember"])
def test_a_kill_while_promoting_is_made_good(
    tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before or after the pointer moved: the same night goes on, trains nothing anew, and promotes once."""
    file = place(tmp_path, ["test=.3"])

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(night_module, step, killed)
        with pytest.raises(KeyboardInterrupt):
            night(file)
    assert nights(tmp_path / "nights")[-1].flows[0].state == "ran"
    summary = night(file)
    assert (summary.exit_code, summary.flows[0].state) == (0, "promoted")
    assert summary.champion is not None and len(nights(tmp_path / "nights")) == 1
    assert skill(weights_of(tmp_path / "nights", summary.champion.name))["test"] == 0.5


def test_a_full_disk_while_promoting_ends_the_night_resumably(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a plain error and its code; once there is space the same night goes on and promotes."""
    file = place(tmp_path, ["test=.3"])

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(night_module, "crown", full)
        with pytest.raises(SynthError, match="No space left on device") as caught:
            night(file)
    assert caught.value.exit_code == 1
    assert night(file).exit_code == 0
    assert len(nights(tmp_path / "nights")) == 1


async def test_what_does_not_end_by_itself_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A grace after the hours are over: it is cancelled, its time is counted, and the limit is named."""
    monkeypatch.setattr(limits_module, "GRACE", 0.0)
    monkeypatch.setattr(limits_module, "LOOK", 0.01)
    ended, seconds = [], [3599.999]

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append(True)
            raise

    def worked(since: float) -> float:
        seconds.append(since)
        return sum(seconds)

    with pytest.raises(BudgetExceeded, match="1 hours are over"):
        await within(endless(), Limits(hours=1), tmp_path, worked)
    assert ended == [True] and sum(seconds) >= 3600


async def test_a_damaged_champion_is_refused(tmp_path: Path) -> None:
    """Weights that are not those that were crowned start no night."""
    champion = await champion_of(tmp_path, "0000-1")
    assert current(tmp_path) == champion.model_copy(
        update={"weights": weights_digest(weights_of(tmp_path, "0000-1")), "at": current(tmp_path).at}  # type: ignore[union-attr]
    )
    (weights_of(tmp_path, "0000-1") / "model.safetensors").write_text("other")
    with pytest.raises(SynthError, match="its weights have changed"):
        current(tmp_path)


async def test_an_adapter_is_merged_into_what_it_was_trained_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job names base, adapter and whole weights; the pointer has the digest of what came out."""
    one, asked = tmp_path / "n/runs/1-a/rounds/1", []
    (one / "student").mkdir(parents=True)
    (one / "student/adapter_config.json").write_text("{}")
    trained = TrainJob(
        model=tmp_path / "base", data=one / "data/train.parquet", output=one / "student", work=one / "train"
    )
    RunFolder.write_json(trained.file, trained)

    async def merge(job: TrainJob) -> None:
        asked.append(job)
        job.output.mkdir(parents=True)
        (job.output / "model.safetensors").write_text("merged")

    monkeypatch.setattr(champion_module, "merge", merge)
    champion = Champion(name="0000-1", night="n", flow="a", run="n/runs/1-a", round=1, parent=None)
    await crown(tmp_path, one.parents[1], champion)
    (job,) = asked
    assert (job.model, job.adapter, job.train.lora) == (tmp_path / "base", one / "student", None)
    assert job.data == trained.data
    found = current(tmp_path)
    assert found is not None and found.weights == weights_digest(weights_of(tmp_path, "0000-1"))
    assert {path.name for path in (tmp_path / "champion").iterdir()} == {"0000-1", "current.json"}


async def champion_of(home: Path, name: str) -> Champion:
    student = home / name / "runs/1-a/rounds/1/student"
    student.mkdir(parents=True)
    (student / "model.safetensors").write_text(name)
    champion = Champion(name=name, night=name, flow="a", run=f"{name}/runs/1-a", round=1, parent=None)
    await crown(home, home / champion.run, champion)
    return champion


async def test_pruning_keeps_what_the_policy_says(tmp_path: Path) -> None:
    """The last champions and young nights stay; an unfinished night's start stays; records always do."""
    for n in range(5):
        champion = await champion_of(tmp_path, f"000{n}-1")
        (tmp_path / champion.run / "rounds/1/gate.json").write_text("{}")
        Night(name=champion.night, number=n, started=n * 86_400.0, finished=1.0, flows=[]).write(tmp_path)
    (tmp_path / "champion/guards").mkdir()
    prune(tmp_path, Keep(champions=2, days=2), now=5 * 86_400.0)
    assert {path.name for path in (tmp_path / "champion").iterdir()} == {
        "0003-1", "0004-1", "guards", "current.json"
    }  # fmt: skip
    weights = tmp_path.glob("0*/runs/*/rounds/*/student/*.safetensors")
    assert {path.parts[-7] for path in weights} == {"0003-1", "0004-1"}
    assert len(list(tmp_path.glob("0*/runs/*/rounds/1/gate.json"))) == 5
    assert current(tmp_path) is not None


def test_ten_small_falls_do_not_add_up(tmp_path: Path) -> None:
    """Each within the margin of the one before; held against the best, they end at one margin."""
    flow = load(place(tmp_path, []).with_name("plain.yaml"), ["gate.guards.guard.margin=0.1"], None).flow
    right, let_through = 190, 0
    for n in range(10):
        run = tmp_path / f"run{n}"
        for when, correct in (("before", right), ("after", right - 6)):
            path = run / f"rounds/1/eval/guard-guard-{when}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            records = judged([True] * correct + [False] * (200 - correct))
            path.write_text("".join(f"{record.model_dump_json()}\n" for record in records))
        if not below_the_best(tmp_path, flow, run, 1):
            remember(tmp_path, flow, run, 1)
            right, let_through = right - 6, let_through + 1
    assert 1 <= let_through <= 3
    assert right >= 190 - 0.1 * 200


def test_a_second_night_of_a_day_and_another_list_of_flows(tmp_path: Path) -> None:
    """Names do not collide; a night left in the middle goes on only with the same flows."""
    first = begin(tmp_path, ["a"], now=0.0)
    assert begin(tmp_path, ["a"], now=9.0) == first
    other = begin(tmp_path, ["a", "b"], now=9.0)
    assert (first.name, other.name, other.number) == ("1970-01-01", "1970-01-01-2", 1)
