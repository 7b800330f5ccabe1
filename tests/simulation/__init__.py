"""Whole clusters on virtual time in one process, with seeded faults, judged by oracles.

`python -m tests.simulation` runs seeds; `world` builds a cluster of the real runtime and agents
over simulated clocks, network, store and models; `oracles` says what must hold after each run.
"""
