"""The simulated model: scripted text, streamed by a timing profile."""
