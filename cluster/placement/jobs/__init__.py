"""A goal as a job of a Ray cluster."""
