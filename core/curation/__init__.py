"""Curation: between what a flow made and what a student learns from."""

from synth.curation.curate import Curated, curate
from synth.curation.dataset import write_dataset
from synth.curation.tokens import token_counter

__all__ = ["Curated", "curate", "token_counter", "write_dataset"]
