"""Reading an answer out of a response, and deciding whether it is right."""

from synth.verify.extract import extract_answer
from synth.verify.judge import judge
from synth.verify.same import same_answer

__all__ = ["extract_answer", "judge", "same_answer"]
