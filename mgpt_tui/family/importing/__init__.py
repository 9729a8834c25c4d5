"""Models of other programs, taken in: what they are of, their shape, weights and tokenizer."""
