"""Shared state as turns and people have it: models to be read and edited, of open documents."""
