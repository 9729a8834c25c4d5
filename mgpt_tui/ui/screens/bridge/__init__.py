"""Bridges: where in the story, and which of those that the model finds."""
