"""mgpt-tui: write tiny stories together with a small GPT on your own machine."""

__version__ = "0.1.0"
