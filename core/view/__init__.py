"""A run looked at in a browser while it goes on: its report, every record, its ancestors, a search."""

from synth.view.app import serving
from synth.view.index import Index
from synth.view.view import View

__all__ = ["Index", "View", "serving"]
