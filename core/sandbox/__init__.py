"""Running generated Python where it can do no harm: see docs/sandbox.md for what that means."""

from synth.sandbox.limits import Limits
from synth.sandbox.run import Outcome, run_python, run_python_async

__all__ = ["Limits", "Outcome", "run_python", "run_python_async"]
