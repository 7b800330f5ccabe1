"""A local model: where its weights are found, and the process that serves it."""
