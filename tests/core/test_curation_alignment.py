"""Of several answers to a prompt those stay that are like what the student says itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from synth.curation import Curated
from synth.curation.alignment import alike_in_words
from synth.records import Call, Lineage, Message, Sample, Sampling
from synth.rounds.alignment import select_aligned
from tests.support.curating import curating, reasons, sample

LONG = "Let us think. {0} and {0} make two of {0}. So it is {0} twice."
SHORT = "Two {0}."


def by(model: str, prompt: str, answer: str) -> Sample:
    call = Call(key="k", agent="a", prompt_hash="", model=model, weights="w", sampling=Sampling())
    return sample(prompt, answer, lineage=Lineage(calls=(call,)))


def student(messages: Sequence[Message]) -> str:
    """Thinks aloud; loses its tongue at the word `lost`."""
    word = messages[-1]["content"]
    if word == "lost":
        raise RuntimeError("no answer")
    return LONG.format(word)


def letters(messages: Sequence[Message]) -> str:
    """Sees only whether a text thinks aloud."""
    return json.dumps([1.0, 0.0] if "think" in messages[-1]["content"] else [0.0, 1.0])


def selected(folder: Path, samples: list[Sample], **rule: Any) -> Curated:
    curated = Curated(samples=samples)
    programs = {"student": student, "embedder": letters}
    with curating(folder, programs, {"alignment": {"samples": 2, **rule}}) as session:
        assert session.flow.curate.alignment is not None
        asyncio.run(select_aligned(session, session.flow.curate.alignment, curated))
    return curated


@pytest.mark.parametrize("rule", [{}, {"embedding": {}}])
def test_the_best_answer_to_each_prompt_stays(rule: dict[str, Any], tmp_path: Path) -> None:
    """In words and in meaning; its alignment is noted, a prompt with one answer is not looked at."""
    short, long, only = sample("a", "Two a."), sample("a", LONG.format("a")), sample("b", "Two b.")
    curated = selected(tmp_path, [short, long, only], **rule)
    assert [one.id for one in curated.samples] == [long.id, only.id]
    assert {v.name: v.value for v in curated.samples[0].verdicts} == {"alignment": 1.0}
    assert curated.samples[1].verdicts == ()
    assert (
        reasons(curated) == ["less-aligned"]
        and "best answer to its prompt 1.000" in curated.rejections[0].detail
    )
    assert curated.steps["alignment"].figures()["dropped"] == {"less-aligned": 1}


def test_pairs_other_learners_and_lost_answers_are_left_alone(tmp_path: Path) -> None:
    """Nothing is dropped that was not compared."""
    prompt: list[Message] = [{"role": "user", "content": "a"}]
    facts: dict[str, Any] = {"seed_id": "s", "flow": "f", "arm": "fixed", "round": 1}
    samples = [
        Sample.pair(prompt, "one", "other", **facts),
        Sample.pair(prompt, "one", "third", **facts),
        sample("a", "Two a."),
        sample("a", LONG.format("a"), learner="refiner"),
        sample("lost", "Two."),
        sample("lost", "Three."),
    ]
    assert selected(tmp_path, samples).samples == samples


def test_the_best_way_of_answering_makes_the_set(tmp_path: Path) -> None:
    """Compared where all ways answered; what one way alone answered goes with it."""
    words = ("a", "b", "c", "d")
    thinking = [by("thinker", word, LONG.format(word)) for word in words]
    brief = [by("brief", word, SHORT.format(word)) for word in (*words, "e")]
    alone = [sample("f", "No model made this.")]
    curated = selected(tmp_path, [*brief, *thinking, *alone], select="method", prompts=3)
    assert [one.id for one in curated.samples] == [one.id for one in (*thinking, *alone)]
    assert reasons(curated) == ["other-method"] * 5
    assert curated.alignment["thinker"] == 1 and curated.alignment["brief"] < 0.5
    assert sum(bool(one.verdicts) for one in curated.samples) == 3  # no call for the others


def test_ways_that_share_no_prompt_are_not_compared(tmp_path: Path) -> None:
    """Their prompts may differ in how hard they are; nothing is dropped."""
    samples = [by("thinker", "a", LONG.format("a")), by("brief", "b", "Two b.")]
    curated = selected(tmp_path, samples, select="method")
    assert (curated.samples, curated.rejections, curated.alignment) == (samples, [], {})


def test_alike_in_words() -> None:
    """Words in their order: 2 of 3 and 3 in common are 4 of 6."""
    assert alike_in_words("a b c", "a x c") == pytest.approx(4 / 6)
    assert alike_in_words("a b", "a b") == 1 and alike_in_words("a", "b") == 0
