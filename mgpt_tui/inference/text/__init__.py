"""From tokens to characters, and where a text ends."""
