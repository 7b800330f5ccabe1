"""Tests of `cluster.serving`."""
