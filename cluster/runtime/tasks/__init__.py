"""What a task is waiting for: its owner, its journal, its run."""
