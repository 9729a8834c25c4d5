"""What a model is worth: loss on held-out text, samples, what it repeats and recites."""
