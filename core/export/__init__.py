"""A run's data for others: formats of trainers, a card, the hub, a `datasets.Dataset`."""

from synth.export.dataset import dataset
from synth.export.formats import FORMATS, Format
from synth.export.method import Method
from synth.export.write import Exported, export

__all__ = ["FORMATS", "Exported", "Format", "Method", "dataset", "export"]
