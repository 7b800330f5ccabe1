"""What backs a sentence: whether a source says it, and how surely."""
