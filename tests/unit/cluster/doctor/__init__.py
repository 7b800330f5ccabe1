"""Unit tests, file by file as the source."""
