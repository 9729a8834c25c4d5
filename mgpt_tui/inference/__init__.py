"""Decoding: an engine, and the process that it runs in."""
