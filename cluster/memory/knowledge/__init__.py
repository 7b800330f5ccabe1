"""Knowledge from files: found, split, embedded, stored, searched."""
