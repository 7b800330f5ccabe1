"""Simulated hosts that share documents: what is edited, who does it, and what must hold."""
