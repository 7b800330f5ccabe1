"""The driver: submits tasks and sees their events."""
