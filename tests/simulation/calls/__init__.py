"""Calls of a hedged model whose replicas are slow, stall, fail and cut their answers off."""
