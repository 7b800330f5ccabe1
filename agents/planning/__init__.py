"""The plan of a task: read from a model's text, mended, or made by rule."""
