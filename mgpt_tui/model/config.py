"""The shape of a GPT, without torch, so that reading a config costs nothing."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from mgpt_tui.errors import UserError
from mgpt_tui.settings_fields import setting, validate


@dataclass(frozen=True, slots=True, kw_only=True)
class GPTConfig:
    """Everything that decides the shape of the model (GPT-2's names where it has them).

    Raises:
        UserError: where a value is out of range, `n_embd` is no multiple of `n_head`, or
            `block_size` is odd (the window moves by halves).
    """

    vocab_size: int = setting(50257, "entries of the vocabulary", minimum=257, maximum=65536)
    block_size: int = setting(256, "longest context, in tokens", minimum=2, maximum=65536)
    n_layer: int = setting(6, "transformer blocks", minimum=1, maximum=1000)
    n_head: int = setting(6, "attention heads per block", minimum=1, maximum=1000)
    n_embd: int = setting(384, "width of the residual stream", minimum=1, maximum=65536)
    dropout: float = setting(
        0.2, "share of activations dropped in training", minimum=0, maximum=0.99
    )
    bias: bool = setting(False, "biases in linear layers and norms, as GPT-2's own weights have")

    def __post_init__(self) -> None:
        validate(self)
        if self.n_embd % self.n_head:
            raise UserError(
                f"n_embd {self.n_embd} is no multiple of n_head {self.n_head}.",
                "Choose --n-embd as a multiple of --n-head.",
            )
        if self.block_size % 2:
            raise UserError(f"block_size {self.block_size} is odd.", "Choose an even --block-size.")

    @property
    def head_size(self) -> int:
        """Width of one attention head."""
        return self.n_embd // self.n_head

    def block_parameters(self) -> int:
        """Parameters in the transformer blocks, the final norm included."""
        width, bias = self.n_embd, int(self.bias)
        norm = width * (1 + bias)
        attention = 4 * width * width + bias * 4 * width
        mlp = 8 * width * width + bias * 5 * width
        return self.n_layer * (2 * norm + attention + mlp) + norm

    def parameters(self) -> int:
        """All parameters; the head is tied to the token embedding and counted once."""
        return (self.vocab_size + self.block_size) * self.n_embd + self.block_parameters()

    def window_start(self, n_tokens: int) -> int:
        """Where the context begins once `n_tokens` have been read.

        Learned positions cannot slide, so the window moves by halves of the block size B, by a
        rule that depends on the number of tokens alone: 0 while n <= B, else
        ((n - B - 1) // (B/2) + 1) * B/2. The window then holds between B/2 + 1 and B tokens.
        """
        block, half = self.block_size, self.block_size // 2
        if n_tokens <= block:
            return 0
        return ((n_tokens - block - 1) // half + 1) * half

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)


SHAPES: dict[str, GPTConfig] = {
    "small": GPTConfig(),
    "storyteller": replace(GPTConfig(), vocab_size=10_000, dropout=0.1),
    "tiny": GPTConfig(vocab_size=2048, block_size=128, n_layer=2, n_head=2, n_embd=64, dropout=0.0),
}
"""Named shapes. In training, `vocab_size` comes from the prepared data's tokenizer."""
