"""What each host keeps of the central store, near its agents and current."""
