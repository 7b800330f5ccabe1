"""Bugs that the simulator must catch, one patch each; `python -m tests.simulation.mutants`."""
