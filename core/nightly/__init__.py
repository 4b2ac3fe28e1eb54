"""One self-play night: flows in turn on one student, each from the last champion, within hard limits."""

from synth.nightly.file import NightFile, read_night
from synth.nightly.flows import Load, read_flow
from synth.nightly.night import run_night
from synth.nightly.summary import Summary

__all__ = ["Load", "NightFile", "Summary", "read_flow", "read_night", "run_night"]
