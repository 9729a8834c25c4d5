"""What holds of every model and every text, however they are."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgpt_tui.errors import UserError
from mgpt_tui.inference.decoders.in_torch.plain import PlainDecoder
from mgpt_tui.inference.decoders.record import record_bytes
from mgpt_tui.inference.inspection import surprise as surprises
from mgpt_tui.inference.inspection.attention import KINDS, carried, head_kinds, kind_of, weights_of
from mgpt_tui.inference.inspection.lens import lens, softmax
from mgpt_tui.inference.inspection.parts import parts
from mgpt_tui.inference.inspection.surprise import Surprise, sentence_starts, word_starts
from mgpt_tui.inference.inspection.weights import Weights
from mgpt_tui.inference.inspection.window import Reading
from mgpt_tui.model.config import GPTConfig
from mgpt_tui.model.tokenizer import Tokenizer

FAMILY = (
    {},
    {"norm_bias": True, "exact_gelu": True},
    {"tied_head": False, "mlp_width": 7, "norm_epsilon": 1e-3},
    {"qkv_bias": False, "mlp_bias": True, "scaled_scores": False, "local_windows": (3,)},
)
"""What shapes of the family differ in; a window for each layer."""


def shape_of(layers, heads, size, bias, family):
    shape = {"n_layer": layers, "n_head": heads, "n_embd": heads * size, "bias": bias}
    windows = family.get("local_windows", ()) * layers
    return GPTConfig(**shape | family | {"local_windows": windows}, block_size=16, vocab_size=257)


SHAPES = st.builds(
    shape_of,
    *(st.integers(1, 3), st.integers(1, 3), st.integers(2, 8), st.booleans()),
    st.sampled_from(FAMILY),
)


@given(config=SHAPES, length=st.integers(1, 40), number=st.integers(1, 40), seed=st.integers(0, 9))
def test_numbers_add_up(
    random_model, open_decoder, byte_tokenizer, sequences, config, length, number, seed
):
    decoder, tokens = open_decoder(random_model(config, seed)), sequences(length, seed)
    reading, weights, number = Reading(decoder, tokens), Weights(decoder), min(number, length)
    window, target = reading.window(number), seed * 11
    attention = weights_of(window, number)
    assert attention.shape == (config.n_layer, config.n_head, number - window.start)
    np.testing.assert_allclose(attention.sum(-1), 1, atol=1e-5)
    assert carried(window, number, weights).shape == attention.shape

    found = parts(window, number, weights, target)
    logits = window.record("logits").logits[window.row(number)]
    assert found.logit == logits[target]
    assert found.sum == pytest.approx(found.logit, abs=1e-9)
    assert abs(found.rounding) <= found.bound

    *_, last = lens(window, number, weights, target, str, 3)
    assert last.p == pytest.approx(softmax(logits)[target], rel=1e-12)
    own = softmax(weights.logits(window.record("stream").stream[-1, window.row(number)]))
    assert own[target] == pytest.approx(last.p, rel=0.3 if weights.rounds else 1e-4)

    shares, chance = head_kinds(window)
    assert all((share >= 0).all() and (share <= 1 + 1e-6).all() for share in shares.values())
    assert all(0 <= chance[kind] <= 1 for kind in KINDS)

    surprise = Surprise(reading, byte_tokenizer)
    scores, whole = surprise.scores, surprise.whole()
    assert len(scores.logprobs) == len(scores.ranks) == length - 1
    assert len(scores.entropies) == len(scores.ends) == length
    assert (scores.logprobs <= 0).all() and (scores.entropies >= 0).all()
    assert (scores.entropies <= np.log(257) + 1e-6).all()
    assert sum(word.logprob for word in surprise.words) == pytest.approx(
        whole.logprob + (scores.ends[-1] if length > 1 else 0), abs=1e-6
    )
    assert sum(part.logprob for part in surprise.sentences) == pytest.approx(whole.logprob)
    for parts_of_it in (surprise.words, surprise.sentences):
        numbers = [n for part in parts_of_it for n in range(part.first, part.end)]
        assert numbers == list(range(1, length))


@pytest.mark.parametrize("length", [1, 15, 16, 17, 24, 25, 41])
def test_every_token_is_scored_in_the_window_in_which_it_was_chosen(
    random_model, open_decoder, byte_tokenizer, sequences, length
):
    config = GPTConfig(n_layer=2, n_head=2, n_embd=8, block_size=16, vocab_size=257)
    decoder, tokens = open_decoder(random_model(config)), sequences(length)
    reading = Reading(decoder, tokens)
    assert [n for stretch in reading.stretches() for n in stretch] == list(range(1, length + 1))
    ends = Surprise(reading, byte_tokenizer)
    for number in range(1, length + 1):
        seen = tokens[config.window_start(number) : number]
        logits = decoder.recorded(seen, ["logits"], [len(seen) - 1]).logits[0].astype(np.float64)
        p = softmax(logits)
        if number < length:
            assert ends.scores.logprobs[number - 1] == pytest.approx(np.log(p[tokens[number]]))
        entropy = -(p * np.log(p)).sum()
        assert ends.scores.entropies[number - 1] == pytest.approx(entropy, abs=1e-5)
        window = reading.window(number)
        assert window.tokens == tuple(tokens[window.start : window.start + 16])
        assert window.row(number) == len(seen) - 1


def test_a_word_counts_the_chance_that_it_ends(random_model):
    """By the definition of Pimentel and Meister, with probabilities asked for one by one."""
    words = Tokenizer.gpt2().trimmed({220: 1}, 400)
    config = GPTConfig(n_layer=2, n_head=2, n_embd=8, block_size=32, vocab_size=400)
    decoder = PlainDecoder(random_model(config, 3))
    text = "the cat.\nA cat\n\n ran"
    tokens = [words.end_token, *words.encode(text)]
    found = Surprise(Reading(decoder, tokens), words).words
    said = [words.decode(tokens[word.first : word.end]) for word in found]
    assert said == ["the", " cat.", "\nA", " cat", "\n\n ran"]
    begins = [t for t in range(399) if words.token_bytes(t)[:1].isspace()] + [399]

    def chances(n):
        return softmax(decoder.recorded(tokens[:n]).logits[-1].astype(np.float64))

    for number, word in enumerate(found):
        p = np.prod([chances(n)[tokens[n]] for n in range(word.first, word.end)])
        p *= chances(word.end)[begins].sum()
        if number:
            p /= chances(word.first)[begins].sum()
        assert word.bits == pytest.approx(-np.log2(p), rel=1e-4)
        assert word.bits_per_character == pytest.approx(word.bits / len(said[number]))


@pytest.mark.parametrize(
    ("texts", "starts"),
    [
        ([], []),
        (["One", " fox", ".", " It", " ran", ".", '"'], [1, 4]),
        (["Mr", ".", " Fox", "!", '"', " he", " said", ".", "\n", "\n", "Then"], [1, 9]),
        (["No.", " Go. I", " ran."], [1, 2, 3]),
    ],
)
def test_sentences_begin_with_a_token(texts, starts):
    assert sentence_starts(texts) == starts


def test_words_begin_after_a_blank():
    assert word_starts([b"a", b"b", b" ", b"\n", b"c", b"", b"d", b" e", b" "]) == [1, 3, 6, 8, 9]


def test_what_cannot_come_is_infinitely_surprising():
    logits = np.array([[0.0, -np.inf, 1.0, -np.inf]], np.float32)
    begins = np.array([False, False, False, True])
    found = surprises.scores(logits, np.array([1]), begins)
    assert (found.logprobs[0], found.ranks[0], found.ends[0]) == (-np.inf, 3, -np.inf)
    p = softmax(logits[0])[[0, 2]]
    assert found.entropies[0] == pytest.approx(-(p * np.log(p)).sum(), abs=1e-6)


def test_a_head_of_no_kind_is_told():
    chance = {"previous": 0.05, "first": 0.1, "same": 0.02, "induction": 0.02}
    shares = dict.fromkeys(KINDS, 0.05)
    assert kind_of(shares, chance) == "none"
    assert kind_of({**shares, "same": 0.3}, chance) == "same"
    assert kind_of({**shares, "first": 0.29}, chance) == "none"  # not thrice as much as chance
    assert kind_of({**shares, "first": 0.31}, chance) == "first"


def test_a_number_that_is_not_there_is_told(random_model, sequences):
    decoder = PlainDecoder(random_model(GPTConfig(**replace_tiny())))
    reading = Reading(decoder, sequences(5))
    assert reading.check(None) == 5 and reading.check(4) == 4
    for number in (0, -1, 5, 6):
        with pytest.raises(UserError, match=f"no token {number}"):
            reading.check(number)


def test_a_record_too_large_leaves_what_fits(random_model, sequences, monkeypatch):
    """With memory for attention alone, attention can be looked at, and parts are refused."""
    config = GPTConfig(**replace_tiny())
    decoder = PlainDecoder(random_model(config))
    room = record_bytes(config, 16, ["attention", "values"])
    assert room < record_bytes(config, 16, ["neurons"])
    monkeypatch.setattr("mgpt_tui.inference.decoders.record.memory_left", lambda: room)
    window = Reading(decoder, sequences(16)).window(16)
    assert weights_of(window, 16).shape == (1, 2, 16)
    assert window.record("values").values.size
    with pytest.raises(UserError, match="MB"):
        window.record("neurons")
    assert weights_of(window, 16).shape == (1, 2, 16)


def replace_tiny():
    shape = GPTConfig(n_layer=1, n_head=2, n_embd=32, block_size=16, vocab_size=257)
    return replace(shape, dropout=0.0).to_dict()
