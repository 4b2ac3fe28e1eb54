"""Constraints a program can check: the 25 types of IFEval (arXiv 2311.07911).

`check` holds a response against constraints, `describe` writes one as a sentence of a
prompt, `find_constraints` reads such sentences back.
"""

from synth.verify.constraints.check import Checked, check
from synth.verify.constraints.checkers import CHECKERS, group, meant
from synth.verify.constraints.constraint import Constraint, constraint
from synth.verify.constraints.describe import describe, find_constraints

__all__ = [
    "CHECKERS",
    "Checked",
    "Constraint",
    "check",
    "constraint",
    "describe",
    "find_constraints",
    "group",
    "meant",
]
