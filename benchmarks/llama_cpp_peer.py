"""llama.cpp with our weights in half precision, for the benchmark of decoding to compare with.

Needs the packages `llama-cpp-python` and `gguf`: `pip install -e ".[peers]"`, which compiles
llama.cpp for this machine.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from mgpt_tui.model.gpt import GPT

NAMES = {
    "attn_norm": "attention_norm",
    "attn_qkv": "attention.qkv",
    "attn_output": "attention.proj",
    "ffn_norm": "mlp_norm",
    "ffn_up": "mlp.fc",
    "ffn_down": "mlp.proj",
}
"""GGUF's names of a block's parts, and ours."""


def is_installed() -> bool:
    """Whether there is a llama.cpp to compare with."""
    return all(importlib.util.find_spec(name) for name in ("llama_cpp", "gguf"))


def write_gguf(model: GPT, path: Path) -> None:
    """Write the weights as llama.cpp wants a GPT-2: matrices in f16, the rest in f32.

    Biases that our models lack are written as zeros; there is no vocabulary but its size.
    """
    import gguf

    shape = model.config
    writer = gguf.GGUFWriter(path, "gpt2")
    writer.add_block_count(shape.n_layer)
    writer.add_context_length(shape.block_size)
    writer.add_embedding_length(shape.n_embd)
    writer.add_feed_forward_length(4 * shape.n_embd)
    writer.add_head_count(shape.n_head)
    writer.add_layer_norm_eps(model.final_norm.eps)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_tokenizer_model("no_vocab")
    writer.add_vocab_size(shape.vocab_size)

    def add(name: str, weight: Tensor, bias: Tensor | None = None, biased: bool = False) -> None:
        half = np.float16 if weight.dim() == 2 else np.float32
        writer.add_tensor(f"{name}.weight", weight.detach().float().numpy().astype(half))
        if biased:
            zeros = np.zeros(weight.shape[0], np.float32)
            numbers = zeros if bias is None else bias.detach().float().numpy()
            writer.add_tensor(f"{name}.bias", numbers)

    add("token_embd", model.token_embedding.weight)
    add("output", model.token_embedding.weight)
    position = model.position_embedding.weight.detach().float().numpy()
    writer.add_tensor("position_embd.weight", position)
    add("output_norm", model.final_norm.weight, model.final_norm.bias, biased=True)
    for number, block in enumerate(model.blocks):
        for theirs, ours in NAMES.items():
            part: Any = block.get_submodule(ours)
            add(f"blk.{number}.{theirs}", part.weight, part.bias, biased=True)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


class LlamaCpp:
    """A model in llama.cpp, called through its C interface with its own samplers.

    Args:
        path: a GGUF file.
        threads: to compute with.
        rows: how many texts side by side, of a context of 256 tokens each.
    """

    def __init__(self, path: Path, threads: int, rows: int, temperature: float, top_k: int) -> None:
        import llama_cpp as c

        self._c, self._rows = c, rows
        self._silence = c.llama_log_callback(lambda *_: None)
        c.llama_log_set(self._silence, None)
        c.llama_backend_init()
        model_options = c.llama_model_default_params()
        self._model = c.llama_model_load_from_file(str(path).encode(), model_options)
        options = c.llama_context_default_params()
        options.n_ctx = 256 * rows
        options.n_batch = options.n_ubatch = 512
        options.n_seq_max = rows
        options.n_threads = options.n_threads_batch = threads
        options.no_perf = True
        self._context = c.llama_init_from_model(self._model, options)
        assert self._context, "llama.cpp does not take the model"
        self._memory = c.llama_get_memory(self._context)
        self._batch = c.llama_batch_init(512, 0, 1)
        self._samplers = []
        for row in range(rows):
            chain = c.llama_sampler_chain_init(c.llama_sampler_chain_default_params())
            c.llama_sampler_chain_add(chain, c.llama_sampler_init_top_k(top_k))
            c.llama_sampler_chain_add(chain, c.llama_sampler_init_temp(temperature))
            c.llama_sampler_chain_add(chain, c.llama_sampler_init_dist(row + 1))
            self._samplers.append(chain)

    def _decode(self, entries: Iterable[tuple[int, int, int, bool]]) -> None:
        """Read tokens: (token, position, row, whether its scores are wanted)."""
        batch, number = self._batch, 0
        for token, position, row, wanted in entries:
            batch.token[number] = token
            batch.pos[number] = position
            batch.n_seq_id[number] = 1
            batch.seq_id[number][0] = row
            batch.logits[number] = wanted
            number += 1
        batch.n_tokens = number
        if self._c.llama_decode(self._context, batch) != 0:
            raise RuntimeError("llama.cpp could not decode")

    def _forget(self) -> None:
        self._c.llama_memory_clear(self._memory, True)

    def write(self, start: int, length: int) -> list[list[int]]:
        """So many tokens of every text, each after the token `start`."""
        self._forget()
        made: list[list[int]] = [[start] for _ in range(self._rows)]
        for position in range(length):
            self._decode((text[-1], position, row, True) for row, text in enumerate(made))
            for row, text in enumerate(made):
                text.append(self._c.llama_sampler_sample(self._samplers[row], self._context, row))
        return [text[1:] for text in made]

    def read(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        """Read a prompt in one pass: the scores (V,) of what follows it."""
        self._forget()
        last = len(tokens) - 1
        self._decode((token, at, 0, at == last) for at, token in enumerate(tokens))
        size = self._c.llama_vocab_n_tokens(self._c.llama_model_get_vocab(self._model))
        scores = self._c.llama_get_logits_ith(self._context, -1)
        return np.ctypeslib.as_array(scores, (size,)).copy()
