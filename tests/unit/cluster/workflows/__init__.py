"""A declared workflow: its file, its text and when its steps run."""
