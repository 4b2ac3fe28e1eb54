"""A run folder read back: what it cost, what it made, and how each record came about."""
