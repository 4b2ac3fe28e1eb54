"""Agents: a prompt template, an output schema, sampling, and a parser. Prompts are files."""

from synth.agents.agent import Agent, ask
from synth.agents.prompt import Prompt, load_prompt

__all__ = ["Agent", "Prompt", "ask", "load_prompt"]
