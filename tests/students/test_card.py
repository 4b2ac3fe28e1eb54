"""The model card: complete when the weights appear, and told the evaluation later."""

from __future__ import annotations

from pathlib import Path

from synth.config.flowfile import Gate, Lora
from synth.measure.gate import decide
from synth.measure.guards import guarded
from synth.records import Judged
from synth.students.card import add_evaluation, write_card, write_merged_card
from synth.students.job import TrainResult, digest, weights_digest


def card_of(job, folder: Path) -> str:
    result = TrainResult(
        job="j", output=job.output, weights="ab" * 32, steps=7, examples=90, left_out=3, tokens=4321,
        seconds=12.34, loss=0.5,
    )  # fmt: skip
    folder.mkdir(parents=True)
    write_card(folder, job, result)
    return (folder / "README.md").read_text()


def test_card_names_model_data_recipe_and_digests(make_job, data: Path) -> None:
    """Whoever finds the folder can tell what it was made from and check it."""
    parent = make_job("round1").output
    job = make_job("round2", adapter=parent, train={"lora": Lora(r=4, layers=2)}, name="smollm2-135m")
    card = card_of(job, job.output)
    for fact in ("smollm2-135m", "../../round1/student", digest([data]), "ab" * 32, "3 longer than 1024"):
        assert fact in card
    assert "| weights | LoRA r 4, alpha 32, top 2 layers |" in card
    assert "| learning_rate | 0.002 |" in card
    assert card.startswith("---\nlibrary_name: peft\n")


def test_whole_weights_name_the_student_they_began_with(make_job, tmp_path: Path) -> None:
    """Not the base model alone: a second round of whole weights goes on from the first one's student. A base
    model that lies elsewhere is named by its title."""
    first = make_job("round1").output
    first.mkdir(parents=True)
    (first / "model.safetensors").write_bytes(b"w")
    job = make_job("round2", model=first, train={"lora": None}, name="smollm2-135m")
    assert f"- Parent: ../../round1/student, SHA-256 {weights_digest(first)}\n" in card_of(job, job.output)
    far = make_job("round3", model=Path("/models/elsewhere/base"), train={"lora": None})
    assert "Parent" not in card_of(far, far.output)


def test_a_merged_adapter_keeps_what_its_card_told(make_job, tmp_path: Path) -> None:
    """Data and evaluation stay; that the weights are whole now is said first."""
    adapted = make_job("round1", train={"lora": Lora(r=4)}, name="smollm2-135m")
    before = card_of(adapted, adapted.output)
    job = make_job("merged", adapter=adapted.output, train={"lora": None}, name="smollm2-135m")
    (tmp_path / "out").mkdir()
    write_merged_card(tmp_path / "out", job, "cd" * 32)
    card = (tmp_path / "out" / "README.md").read_text()
    assert "library_name: transformers" in card and "its adapter folded in" in card and "cd" * 32 in card
    assert card.endswith(before.partition("## Data")[2])


def judged(right: list[bool]) -> list[Judged]:
    return [
        Judged(
            id=str(i),
            family="sums",
            question="q",
            answer="a",
            response="r",
            extracted="r",
            correct=r,
            strict=r,
        )
        for i, r in enumerate(right)
    ]


def test_evaluation_replaces_an_earlier_one(make_job) -> None:
    """Evaluating twice leaves one evaluation, and the rest of the card as it was."""
    job = make_job()
    before = card_of(job, job.output)
    for after in ([True] * 10, [True] * 4 + [False] * 6):
        guards = {"basics": judged([True] * 60)}
        gate = Gate.model_validate({"guards": {"basics": {"data": "guard", "margin": 0.05}}})
        decision = guarded(decide(judged([False] * 10), judged(after), gate), guards, guards, gate)
        add_evaluation(job.output, decision.model_dump(mode="json"))
    card = (job.output / "README.md").read_text()
    assert card.startswith(before.rstrip())
    assert card.count("## Evaluation") == 1
    assert decision.reason in card
    assert "| accuracy | 10 | 0.0 % | 40.0 % | 4 | 0 | 0.1250 |" in card
    assert "| sums (accuracy) | 10 |" in card
    assert "| guard basics (accuracy), holds | 60 | 100.0 % | 100.0 % | 0 | 0 | 0.0378 |" in card
