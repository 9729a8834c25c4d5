"""Training MrityunjayaGPT: text in, checkpoints out."""
