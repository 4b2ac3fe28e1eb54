"""The theory example: experiment and closed form agree, and a weaker teacher still helps."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

SOURCE = Path(__file__).parents[2] / "examples" / "delta_theory" / "theory.py"
COSINES = (0.8, 0.6, 0.4)
"""Student, chosen, rejected: both teachers are weaker than the student."""


@pytest.fixture(scope="module")
def theory() -> ModuleType:
    """The example's module, loaded from its file."""
    spec = importlib.util.spec_from_file_location("delta_theory", SOURCE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_mean_step_is_the_closed_form(theory: ModuleType) -> None:
    """Direction and the factor sqrt(2/pi)/2, each coordinate within its own Monte-Carlo error."""
    world = theory.make_world(50, COSINES, shared=0.5, with_student=0.3, seed=0)
    mean, error = theory.empirical_step(world, 100_000, seed=1)
    deviations = (mean - theory.STEP * theory.direction(world)) / error
    assert np.sqrt(np.mean(deviations**2)) == pytest.approx(1.0, abs=0.35)
    assert np.abs(deviations).max() < 4.5
    assert theory.cosine(mean, theory.direction(world)) > 0.99


def test_worlds_have_the_cosines_asked_for(theory: ModuleType) -> None:
    """The premise of all other checks: cosines to the truth, and between the teachers' errors."""
    world = theory.make_world(50, COSINES, shared=0.9, with_student=0.5, seed=3)
    vectors = (world.student, world.chosen, world.rejected)
    assert [theory.cosine(v, world.truth) for v in vectors] == pytest.approx(COSINES)
    errors = [v - (v @ world.truth) * world.truth for v in (world.chosen, world.rejected)]
    assert theory.cosine(*errors) == pytest.approx(0.9)


@pytest.mark.parametrize("shared", [0.0, 0.9, 0.95])
def test_the_formula_is_the_best_combination(theory: ModuleType, shared: float) -> None:
    """The scalar formula and the projection on the plane of student and v come to the same."""
    world = theory.make_world(50, COSINES, shared, with_student=0.0, seed=2)
    reached = theory.best_cosine(world.student, theory.direction(world), world.truth)
    assert reached == pytest.approx(theory.best_delta(COSINES, shared))
    assert reached > COSINES[0]


def test_a_weaker_chosen_teacher_improves_the_student(theory: ModuleType) -> None:
    """Descent on finite samples: the pair rises above the student, its reverse and the chosen labels
    alone do not."""
    world = theory.make_world(200, COSINES, shared=0.95, with_student=0.9, seed=0)
    best = {arm: max(theory.descend(world, arm, 0.02, 300, seed=2)) for arm in ("delta", "reversed", "sft")}
    assert best["delta"] > 0.83
    assert best["reversed"] == pytest.approx(0.8, abs=0.005)
    assert best["sft"] == pytest.approx(0.8, abs=0.005)
