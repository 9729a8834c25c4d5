"""Models of ours for other programs: a module for each format that they are written in."""
