"""Benchmarks: ratios in one run, against a local scripted server. `python -m benchmarks`."""
