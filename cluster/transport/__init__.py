"""Streams of frames between hosts: gRPC, and its in-memory twin."""
