"""`python -m mgpt_tui` is `mgpt-tui`; `torchrun -m mgpt_tui train` relies on it."""

from mgpt_tui.cli import main

if __name__ == "__main__":
    main()
