"""The sandbox that programs of the Coder run in, and what it is made of."""
