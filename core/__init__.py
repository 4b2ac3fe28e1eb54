"""synth: agent flows make training data, a student learns from it and stays only if it got better."""

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from synth.export import dataset

try:
    __version__ = version("synth")
except PackageNotFoundError:  # a checkout that was never installed
    __version__ = "0.0.0"

__all__ = ["__version__", "dataset"]


def __getattr__(name: str) -> Any:
    """What is imported only when it is used."""
    if name == "dataset":
        from synth.export import dataset

        return dataset
    raise AttributeError(f"module 'synth' has no attribute {name!r}")
