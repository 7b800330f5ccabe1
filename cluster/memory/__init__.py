"""Memory near the agents: the central store and its twin, knowledge and its search."""
