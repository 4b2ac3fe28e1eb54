"""The engine: graphs over streams of seeds, journaled, resumable, in bounded memory."""

from synth.engine.context import Context
from synth.engine.flow import Flow, FlowParams
from synth.engine.runner import Graph, Result, run_graph

__all__ = ["Context", "Flow", "FlowParams", "Graph", "Result", "run_graph"]
