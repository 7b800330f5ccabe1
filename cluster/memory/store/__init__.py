"""The central store: its port, Redis, its twin in memory, and a redis-server of our own."""
