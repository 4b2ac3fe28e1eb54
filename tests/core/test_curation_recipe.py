"""Tag, keep what is good, rebalance: what goes, what comes back, and whose word it takes."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from synth.config.curation import Curate
from synth.curation import Curated
from synth.records import Message, Sample, Verdict
from synth.rounds.tagging import follow_recipe
from tests.support.curating import curating, reasons, sample

ALLOWED = {"filters": True}


def tagger(messages: Sequence[Message]) -> str:
    """Reads the tags out of the request: `category/quality/language/safe`."""
    request = re.findall(r"<request>\n(.*)\n</request>", messages[-1]["content"])[0]
    if request == "mumble":
        return "Hm."
    category, quality, language, safe = request.split(" ", 1)[1].split("/")
    said = {"category": category, "input_quality": quality, "difficulty": "easy", "language": language}
    return json.dumps({**said, "safe": safe == "yes"})


def row(number: int, tags: str, reward: int = 5) -> Sample:
    score = Verdict(by="judge", name="quality", value=float(reward))
    coarse = Verdict(by="judge", name="difficulty", value="hard")
    return sample(f"{number} {tags}", f"answer {number}", verdicts=(score, coarse))


def followed(folder: Path, samples: list[Sample], judge: dict[str, Any] = ALLOWED, **recipe: Any) -> Curated:
    curated = Curated(samples=samples, judge=judge)
    rules = {"judge": {"gold": "g.jsonl"}, "recipe": recipe}
    with curating(folder, {"judge": tagger}, rules) as session:
        assert session.flow.curate.recipe is not None
        asyncio.run(follow_recipe(session, session.flow.curate.recipe, curated))
    return curated


def test_what_is_not_wanted_goes_with_its_reason(tmp_path: Path) -> None:
    """The gravest reason of several; what the tagger cannot say drops nothing."""
    samples = [
        row(1, "maths/good/en/yes"),
        row(2, "maths/average/en/yes"),
        row(3, "maths/good/en/yes", reward=3),
        row(4, "maths/good/de/yes"),
        row(5, "maths/poor/de/no", reward=1),
        sample("mumble", "answer"),
    ]
    curated = followed(tmp_path, samples, languages=["en"], rebalance=None)
    assert [one.id for one in curated.samples] == [samples[0].id, samples[5].id]
    assert reasons(curated) == ["low-input-quality", "low-reward", "language", "unsafe"]
    assert curated.steps["recipe"].figures()["dropped"] == dict.fromkeys(reasons(curated), 1)
    values = {verdict.name: verdict.value for verdict in curated.samples[0].verdicts}
    assert values == {
        **{"quality": 5.0, "category": "maths", "input_quality": "good", "difficulty": "easy"},
        **{"language": "en", "safe": True, "turns": "single"},
    }


def test_categories_that_lost_most_get_their_best_rows_back(tmp_path: Path) -> None:
    """Up to the share they had, from within the wider bounds; others keep what the bounds left."""
    kept = [row(n, "maths/good/en/yes") for n in range(8)]
    lost = [row(10 + n, "coding/average/en/yes", reward=4) for n in range(3)]
    best = [row(20, "coding/average/en/yes", reward=5)]
    hopeless = [row(30 + n, "coding/poor/en/yes") for n in range(4)]
    curated = followed(tmp_path, [*kept, *lost, *best, *hopeless])
    counts = Counter(v.value for one in curated.samples for v in one.verdicts if v.name == "category")
    assert counts == {"maths": 8, "coding": 4}  # half of all before, half of the 8 that the bounds left
    back = [one for one in curated.samples if any(v.name == "rebalanced" for v in one.verdicts)]
    assert {one.id for one in back} == {one.id for one in (*lost, *best)}
    few = followed(tmp_path / "few", [*kept[:3], *lost, *best], rebalance={"reward": 4})
    assert [
        one.prompt[0]["content"][:2] for one in few.samples if any(v.value == "coding" for v in one.verdicts)
    ] == ["20"]


def test_a_judge_that_may_not_filter_filters_nothing_here(tmp_path: Path) -> None:
    """The tags are there all the same, for balance and markers."""
    samples = [row(1, "maths/poor/en/no", reward=1)]
    curated = followed(tmp_path, samples, judge={"filters": False})
    assert (len(curated.samples), curated.rejections, curated.steps) == (1, [], {})
    assert {"category", "safe", "turns"} <= {verdict.name for verdict in curated.samples[0].verdicts}


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"recipe": {}}, "write judge: as well"),
        ({"balance": {"by": "category", "most": 3}}, "write recipe: as well"),
        ({"recipe": {"input_quality": "fine"}, "judge": {"gold": "g"}}, "very poor"),
    ],
)
def test_mistakes_are_told(rules: dict[str, Any], said: str) -> None:
    """With what is missing."""
    with pytest.raises(ValueError, match=said):
        Curate.model_validate(rules)
