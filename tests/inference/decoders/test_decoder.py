"""The packed model against the readable one."""

import ctypes
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch

from mgpt_tui.inference.decoders import compiling, precisions, structs
from mgpt_tui.inference.decoders.in_torch.matrices import FORMATS, WIDE
from mgpt_tui.inference.decoders.in_torch.plain import PlainDecoder
from mgpt_tui.inference.engine import Engine
from mgpt_tui.inference.reader import Reader
from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.model.checkpoint import weights_of
from mgpt_tui.model.config import SHAPES, GPTConfig
from mgpt_tui.model.gpt import GPT
from mgpt_tui.model.tokenizer import Tokenizer

TOLERANCES = {"fp32": 1e-4, "bf16": 0.1, "int8": 0.15, "native": 0.3}
"""Logits here reach about 10; what precision costs real text is in docs/performance.md."""

compiled = pytest.param(
    "native",
    marks=pytest.mark.skipif(not compiling.is_available(), reason="there is no C compiler"),
)
in_every_precision = pytest.mark.parametrize("precision", [*FORMATS, compiled])
in_8_bits = pytest.mark.parametrize("precision", ["int8", compiled])


def decoder_in(precision, model):
    return precisions.decoder_in(precision, model.config, weights_of(model))


def random_tokens(*shape, vocab_size=300, seed=3):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(vocab_size, shape, generator=generator).numpy()


def split(tokens, pieces):
    return np.split(tokens, np.cumsum(pieces)[:-1], axis=1)


@pytest.fixture(params=[False, True], ids=["plain", "bias"])
def model(request):
    """A random model far from uniform, with a context of 32."""
    config = replace(
        SHAPES["tiny"], vocab_size=300, block_size=32, n_layer=3, n_embd=32, bias=request.param
    )
    model = GPT(config, torch.Generator().manual_seed(1))
    generator = torch.Generator().manual_seed(2)
    for name, weight in model.named_parameters():
        if name.endswith("bias"):
            weight.data.normal_(0, 0.1, generator=generator)
        elif weight.dim() == 2:
            weight.data *= 4
    return model.eval()


@in_every_precision
@pytest.mark.parametrize("pieces", [[1] * 32, [20, 1, 1, 5, 5], [32]])
def test_packed_equals_plain(model, precision, pieces):
    tokens = random_tokens(2, 32)
    plain, packed = PlainDecoder(model), decoder_in(precision, model)
    caches = plain.new_cache(2), packed.new_cache(2)
    for piece in split(tokens, pieces):
        expected, found = plain.read(piece, caches[0]), packed.read(piece, caches[1])
        assert found.shape == (2, 300) and found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=TOLERANCES[precision], rtol=0)
    assert caches[1].length == 32


@pytest.mark.parametrize("width", [24, 32, 50, 64, 100])
@pytest.mark.parametrize("rows", [1, 3, 4, 9])
@pytest.mark.parametrize("outputs", [70, WIDE])
@pytest.mark.parametrize("precision", FORMATS)
def test_products_are_those_of_the_weights(rows, precision, width, outputs):
    generator = torch.Generator().manual_seed(4)
    weight = torch.randn(outputs, width, generator=generator)
    weight *= torch.rand(outputs, 1, generator=generator)
    # What lies behind the last row in memory is none of the product's business.
    behind = torch.full((rows + 8, width), torch.nan, dtype=torch.bfloat16)
    x = behind[:rows].copy_(torch.randn(rows, width, generator=generator))
    scale = weight.norm(dim=1) * x.float().norm(dim=1, keepdim=True)
    error = (FORMATS[precision](weight)(x).float() - x.float() @ weight.T).abs()
    assert (error / scale).max() < {"fp32": 1e-6, "bf16": 4e-3, "int8": 1.2e-2}[precision]


@pytest.mark.parametrize("rows", [1, 2, 5, 30])
@pytest.mark.parametrize("outputs", [70, WIDE])
def test_a_row_of_an_8_bit_product_does_not_depend_on_the_others(rows, outputs):
    x = torch.randn(40, 64, generator=torch.Generator().manual_seed(6)).bfloat16()
    weight = torch.randn(outputs, 64, generator=torch.Generator().manual_seed(7))
    product = FORMATS["int8"](weight)
    assert torch.equal(product(x[:rows].contiguous()), product(x)[:rows])


@in_8_bits
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("width", "heads"), [(20, 2), (64, 1), (130, 5)])
def test_in_8_bits_nothing_depends_on_what_is_read_together(precision, width, heads, bias):
    """Sequences side by side, tokens at once and threads change no bit of scores and cache."""
    config = GPTConfig(
        n_layer=3, n_head=heads, n_embd=width, block_size=64, vocab_size=301, bias=bias
    )
    model = GPT(config, torch.Generator().manual_seed(8)).eval()
    for weight in model.parameters():
        weight.data *= 3
    decoder = decoder_in(precision, model)
    tokens = random_tokens(20, 60, vocab_size=301, seed=9)
    alone = [decoder.new_cache(1) for _ in tokens]
    scores = [
        [decoder.read(token.reshape(1, 1), cache) for token in row][-1]
        for row, cache in zip(tokens, alone, strict=True)
    ]
    for rows, pieces, threads in [
        (1, [60], 2), (1, [7, 53], 2), (1, [16, 4, 20, 20], 1), (2, [*[1] * 9, 51], 2),
        (3, [31, 29], 1), (4, [60], 1), (5, [12, 1, 47], 2), (8, [1] * 60, 1),
        (17, [30, 30], 2), (20, [1] * 60, 1),
    ]:  # fmt: skip
        decoder.threads = threads
        cache = decoder.new_cache(rows)
        for piece in split(tokens[:rows], pieces):
            found = decoder.read(piece, cache)
        assert np.array_equal(found, np.concatenate(scores[:rows]))
        kept = [torch.as_tensor(one.keys_values) for one in (cache, *alone[:rows])]
        assert torch.equal(kept[0], torch.cat(kept[1:], dim=2))


@in_every_precision
def test_what_is_taken_is_what_is_read(model, precision):
    tokens = random_tokens(2, 20)
    decoder = decoder_in(precision, model)
    taken, read = decoder.new_cache(2), decoder.new_cache(2)
    decoder.take(tokens[:, :19], taken)
    decoder.read(tokens[:, :19], read)
    assert taken.length == 19
    last = tokens[:, 19:]
    assert np.array_equal(decoder.read(last, taken), decoder.read(last, read))


@pytest.mark.parametrize("precision", [compiled])
def test_two_that_read_at_once_do_not_meddle(model, precision):
    """One of them has the helping threads, the other works alone."""
    tokens = random_tokens(40, 3, 16)
    decoders = [decoder_in(precision, model) for _ in range(2)]
    expected = [decoders[0].read(some, decoders[0].new_cache(3)) for some in tokens]

    def all_of(decoder):
        decoder.threads = 3
        return [decoder.read(some, decoder.new_cache(3)) for some in tokens]

    with ThreadPoolExecutor(2) as threads:
        for found in threads.map(all_of, decoders):
            assert all(map(np.array_equal, found, expected))


@in_every_precision
def test_a_seed_writes_the_same_text_again(model, precision):
    """On a fresh engine, on a retry, and after something else; past the window, too."""
    tokenizer = Tokenizer.gpt2().trimmed({}, 300)
    settings = SamplingSettings(max_tokens=50, temperature=1.5, ignore_end=True)
    context = [tokenizer.end_token, *range(40, 60)]
    first = Engine(decoder_in(precision, model), tokenizer)
    text = list(first.tokens(context, settings, 3))
    assert list(first.tokens(context, settings, 3)) == text
    other = Engine(decoder_in(precision, model), tokenizer)
    list(other.tokens(context, settings, 4))
    assert list(other.tokens(context, settings, 3)) == text


@in_every_precision
def test_a_batch_writes_the_same_texts_again(model, precision):
    tokenizer = Tokenizer.gpt2().trimmed({}, 300)
    engine = Engine(decoder_in(precision, model), tokenizer)
    settings = SamplingSettings(max_tokens=50, temperature=1.5, ignore_end=True, seed=2)
    context = [tuple(range(40, 60))]

    def texts(size: int) -> list[list[int]]:
        several = engine.together(context, settings, size)
        return [[token for chunk in one for token in chunk.tokens] for one in several]

    five = texts(5)
    assert texts(5) == five and len({tuple(text) for text in five}) == 5
    if precision != "bf16":  # whose sums are rounded otherwise for other numbers of rows
        assert [texts(size) for size in (1, 3)] == [five[:1], five[:3]]


@in_8_bits
def test_texts_side_by_side_are_those_alone_in_whatever_order_they_are_read(model, precision):
    tokenizer = Tokenizer.gpt2().trimmed({}, 300)
    engine = Engine(decoder_in(precision, model), tokenizer)
    settings = SamplingSettings(max_tokens=60, temperature=1.5, seed=2, stop=("e",))
    alone = [list(engine.stream(["a"], replace(settings, seed=2 + row))) for row in range(8)]
    assert len({len(text) for text in alone}) > 3  # they leave one after the other
    for order in (range(8), reversed(range(8)), (3, 7, 0, 5, 1, 2, 6, 4)):
        several = engine.together(["a"], settings, 8)
        for row in order:
            assert list(several[row]) == alone[row]


@in_every_precision
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e38])
@pytest.mark.parametrize("name", ["token_embedding", "mlp.proj", "mlp_norm"])
def test_numbers_that_are_none_are_told(model, precision, bad, name):
    weight = next(weight for key, weight in model.named_parameters() if name in key)
    weight.data.view(-1)[70 if name == "token_embedding" else 5] = bad
    if bad < math.inf:
        weight.data.fill_(bad)  # what is too large together
    decoder = decoder_in(precision, model)
    logits = decoder.read(np.array([[2, 3, 4]]), decoder.new_cache(1))
    assert not np.isfinite(logits).all()


def test_a_row_of_zeros_stays_zero():
    weight = torch.zeros(16, 32)
    weight[3, 5] = 2.0
    product = FORMATS["int8"](weight)
    made = product(torch.ones(1, 32))
    assert made[0].tolist() == pytest.approx([2.0 * (at == 3) for at in range(16)], rel=1e-3)
    assert not product(torch.zeros(1, 32)).any()


def test_branches_go_their_own_ways(model):
    decoder = PlainDecoder(model)
    reader = Reader(decoder)
    start = [7, 8, 9]
    reader.read([start])
    pair = reader.branches([0, 0])
    both = pair.read([[*start, 1], [*start, 2]])
    for row, token in enumerate((1, 2)):
        alone = Reader(decoder).read([[*start, token]])
        np.testing.assert_allclose(both[row], alone[0], atol=1e-5, rtol=0)
    one = pair.branches([1]).read([[*start, 2, 5]])
    alone = Reader(decoder).read([[*start, 2, 5]])
    np.testing.assert_allclose(one, alone, atol=1e-5, rtol=0)


@pytest.mark.parametrize("precision", FORMATS)
def test_what_torch_computes_with_is_left_as_it_was(model, precision):
    decoder, before = decoder_in(precision, model), torch.get_num_threads()
    decoder.threads, seen = before + 1, []
    last = decoder._last
    decoder._last = lambda *given: (seen.append(torch.get_num_threads()), last(*given))[1]
    cache = decoder.new_cache(1)
    decoder.read(np.array([[2]]), cache)
    decoder.take(np.array([[3]]), cache)
    with pytest.raises(IndexError):
        decoder.read(np.array([[300]]), cache)
    assert seen == [before + 1] * 3
    assert torch.get_num_threads() == before


def test_the_names_of_precisions_are_those_of_the_formats():
    assert precisions.precisions_of("cpu") == [*FORMATS, "native"]
    assert precisions.precisions_of("cuda") == ["fp32", "bf16"]


@pytest.fixture(scope="module")
def compiled_decoder():
    if not compiling.is_available():
        pytest.skip("there is no C compiler")
    return decoder_in("native", GPT(SHAPES["tiny"], torch.Generator().manual_seed(1)))


def test_what_vectors_read_begins_with_a_cache_line(compiled_decoder):
    cache = compiled_decoder.new_cache(3)
    assert cache.keys_values.ctypes.data % structs.LINE == 0
    assert not cache.keys_values.any()
    first = compiled_decoder._model.blocks[0].qkv.weight
    assert ctypes.cast(first, ctypes.c_void_p).value % structs.LINE == 0
