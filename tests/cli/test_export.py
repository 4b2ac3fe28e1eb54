"""`synth export` and `synth push`: every format holds what its trainers read, and nothing else is touched."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import fsspec
import orjson
import pytest
import yaml

import synth
from synth.engine.folder import RunFolder
from synth.export import Format, export
from synth.export.formats import row
from synth.measure.collapse import Collapse
from synth.records import Call, Lineage, Message, Rejection, Sample, Sampling
from tests.support.command import Run

ASKED: list[Message] = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "2 + 2?"}]
CALL = Call(key="0a" * 16, agent="solve", prompt_hash="p", model="m", weights="w1", sampling=Sampling())
FORMATS = ("parquet", "jsonl", "messages", "prompts", "alpaca", "sharegpt")


def example(number: int, **rest: Any) -> Sample:
    facts = {"seed_id": "s", "flow": "stat", "arm": "fixed", "round": 1, "family": "sums", **rest}
    return Sample.sft(ASKED, f"{number}", lineage=Lineage(calls=(CALL,)), meta={"answer": "4"}, **facts)


def pair(number: int) -> Sample:
    return Sample.pair(ASKED, f"{number}", "5", seed_id="s", flow="spar", arm="fixed", round=1)


def made(folder: Path, *rounds: Sequence[Sample]) -> Path:
    """A run that holds these samples, with one rejection a round."""
    RunFolder.write(folder / "flow.yaml", yaml.safe_dump({"flow": "stat", "seed": 3}).encode())
    refused = Rejection(seed_id="s", round=1, stage="1/make", node="solve", reason="disagreed")
    for number, samples in enumerate(rounds, 1):
        RunFolder.write_lines(folder / "rounds" / str(number) / "data" / "samples.jsonl", samples)
        RunFolder.write_lines(folder / "rounds" / str(number) / "data" / "rejected.jsonl", [refused])
    return folder


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    """Two rounds; the second made one sample of the first again."""
    one, two = example(4, licence="MIT"), example(3, licence="CC-BY-NC-4.0")
    return made(tmp_path / "run", [one], [one, two])


def rows(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def test_every_format_has_the_columns_its_trainer_reads(run: Run, examples: Path) -> None:
    for form in FORMATS[1:]:
        assert run("export", examples, "--format", form)[0] == 0
    place = examples / "export"
    answer = {"role": "assistant", "content": "4"}
    assert rows(place / "jsonl/train.jsonl")[0]["completion"] == [answer]
    assert rows(place / "messages/train.jsonl")[0]["messages"] == [*ASKED, answer]
    truth = rows(place / "prompts/train.jsonl")[0]
    assert (truth["prompt"], truth["ground_truth"]) == (ASKED, "4")
    alpaca = rows(place / "alpaca/train.jsonl")[0]
    assert alpaca == {
        "instruction": "2 + 2?",
        "input": "",
        "output": "4",
        "system": "Be brief.",
        "history": [],
    }
    shared = rows(place / "sharegpt/train.jsonl")[0]
    assert shared["conversations"] == [{"from": "human", "value": "2 + 2?"}, {"from": "gpt", "value": "4"}]
    info = json.loads((place / "sharegpt/dataset_info.json").read_bytes())
    assert info["run"]["columns"]["messages"] == "conversations"


def test_datasets_reads_an_export_and_a_run_is_one_call(run: Run, examples: Path, tmp_path: Path) -> None:
    """Parquet as the hub serves it, and `synth.dataset`, hold the same rows: each sample once."""
    import datasets

    assert run("export", examples, "--to", tmp_path / "out")[0] == 0
    loaded = datasets.load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    direct = synth.dataset(examples)
    assert loaded.to_list() == direct.to_list()
    assert [row["completion"][0]["content"] for row in direct] == ["4", "3"]
    assert synth.dataset(examples, round=1).num_rows == 1
    assert synth.dataset(examples, form="messages").column_names == ["messages", "id"]


def test_prompts_come_once_with_what_is_right(run: Run, tmp_path: Path) -> None:
    """For training by reward: an answer, or constraints; what has neither is told of."""
    truth = {"answer": "", "meta": {"constraints": [{"type": "length"}]}}
    asked = Sample.sft(
        [{"role": "user", "content": "Write."}], "So.", seed_id="s", flow="f", arm="a", round=1
    )
    unknown = Sample.sft(
        [{"role": "user", "content": "Why?"}], "So.", seed_id="s", flow="f", arm="a", round=1
    )
    samples = [example(4), example(3), asked.model_copy(update={"meta": {"truth": truth}}), unknown]
    place = made(tmp_path / "run", samples)
    code, out, _ = run("export", place, "--format", "prompts")
    assert (code, "1 of 3 prompts have no answer that is known" in out) == (0, True)
    found = [row["ground_truth"] for row in rows(place / "export/prompts/train.jsonl")]
    assert found == ["4", '[{"type":"length"}]', ""]
    assert synth.dataset(place, form="prompts").num_rows == 3


def test_exports_of_one_name_are_told_apart_by_what_is_in_them(run: Run, tmp_path: Path) -> None:
    """`datasets` keeps what it loaded by the folder's name and the card's head: another run's export, or a
    newer one of the same run, must not be taken for it."""
    import datasets

    def loaded(folder: Path, *more: str) -> list[str]:
        assert run("export", folder, *more)[0] == 0
        place, cache = folder / "export" / "parquet", tmp_path / "cache"
        found = datasets.load_dataset(str(place), split="train", cache_dir=str(cache))
        return [row["completion"][0]["content"] for row in found]

    one, other = made(tmp_path / "one", [example(4)], [example(5)]), made(tmp_path / "other", [example(6)])
    assert loaded(one, "--round", "1") == ["4"]
    assert loaded(other) == ["6"]
    assert loaded(one) == ["4", "5"]


def test_an_export_that_was_cut_off_is_made_whole(
    run: Run, examples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is there stays as it was until the new file is whole; the same command goes on."""
    assert run("export", examples)[0] == 0
    place = examples / "export/parquet"
    before = {path.name: path.read_bytes() for path in place.iterdir()}
    RunFolder.write_lines(examples / "rounds/3/data/samples.jsonl", [example(9)])
    with monkeypatch.context() as patch:
        patch.setattr("synth.export.write.BATCH", 1)
        patch.setattr("synth.export.write.row", cut_off_at("9"))
        with pytest.raises(KeyboardInterrupt):
            export(examples, place)
    assert {name: (place / name).read_bytes() for name in before} == before
    assert run("export", examples)[0] == 0
    assert {path.name for path in place.iterdir()} == before.keys()
    assert json.loads((place / "export.json").read_bytes())["rows"] == 3


def cut_off_at(answer: str) -> Any:
    """A row-maker that is interrupted there."""

    def row_of(sample: Sample, form: Format) -> dict[str, Any]:
        if sample.completion and sample.completion[0]["content"] == answer:
            raise KeyboardInterrupt
        return row(sample, form)

    return row_of


def test_pairs_keep_both_sides_in_every_format(run: Run, tmp_path: Path) -> None:
    pairs = made(tmp_path / "run", [pair(4)])
    for form in ("pairs", "alpaca", "sharegpt", "messages", "parquet"):
        assert run("export", pairs, "--format", form)[0] == 0
    place = pairs / "export"
    both = rows(place / "pairs/train.jsonl")[0]
    assert (both["prompt"], both["chosen"][0]["content"], both["rejected"][0]["content"]) == (ASKED, "4", "5")
    assert rows(place / "alpaca/train.jsonl")[0]["rejected"] == "5"
    assert rows(place / "sharegpt/train.jsonl")[0]["chosen"] == {"from": "gpt", "value": "4"}
    assert rows(place / "messages/train.jsonl")[0]["messages"][-1]["content"] == "4"
    assert json.loads((place / "alpaca/dataset_info.json").read_bytes())["run"]["ranking"] is True
    assert synth.dataset(pairs).column_names[:3] == ["prompt", "chosen", "rejected"]


def test_the_card_tells_who_made_what_and_under_which_terms(run: Run, examples: Path) -> None:
    """Flow file, models, counts, drops, licences and citation travel with the data."""
    flow = {"flow": "stat", "seed": 3, "curate": {"repetition": {}, "near": None}}
    RunFolder.write(examples / "flow.yaml", yaml.safe_dump(flow).encode())
    varied = Collapse(examples=7, distinct=0.5, vendi=3, spread=0.25, length=12, similar=0)
    RunFolder.write_json(examples / "rounds/2/collapse.json", varied)
    code, out, _ = run("export", examples)
    assert (code, "allow no commercial use" in out) == (0, True)
    card = (examples / "export/parquet/README.md").read_text()
    head = yaml.safe_load(card.split("---")[1])
    assert head["configs"][0]["data_files"] == "train.parquet"
    assert head["license"] == "other"
    for part in ("2 training examples", "rounds 1, 2", "| solve | `m@w1` |", "| make | disagreed | 2 |",
                 "| CC-BY-NC-4.0 | 1 |", "seed: 3", "arXiv", "no commercial use", "```mermaid\ngraph TD;",
                 "| 2 | 7 | 0.500 | 3.0 | 0.250 | 12.0 |", "Gopher"):  # fmt: skip
        assert part in card
    assert (examples / "export/parquet/flow.yaml").read_bytes() == (examples / "flow.yaml").read_bytes()


def test_an_export_replaces_only_an_export(run: Run, examples: Path, tmp_path: Path) -> None:
    """One in another format leaves no stale rows; a folder with other things is left alone."""
    place = tmp_path / "out"
    assert run("export", examples, "--to", place, "--format", "sharegpt")[0] == 0
    assert run("export", examples, "--to", place)[0] == 0
    names = {path.name for path in place.iterdir()}
    assert names == {"train.parquet", "README.md", "flow.yaml", "export.json"}
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "train.jsonl").write_text("mine")
    code, _, err = run("export", examples, "--to", tmp_path / "mine", "--format", "jsonl")
    assert (code, "--to" in err) == (5, True)
    assert (tmp_path / "mine" / "train.jsonl").read_text() == "mine"


def test_an_export_goes_to_any_store(run: Run, examples: Path, tmp_path: Path) -> None:
    """Its files are those of a folder, an earlier one is replaced, and other things are left alone."""
    system, place = fsspec.filesystem("memory"), f"/{tmp_path.name}"
    code, out, _ = run("export", examples, "--to", f"memory:/{place}/out", "--format", "sharegpt")
    assert (code, out.splitlines()[0]) == (0, f"memory:/{place}/out/train.jsonl: 2 rows")
    assert run("export", examples, "--to", f"memory:/{place}/out/")[0] == 0
    names = {path.rpartition("/")[2] for path in system.find(f"{place}/out")}
    assert names == {"train.parquet", "README.md", "flow.yaml", "export.json"}
    assert (
        system.cat(f"{place}/out/train.parquet") == (examples / "export/parquet/train.parquet").read_bytes()
    )
    system.pipe(f"{place}/mine/train.jsonl", b"mine")
    code, _, err = run("export", examples, "--to", f"memory:/{place}/mine", "--format", "jsonl")
    assert (code, "holds other things" in err) == (5, True)
    assert system.cat(f"{place}/mine/train.jsonl") == b"mine"
    system.rm(place, recursive=True)


def test_what_cannot_be_exported_is_said(run: Run, examples: Path, tmp_path: Path) -> None:
    assert "--round" in run("export", examples, "--round", "7")[2]
    assert "single answer" in run("export", examples, "--format", "pairs")[2]
    assert "--learner" in run("export", examples, "--learner", "refiner")[2]
    assert run("export", tmp_path / "none")[0] == 5
    mixed = made(tmp_path / "mixed", [example(4)], [pair(4)])
    code, _, err = run("export", mixed)
    assert (code, "mix pairs with single answers" in err) == (2, True)
    assert run("export", mixed, "--round", "2")[0] == 0


class Hub:
    """Stands for the hub's client: notes what is asked of it."""

    asked: list[tuple[str, dict[str, Any]]]

    def __init__(self) -> None:
        Hub.asked = []

    def create_repo(self, repo: str, **how: Any) -> None:
        Hub.asked.append((f"create {repo}", how))

    def upload_folder(self, **how: Any) -> str:
        names = sorted(path.name for path in Path(how["folder_path"]).iterdir())
        Hub.asked.append((f"upload {how['repo_id']}", {**how, "names": names}))
        return "the commit's address"


def test_push_sends_the_export(run: Run, examples: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Private unless asked otherwise; a dry run sends nothing; a bad name is refused first."""
    monkeypatch.setattr("huggingface_hub.HfApi", Hub)
    Hub.asked = []
    code, out, _ = run("push", examples, "hub:me/data", "--dry-run")
    assert (code, Hub.asked, "train.parquet" in out) == (0, [], True)
    code, out, _ = run("push", examples, "hub:me/data")
    assert (code, "the commit's address" in out) == (0, True)
    (create, how), (upload, sent) = Hub.asked
    assert (create, how["private"], how["repo_type"]) == ("create me/data", True, "dataset")
    assert upload == "upload me/data"
    assert sent["names"] == ["README.md", "export.json", "flow.yaml", "train.parquet"]
    code, _, err = run("push", examples, "me/data")
    assert (code, "hub:owner/name" in err) == (5, True)


def test_a_hub_that_refuses_is_one_clear_error(
    run: Run, examples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refusing(Hub):
        def create_repo(self, repo: str, **how: Any) -> None:
            raise OSError("401 no such user")

    monkeypatch.setattr("huggingface_hub.HfApi", Refusing)
    code, _, err = run("push", examples, "hub:me/data")
    assert (code, "401" in err, "HF_TOKEN" in err) == (3, True, True)
