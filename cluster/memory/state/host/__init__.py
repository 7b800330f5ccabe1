"""What a host has of shared state: its open documents, in step with their logs."""
