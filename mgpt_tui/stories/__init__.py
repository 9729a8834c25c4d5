"""Stories: what was written, by whom, and where it is kept."""
