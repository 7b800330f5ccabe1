"""Which documents each body of knowledge has, as an ordered log of what was put and removed."""
