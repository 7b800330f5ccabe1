"""Envelopes between hosts: post office, links, asks, and what is given up."""
