"""An agent's host as a Ray actor: what it is built from, and who places it."""
