"""What a story has said so far, token by token, as far as it decides what may come next."""
