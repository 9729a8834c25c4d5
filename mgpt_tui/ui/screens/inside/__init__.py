"""The look inside: a story to walk in, and beside it how a token was chosen, a module a view."""
