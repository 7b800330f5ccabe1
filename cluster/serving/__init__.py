"""HTTP ingress on Ray Serve: its place; nothing is here yet."""
