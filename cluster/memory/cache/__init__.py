"""Knowledge near the agent: what a host keeps of the central store's namespaces, and searches."""
