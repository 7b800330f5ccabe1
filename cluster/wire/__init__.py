"""Messages and frames to and from protobuf bytes, with limits."""
