"""Measuring: statistics, the gate, its guards, the collapse watch, runs side by side."""
