"""An OpenAI-compatible endpoint as a model: its requests, its stream, and what goes wrong."""
