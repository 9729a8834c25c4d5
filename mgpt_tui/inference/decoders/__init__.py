"""Tokens in, logits out: the same forward pass by torch, from packed weights, and in C."""
