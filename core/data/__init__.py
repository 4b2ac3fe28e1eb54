"""Questions from task families, files, folders and the hub, and what keeps sets apart."""

from synth.data.overlap import normalise, overlap, question_texts, unique
from synth.data.source import read_questions

__all__ = ["normalise", "overlap", "question_texts", "read_questions", "unique"]
