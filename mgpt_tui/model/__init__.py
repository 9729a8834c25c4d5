"""The model: its shape, its weights, its words."""
