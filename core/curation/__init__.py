"""Curation: between what a flow made and what a student learns from."""

from synth.curation.curate import Curated, curate, settle, sift, steps_of
from synth.curation.dataset import rows_file, write_dataset
from synth.curation.tokens import token_counter

__all__ = [
    "Curated",
    "curate",
    "rows_file",
    "settle",
    "sift",
    "steps_of",
    "token_counter",
    "write_dataset",
]
