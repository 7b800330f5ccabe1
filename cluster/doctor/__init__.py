"""What is right and wrong with the machine that a cluster is to run on: `fleetmind doctor`.

Pure judgements of facts (`installed`, `machine`, `network`), a thin shell that gathers the facts
(`looking`, `looking_out`) or tries the thing itself (`services`), and `examination`, which runs
them all beside each other, each with a deadline.
"""
