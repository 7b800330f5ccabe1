"""What agents use besides a model: the ports of their tools, and the sandbox for programs."""
