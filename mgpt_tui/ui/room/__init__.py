"""The writing room: the parts of the one main screen."""
