"""The parts of `benchmarks/decode.py`; what they measure runs in processes of their own."""

TEMPERATURE, TOP_K = 0.8, 50
"""With which all sides sample."""

PROMPT = 200
TOGETHER = 8
VOCABULARIES = ("full", "trimmed")
