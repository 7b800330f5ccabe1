"""Runs turns on a host: links, exchange, directory, turns, task engine, driver."""
