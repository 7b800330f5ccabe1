"""The journal of each task: its port, Redis, and its twin in memory."""
