"""The logs of shared state in the central store: their port, Redis, and their twin in memory."""
