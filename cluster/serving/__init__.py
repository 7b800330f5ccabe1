"""The HTTP ingress: an ASGI application, which knows nothing of Ray."""
