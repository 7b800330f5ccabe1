"""Programs that run a peer's own actors; `make bench-peers` installs what they import.

They run under interpreters of their own (`build/peers/<name>/bin/python -m benchmarks.peers...`)
and import nothing of this project but `benchmarks.peers.rounds`.
"""
