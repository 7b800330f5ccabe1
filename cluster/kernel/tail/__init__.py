"""The slow calls among the many: how fast endpoints are, and what is done about slow ones."""
