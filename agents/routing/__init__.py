"""Easy goals know their way: a local classifier, and what is computed without a model."""
