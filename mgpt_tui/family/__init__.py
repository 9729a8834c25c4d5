"""Models of the family, in and out: GPT-2, GPT-Neo, nanoGPT, the original scripts, GGUF."""
