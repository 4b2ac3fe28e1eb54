"""Rounds: how one goes, and the loop that goes round."""
