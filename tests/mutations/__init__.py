"""Mutated input through what reads it: seeded, bounded by its bytes, judged case by case.

`python -m tests.mutations WORK --count N --seed S` runs the cases S to S + N - 1 of a work;
`campaign` counts what they came to and what they left behind in memory, and each work is a module
whose function ``cases`` opens what takes a seed and returns an `Outcome`.
"""
