"""Hosts that search and cache knowledge on virtual time, over a store that fails, forgets, returns.

Its `run` is what `python -m tests.simulation --work knowledge` runs seed by seed.
"""
