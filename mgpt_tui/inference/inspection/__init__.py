"""What a record says: each view of the look a module, and nothing here needs torch.

All of it is computed from what a decoder recorded (`decoders/record.py`), in the letters of
`model/gpt.py`. Logarithms are natural; `BITS` turns nats into bits. Tokens of a text are counted
from 1, as `<|endoftext|>` in front of it is number 0.
"""

import math

BITS = 1 / math.log(2)
"""Bits in a nat."""
