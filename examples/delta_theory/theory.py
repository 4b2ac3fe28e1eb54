"""The logistic-regression theorem of Delta Learning (arXiv 2507.06187), checked by experiment.

A student, a chosen teacher and a rejected teacher are linear classifiers of points x ~ N(0, I); the truth is
one more. The student is trained to agree with the chosen teacher's label and to disagree with the
rejected one's. Run it: `python theory.py`.

For the logistic loss l the two terms combine: with labels y of -1 and 1,
l(y_c z) - l(y_r z) = -(y_c - y_r) z / 2. So the gradient does not depend on the student, and since
E[sign(u.x) x] = sqrt(2/pi) u/|u| for Gaussian x, the expected step is sqrt(2/pi)/2 times
v = theta_c/|theta_c| - theta_r/|theta_r|.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "World",
    "best_cosine",
    "best_delta",
    "cosine",
    "descend",
    "direction",
    "empirical_step",
    "make_world",
]

Vector = NDArray[np.float64]
STEP = math.sqrt(2 / math.pi) / 2
"""Length of the expected step for a `direction` of length 1."""
CHUNK = 10_000
"""Points drawn at once."""


@dataclass(frozen=True)
class World:
    """The truth and its classifiers; all vectors have length 1."""

    truth: Vector
    student: Vector
    chosen: Vector
    rejected: Vector
    twin: Vector
    """As good as the chosen teacher, with errors of its own beside the shared ones."""


def make_world(
    dimension: int, cosines: tuple[float, float, float], shared: float, with_student: float, seed: int
) -> World:
    """Classifiers with the given cosines to the truth: student, chosen, rejected.

    `shared` is the cosine between the two teachers' errors, `with_student` that between what they
    share and the student's error. All other errors are orthogonal, as random ones nearly are in
    high dimension.
    """
    rng = np.random.default_rng(seed)
    basis, _ = np.linalg.qr(rng.standard_normal((dimension, 6)))
    truth, own, common, *private = basis.T
    common = with_student * own + math.sqrt(1 - with_student**2) * common
    errors = [math.sqrt(shared) * common + math.sqrt(1 - shared) * part for part in private]
    heights = (*cosines, cosines[1])
    vectors = [a * truth + math.sqrt(1 - a * a) * e for a, e in zip(heights, [own, *errors], strict=True)]
    return World(truth, *vectors)


def direction(world: World) -> Vector:
    """v, the difference of the unit teachers: where the expected update points."""
    return _unit(world.chosen) - _unit(world.rejected)


def empirical_step(world: World, points: int, seed: int) -> tuple[Vector, Vector]:
    """Mean negative gradient of the delta loss over random points, and its standard error by coordinate."""
    rng = np.random.default_rng(seed)
    total, squares = np.zeros_like(world.truth), np.zeros_like(world.truth)
    for x in _points(rng, points, len(world.truth)):
        steps = _steps(x, world)
        total += steps.sum(axis=0)
        squares += (steps**2).sum(axis=0)
    mean = total / points
    return mean, np.sqrt((squares / points - mean**2) / points)


def best_delta(cosines: tuple[float, float, float], shared: float) -> float:
    """Largest cosine to the truth that steps along v reach, the student's error apart from the teachers'.

    Signal and noise add up like antennas: S^2 = (a_0/s_0)^2 + ((a_c - a_r)/n)^2 with s = sqrt(1 - a^2)
    and n^2 = s_c^2 + s_r^2 - 2 shared s_c s_r, and the cosine is S/sqrt(1 + S^2).
    """
    student, chosen, rejected = cosines
    noise = [math.sqrt(1 - a * a) for a in cosines]
    apart = noise[1] ** 2 + noise[2] ** 2 - 2 * shared * noise[1] * noise[2]
    strength = (student / noise[0]) ** 2 + (chosen - rejected) ** 2 / apart
    return math.sqrt(strength / (1 + strength))


def best_cosine(start: Vector, step: Vector, truth: Vector) -> float:
    """Largest cosine to the truth of start + t step over t >= 0, whatever the errors share.

    The best of all combinations of both is the truth's shadow on their plane; where that would
    need a negative part of one of them, the best is at an end.
    """
    ends = [cosine(start, truth), cosine(step, truth)]
    parts, *_ = np.linalg.lstsq(np.stack([start, step], axis=1), truth, rcond=None)
    inside = bool(parts[0] > 0 and parts[1] > 0)
    return cosine(parts[0] * start + parts[1] * step, truth) if inside else max(ends)


def descend(world: World, arm: str, rate: float, steps: int, seed: int, batch: int = 64) -> list[float]:
    """The student's cosine to the truth before and after each SGD step, each on fresh points.

    Arms: `delta`, `reversed`, `tied` (the chosen teacher over its twin) and `sft` (logistic regression
    on the chosen teacher's labels).
    """
    rng = np.random.default_rng(seed)
    pair = {
        "delta": world,
        "reversed": replace(world, chosen=world.rejected, rejected=world.chosen),
        "tied": replace(world, rejected=world.twin),
    }.get(arm)
    student = world.student.copy()
    seen = [cosine(student, world.truth)]
    for x in _points(rng, steps * batch, len(world.truth), batch):
        if pair is not None:
            student += rate * _steps(x, pair).mean(axis=0)
        else:
            labels = np.sign(x @ world.chosen)
            student += rate * ((labels / (1 + np.exp(labels * (x @ student))))[:, None] * x).mean(axis=0)
        seen.append(cosine(student, world.truth))
    return seen


def cosine(a: Vector, b: Vector) -> float:
    """Of the angle between two vectors."""
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def _unit(vector: Vector) -> Vector:
    return vector / np.linalg.norm(vector)


def _steps(x: Vector, world: World) -> Vector:
    """Negative gradients, one a point."""
    halves = (np.sign(x @ world.chosen) - np.sign(x @ world.rejected)) / 2
    return halves[:, None] * x


def _points(rng: np.random.Generator, points: int, dimension: int, chunk: int = CHUNK) -> Iterator[Vector]:
    for start in range(0, points, chunk):
        yield rng.standard_normal((min(chunk, points - start), dimension))


def _table() -> None:
    """Print every check, each number beside what the closed form says."""
    cosines = (0.8, 0.6, 0.4)
    world = make_world(200, cosines, shared=0.0, with_student=0.0, seed=0)
    mean, error = empirical_step(world, 400_000, seed=1)
    v = direction(world)
    z = (mean - STEP * v) / error
    print("The expected update, 200 dimensions, 400,000 points")
    print(f"  cosine of the mean step with v   {cosine(mean, v):.4f}   (1 expected)")
    print(f"  projection of the step on v      {mean @ v / (v @ v):.4f}   ({STEP:.4f} expected)")
    print(
        f"  deviations in standard errors    rms {np.sqrt(np.mean(z * z)):.2f}, largest {np.abs(z).max():.1f}"
    )
    print(f"\nBest cosine to the truth; student {cosines[0]}, chosen {cosines[1]}, rejected {cosines[2]}")
    print("  shared  with student   delta   formula   chosen's labels")
    for shared, with_student in ((0.0, 0.0), (0.9, 0.0), (0.95, 0.0), (0.95, 0.9), (0.99, 0.9)):
        world = make_world(2000, cosines, shared, with_student, seed=0)
        delta = best_cosine(world.student, direction(world), world.truth)
        alone = best_cosine(world.student, world.chosen, world.truth)
        formula = f"{best_delta(cosines, shared):.3f}" if not with_student else "    -"
        print(f"  {shared:6.2f}  {with_student:12.1f}   {delta:.3f}   {formula}     {alone:.3f}")
    print("\nSGD, 1,500 steps of 64 points, 200 dimensions: the cosine starts at 0.800")
    print("  shared  with student  arm        best    final")
    for shared, with_student in ((0.0, 0.0), (0.95, 0.9)):
        world = make_world(200, cosines, shared, with_student, seed=0)
        for arm in ("delta", "reversed", "tied", "sft"):
            seen = descend(world, arm, rate=0.02, steps=1500, seed=2)
            print(f"  {shared:6.2f}  {with_student:12.1f}  {arm:9} {max(seen):6.3f}   {seen[-1]:6.3f}")


if __name__ == "__main__":
    _table()
