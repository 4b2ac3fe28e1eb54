"""Raw documents as seeds: files of many kinds cut by their structure, near-duplicates left out."""

from synth.data.documents.passage import Passage, Tally
from synth.data.documents.read import passages
from synth.data.documents.source import DocumentSource

__all__ = ["DocumentSource", "Passage", "Tally", "passages"]
