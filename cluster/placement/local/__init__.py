"""The processes of a cluster on this machine, and what they tell each other."""
