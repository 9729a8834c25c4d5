"""Writing together, without a screen: the session and its parts."""
