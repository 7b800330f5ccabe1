"""Programs: what a goal asks of one, which of several is that, and what its output says."""
