"""The HTTP ingress on Ray Serve: one replica, all of them, and the process that keeps them."""
