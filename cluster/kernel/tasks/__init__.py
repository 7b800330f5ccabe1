"""Decisions about tasks and turns: the fold of a task, its report, the order of turns."""
