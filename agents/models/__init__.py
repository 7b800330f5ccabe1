"""The models that agents think with: the port, its adapters, and where local models come from."""
