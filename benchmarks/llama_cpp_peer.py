"""llama.cpp with our weights, for the benchmark of decoding to compare with.

    python benchmarks/llama_cpp_peer.py FILE.gguf

prints the number of the token that it begins a story with, which takes what a cold start takes.

Needs the packages `llama-cpp-python` and `gguf`: `pip install -e ".[peers]"`, which compiles
llama.cpp for this machine.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from decode_parts import TEMPERATURE, TOP_K
from numpy.typing import NDArray

if TYPE_CHECKING:
    from mgpt_tui.model.contents import Contents

FORMS = ("f16", "q8_0", "q4_0")
"""What matrices are kept in: 2 bytes a weight, or blocks of 32 weights with a scale in f16."""

BLOCK = 32


def is_installed() -> bool:
    """Whether there is a llama.cpp to compare with."""
    return all(importlib.util.find_spec(name) for name in ("llama_cpp", "gguf"))


def form_of(name: str, shape: Sequence[int], form: str) -> str:
    """What a tensor is kept in, in a file of that form.

    Vectors stay f32, and positions, which are only ever added; rows that are not made of whole
    blocks stay f16.

    Args:
        name: GGUF's.
        shape: (out, in) of a matrix, (n) of a vector.
    """
    if len(shape) == 1 or name == "position_embd.weight":
        return "f32"
    return form if shape[-1] % BLOCK == 0 else "f16"


def gguf_file(vocabulary: str, form: str) -> Path:
    """The weights of a vocabulary in a form, in our cache folder; written at the first time."""
    from mgpt_tui import paths

    path = paths.cache_dir() / f"{vocabulary}-{form}.gguf"
    if not path.exists():
        from decode_parts.material import checkpoint_of

        write_gguf(checkpoint_of(vocabulary), path, form)
    return path


def tensors(checkpoint: Contents) -> dict[str, NDArray[np.float32]]:
    """All that llama.cpp wants of a GPT-2, by GGUF's names.

    Biases that our models lack are zeros; a tied head is the token embedding once more.
    """
    from mgpt_tui.family.exporting.holding import with_biases
    from mgpt_tui.family.names import GGUF

    made = dict(GGUF.given(with_biases(checkpoint.info.config), checkpoint.weights))
    return {"output.weight": made["token_embd.weight"]} | made


def write_gguf(checkpoint: Contents, path: Path, form: str) -> None:
    """Write the weights as a file for llama.cpp, in one of `FORMS`; of the vocabulary, its size."""
    import gguf

    shape = checkpoint.info.config
    writer = gguf.GGUFWriter(path, "gpt2")
    writer.add_block_count(shape.n_layer)
    writer.add_context_length(shape.block_size)
    writer.add_embedding_length(shape.n_embd)
    writer.add_feed_forward_length(shape.neurons)
    writer.add_head_count(shape.n_head)
    writer.add_layer_norm_eps(shape.norm_epsilon)
    writer.add_file_type(gguf.LlamaFileType[f"MOSTLY_{form.upper()}"])
    writer.add_tokenizer_model("no_vocab")
    writer.add_vocab_size(shape.vocab_size)
    for name, array in tensors(checkpoint).items():
        kind = gguf.GGMLQuantizationType[form_of(name, array.shape, form).upper()]
        writer.add_tensor(name, gguf.quantize(array, kind), raw_dtype=kind)
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

    Attributes:
        tokens: size of the vocabulary.
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
        self.tokens: int = c.llama_vocab_n_tokens(c.llama_model_get_vocab(self._model))
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
        scores = self._c.llama_get_logits_ith(self._context, -1)
        return np.ctypeslib.as_array(scores, (self.tokens,)).copy()


def main() -> None:
    from mgpt_tui.cores import cores

    model = LlamaCpp(Path(sys.argv[1]), cores(), 1, TEMPERATURE, TOP_K)
    print(*model.write(model.tokens - 1, 1)[0], flush=True)  # <|endoftext|> is the last


if __name__ == "__main__":
    main()
