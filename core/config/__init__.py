"""The flow file: its models, its reader, and its checks."""

from synth.config.check import check_files
from synth.config.flowfile import (
    Budget,
    CollapseRules,
    Curriculum,
    DataSource,
    Dpo,
    ErrorBudget,
    Evaluate,
    FlowFile,
    Gate,
    Guard,
    Lora,
    ModelSpec,
    OnError,
    Prices,
    Scratch,
    ServerOptions,
    Strict,
    TokenPrice,
    Train,
    WarmStart,
)
from synth.config.load import Loaded, load_flow, parse_flow
from synth.config.locate import locate
from synth.config.schema import flow_schema

__all__ = [
    "Budget",
    "CollapseRules",
    "Curriculum",
    "DataSource",
    "Dpo",
    "ErrorBudget",
    "Evaluate",
    "FlowFile",
    "Gate",
    "Guard",
    "Loaded",
    "Lora",
    "ModelSpec",
    "OnError",
    "Prices",
    "Scratch",
    "ServerOptions",
    "Strict",
    "TokenPrice",
    "Train",
    "WarmStart",
    "check_files",
    "flow_schema",
    "load_flow",
    "locate",
    "parse_flow",
]
