"""Lessons: cards on how the model works, each with numbers of the story that is open."""
