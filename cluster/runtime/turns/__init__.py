"""What an agent is doing: its turns, and what their steps came to."""
