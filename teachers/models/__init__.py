"""Models by name: aliases, hub ids and folders, downloaded and converted where needed."""

from synth.teachers.models.folder import weights_version
from synth.teachers.models.listing import ModelInfo, list_models
from synth.teachers.models.progress import Progress, bar
from synth.teachers.models.resolve import resolvable, resolve

__all__ = ["ModelInfo", "Progress", "bar", "list_models", "resolvable", "resolve", "weights_version"]
