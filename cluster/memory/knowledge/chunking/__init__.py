"""Splits a file into passages along its structure, a module for each format."""
