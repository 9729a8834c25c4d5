"""Views that change something, in the model or in the text, and show what comes of it."""
