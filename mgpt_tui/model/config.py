"""The shape of a GPT, without torch, so that reading a config costs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from mgpt_tui.errors import UserError
from mgpt_tui.settings_fields import setting, validate


@dataclass(frozen=True, slots=True, kw_only=True)
class GPTConfig:
    """Everything that decides the shape of the model (GPT-2's names where it has them).

    What stands behind `bias` is what the models of the family differ in from one another; by
    itself each is as it is in the models trained here.

    Raises:
        UserError: where a value is out of range, `n_embd` is no multiple of `n_head`,
            `block_size` is odd (the window moves by halves), or `local_windows` are not one a
            layer, none longer than `block_size`.
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

    # The original scripts have biases in norms alone; GPT-Neo has them in all but queries, keys
    # and values. None is what `bias` says.
    norm_bias: bool | None = setting(None, "biases in norms")
    qkv_bias: bool | None = setting(None, "biases of queries, keys and values")
    proj_bias: bool | None = setting(None, "biases of the attention's output projection")
    mlp_bias: bool | None = setting(None, "biases in both layers of the MLP")
    # GPT-Neo has a setting for it, GPT-2's `n_inner` in Hugging Face's config is the same.
    mlp_width: int | None = setting(
        None, "neurons of an MLP; None: 4 n_embd", minimum=1, maximum=262144
    )
    # nanoGPT computes GELU itself, GPT-2 and GPT-Neo its approximation by tanh.
    exact_gelu: bool = setting(False, "GELU by the error function")
    # GPT-Neo does without the division by sqrt(D).
    scaled_scores: bool = setting(True, "attention scores divided by sqrt(D)")
    # In every other layer of GPT-Neo a token sees the 256 tokens up to itself, and no others.
    local_windows: tuple[int, ...] = setting(
        (), "of each layer, how many tokens one of them sees, itself included; 0: all before it"
    )
    # GPT-2's head is its token embedding; some models have learned another.
    tied_head: bool = setting(True, "the head shares its weights with the token embedding")
    # Hugging Face's config has it: `layer_norm_epsilon`.
    norm_epsilon: float = setting(1e-5, "added to the variance by norms", minimum=0, maximum=1)

    def __post_init__(self) -> None:
        validate(self)
        if self.local_windows and (
            len(self.local_windows) != self.n_layer
            or not all(0 <= window <= self.block_size for window in self.local_windows)
        ):
            raise UserError(
                f"local_windows {self.local_windows} are not one for each of {self.n_layer} layers,"
                f" from 0 to block_size {self.block_size}."
            )
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

    @property
    def neurons(self) -> int:
        """Width of an MLP."""
        return 4 * self.n_embd if self.mlp_width is None else self.mlp_width

    def has_bias(self, part: str) -> bool:
        """Whether there are biases in "norm", "qkv", "proj" or "mlp"."""
        own: bool | None = getattr(self, f"{part}_bias")
        return self.bias if own is None else own

    def local_window(self, layer: int) -> int:
        """How many tokens one of them sees in a layer, itself included; 0: all before it."""
        return self.local_windows[layer] if self.local_windows else 0

    def block_parameters(self) -> int:
        """Parameters in the transformer blocks, the final norm included."""
        width, neurons = self.n_embd, self.neurons
        norm = width * (1 + self.has_bias("norm"))
        attention = 4 * width * width
        attention += self.has_bias("qkv") * 3 * width + self.has_bias("proj") * width
        mlp = 2 * width * neurons + self.has_bias("mlp") * (neurons + width)
        return self.n_layer * (2 * norm + attention + mlp) + norm

    def parameters(self) -> int:
        """All parameters; a head that is tied to the token embedding is counted once."""
        rows = self.vocab_size * (1 if self.tied_head else 2) + self.block_size
        return rows * self.n_embd + self.block_parameters()

    def window_start(self, n_tokens: int, kept: int = 0) -> int:
        """Where the context begins once `n_tokens` have been read.

        Where the first `kept` of them stay in view, they take their room from the block, and the
        rule is about the others: how many of these are out of view.

        Learned positions cannot slide, so the window moves by halves of the block size B, by a
        rule that depends on the number of tokens alone: 0 while n <= B, else
        ((n - B - 1) // (B/2) + 1) * B/2. The window then holds between B/2 + 1 and B tokens.
        """
        block, half = self.block_size - kept, (self.block_size - kept) // 2
        if n_tokens - kept <= block:
            return 0
        return ((n_tokens - kept - block - 1) // half + 1) * half

    def seen(self, tokens: Sequence[int], kept: int = 0) -> list[int]:
        """What a model sees of tokens of which the first `kept` stay in view."""
        start = self.window_start(len(tokens), kept)
        return [*tokens[:kept], *tokens[kept + start :]]

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values; of what the family differs in, only what does differ.

        So what is trained here can be read by versions that knew nothing of the family.
        """
        family = self.family()
        usual = {entry.name: entry.default for entry in fields(self)}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
            if name not in family or value != usual[name]
        }

    def family(self) -> dict[str, Any]:
        """The fields that models of the family differ in, which no setting of training chooses."""
        names = [entry.name for entry in fields(self)]
        return {name: getattr(self, name) for name in names[names.index("bias") + 1 :]}


SHAPES: dict[str, GPTConfig] = {
    "small": GPTConfig(),
    "storyteller": replace(GPTConfig(), vocab_size=10_000, dropout=0.1),
    "tiny": GPTConfig(vocab_size=2048, block_size=128, n_layer=2, n_head=2, n_embd=64, dropout=0.0),
}
"""Named shapes. In training, `vocab_size` comes from the prepared data's tokenizer."""
