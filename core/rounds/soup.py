"""Students of several rounds made into one model: the uniform soup, the greedy one, layers restored."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from pydantic import Field

from synth.errors import RunError
from synth.students.job import TrainJob
from synth.students.launch import soup
from synth.students.souping import Part, Restore, SoupJob, SoupResult

__all__ = ["Kept", "greedy", "make_soup", "students_of"]

Score = Callable[[Path], Awaitable[float]]
"""How good a model's folder is on held-out items; more is better."""


class Kept(SoupResult):
    """A finished soup, and of a greedy one how it came about."""

    parts: tuple[str, ...] = ()
    """Titles of the students in it."""
    scores: dict[str, float] = Field(default_factory=dict)
    """Title -> how good that student is alone, then the soups that were tried, by their parts."""


def students_of(place: Path, rounds: Sequence[int] = ()) -> list[Part]:
    """The trained students of a run, or the model in a folder. Raises `RunError` where there are none."""
    if not (place / "rounds").is_dir():
        if (place / "config.json").is_file():
            return [Part(model=place, title=place.name)]
        raise RunError(f"{place} is neither a run nor a model's folder", "name a run that trained students")
    found = []
    for student in sorted(place.glob("rounds/*/student"), key=lambda path: int(path.parent.name)):
        number = int(student.parent.name)
        if rounds and number not in rounds:
            continue
        title = f"{place.name}, round {number}"
        if (student / "adapter_config.json").is_file():
            job = TrainJob.model_validate_json((student.parent / "train" / "job.json").read_bytes())
            found.append(Part(model=job.model, adapter=student, title=title))
        else:
            found.append(Part(model=student, title=title))
    if not found:
        wanted = f" of round {', '.join(map(str, rounds))}" if rounds else ""
        raise RunError(f"the run {place} has no student{wanted}", "name a run that trained one")
    return found


async def make_soup(parts: Sequence[Part], output: Path, restore: Restore | None = None) -> Kept:
    """The mean of the students in `output`, layers restored where that is asked."""
    work = output.with_name(f".{output.name}.work")
    made = await soup(SoupJob(parts=tuple(parts), output=output, work=work, restore=restore))
    shutil.rmtree(work, ignore_errors=True)
    return Kept(**made.model_dump(), parts=tuple(part.title for part in parts))


async def greedy(parts: Sequence[Part], output: Path, score: Score) -> Kept:
    """The greedy soup (arXiv 2203.05482): from the best student on, each next one stays if the mean
    with it is strictly better on the held-out items.

    They must not be the ones the result is reported on. Raises `TrainError` and what `score` raises.
    """
    trial = output.with_name(f".{output.name}.trial")
    scores: dict[str, float] = {}
    try:
        for part in parts:
            # An adapter is looked at folded in, as it goes into the soup.
            scores[part.title] = await _scored([part], trial, score)
        ranked = sorted(parts, key=lambda part: -scores[part.title])
        inside, best = [ranked[0]], scores[ranked[0].title]
        for part in ranked[1:]:
            value = await _scored([*inside, part], trial, score)
            scores[" + ".join(one.title for one in (*inside, part))] = value
            if value > best:
                inside, best = [*inside, part], value
        kept = await make_soup(_twice(inside), output)
    finally:
        shutil.rmtree(trial, ignore_errors=True)
    return kept.model_copy(update={"parts": tuple(part.title for part in inside), "scores": scores})


async def _scored(parts: Sequence[Part], trial: Path, score: Score) -> float:
    if len(parts) == 1 and parts[0].adapter is None:
        return await score(parts[0].model)
    await make_soup(_twice(parts), trial)
    return await score(trial)


def _twice(parts: Sequence[Part]) -> list[Part]:
    """One student alone is written as the mean of itself and itself, which is itself."""
    return [*parts, *parts] if len(parts) == 1 else list(parts)
