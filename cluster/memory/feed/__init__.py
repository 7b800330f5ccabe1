"""The feed of each task: all of its events, thoughts too, for whoever watches it."""
