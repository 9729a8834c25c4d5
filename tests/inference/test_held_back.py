"""What the writer left unfinished: spelled again by the first tokens, and never lost."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mgpt_tui.inference.decoders.in_torch.plain import PlainDecoder
from mgpt_tui.inference.engine import Engine
from mgpt_tui.inference.held_back import RestDecoder, Spelling
from mgpt_tui.inference.request import FinishReason, SamplingSettings
from mgpt_tui.inference.sampling import filtered
from mgpt_tui.inference.steps import Rules
from mgpt_tui.model.checkpoint import load_checkpoint
from mgpt_tui.model.config import SHAPES
from mgpt_tui.model.gpt import GPT
from mgpt_tui.model.registry import find_model
from mgpt_tui.model.tokenizer import Tokenizer
from mgpt_tui.text import TextChunk, clean_text

SAMPLED = SamplingSettings(
    temperature=1.5, top_k=None, max_tokens=12, seed=5, finish_sentence=False
)
WORDS = [" time", " times", " there", " the", " ran", "ran", "\n\n", "'t", "'re", "don"]


@pytest.fixture(scope="module")
def words_tokenizer():
    """A vocabulary with some words in it."""
    whole = Tokenizer.gpt2()
    counts = {token: 1 for word in WORDS for token in whole.encode(word)}
    return whole.trimmed(counts, 700)


@pytest.fixture(scope="module")
def engine(words_tokenizer):
    config = replace(
        SHAPES["tiny"], vocab_size=words_tokenizer.vocab_size, block_size=32, n_embd=16, n_layer=2
    )
    model = GPT(config, torch.Generator().manual_seed(1)).eval()
    for weight in model.parameters():
        weight.data *= 4
    return Engine(PlainDecoder(model), words_tokenizer)


def written(generation):
    chunks = list(generation)
    return "".join(chunk.text for chunk in chunks), chunks


def held(engine, context):
    return engine.beginning(context).rest.decode()


@pytest.mark.parametrize(
    ("context", "rest"),
    [
        (["The ti"], " ti"),
        (["The time"], " time"),
        (["The "], " "),
        (["The time "], " "),
        (["The.\n"], "\n"),
        (["don'"], "'"),
        ([(3, 4), " th"], " th"),
        (["The ti", ""], " ti"),
        (["The time."], ""),
        (["The ti", (3, 4)], ""),
        ([], ""),
        ([""], ""),
    ],
)
def test_what_is_held_back(engine, context, rest):
    beginning = engine.beginning(context)
    assert held(engine, context) == rest
    whole = engine.tokenizer.decode(engine.encode(context))
    assert engine.tokenizer.decode(beginning.tokens) + rest == whole


def test_a_word_that_can_be_spelled_in_one_way_is_read(byte_tokenizer, tiny_model):
    engine = Engine(PlainDecoder(tiny_model), byte_tokenizer)
    for text in ("The fox", "The fox ", "The \n\n\n", "a" * 500, "\N{FOX FACE} caf\xe9"):
        beginning = engine.beginning([text])
        assert beginning.rest == b""
        assert list(beginning.tokens) == engine.encode([text])


SETTINGS = [
    SAMPLED,
    replace(SAMPLED, temperature=0),
    replace(SAMPLED, top_k=1),
    replace(SAMPLED, top_p=0.1, min_p=0.5, repetition_penalty=2),
    replace(SAMPLED, ban=(" ", " time", " times"), bias=("x=5",)),
]


@pytest.mark.parametrize("sampling", SETTINGS)
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    text=st.one_of(
        st.text(max_size=12),
        st.text("tim e srant'h\n\t 1\xe9\N{FOX FACE}\u3000\u4e2d", max_size=80),
        st.sampled_from(["The ti", "x  \n \n", "t" * 99, " " * 99, "\xe9" * 70]),
    ),
    seed=st.integers(0, 9),
)
def test_the_story_always_begins_with_what_the_writer_wrote(engine, sampling, text, seed):
    tokenizer = engine.tokenizer
    beginning = engine.beginning([text])
    own = replace(sampling, seed=seed)
    generation = engine.stream([text], own, n_best=0)
    more, chunks = written(generation)
    drawn = [chances.token for chances in generation.chances]
    told = b"".join(map(tokenizer.token_bytes, [*beginning.tokens, *drawn]))
    assert told.startswith(text.encode(errors="replace"))
    kept = [token for chunk in chunks for token in chunk.tokens]
    rest = "".join(chunk.text for chunk in chunks if not chunk.tokens)
    assert more == rest + clean_text(tokenizer.decode(kept))
    finished = generation.finished
    assert len(kept) == finished.tokens <= SAMPLED.max_tokens
    assert finished.context_tokens <= len(beginning.tokens) + len(drawn)
    (together, other) = engine.together([text], own, 2)
    assert written(together)[0] == more
    assert written(other)[0] == written(engine.stream([text], replace(own, seed=seed + 1)))[0]


def test_the_rest_of_a_word_has_text_but_no_tokens(engine):
    (token,) = engine.tokenizer.encode(" times")
    generation = engine.stream(["The ti"], replace(SAMPLED, bias=(" times=1000",), max_tokens=1))
    assert list(generation) == [TextChunk("mes", ()), TextChunk(" times", (token,))]
    finished = generation.finished
    assert finished.tokens == 1
    assert finished.context_tokens == generation.context_tokens + 2
    assert finished.reason is FinishReason.LENGTH


def test_a_character_that_began_in_a_spelling_token_has_no_tokens(byte_tokenizer):
    tokenizer = Tokenizer(byte_tokenizer.ranks | {b"ab\xc3": 256})
    decoder = RestDecoder(tokenizer, b"ab")
    assert decoder.feed(256) is None
    assert decoder.spelled == 1
    assert decoder.feed(tokenizer.ranks[b"\xa9"]) == TextChunk("\xe9", ())
    assert decoder.feed(tokenizer.ranks[b"b"]) == TextChunk("b", (tokenizer.ranks[b"b"],))


@given(rest=st.binary(min_size=1, max_size=20))
def test_any_bytes_can_be_spelled(words_tokenizer, rest):
    spelling = Spelling(words_tokenizer)
    while rest:
        allowed = spelling.allowed(rest)
        assert len(allowed)
        for token in allowed:
            spelled = words_tokenizer.token_bytes(int(token))
            assert spelled.startswith(rest) or rest.startswith(spelled)
        shorter = spelling.after(rest, int(allowed[-1]))
        assert len(shorter) < len(rest)
        rest = shorter


@pytest.mark.parametrize("temperature", [0, 1.0])
def test_only_what_is_allowed_is_chosen(temperature):
    logits = np.arange(10, dtype=np.float32)
    sampling = SamplingSettings(temperature=temperature, top_k=3, top_p=0.9, min_p=0.1)
    allowed = np.array([2, 4])
    for uniform in (0.0, 0.5, 0.999):
        assert filtered(logits, sampling, {}, (), allowed).token(uniform) in (2, 4)
    banned = {2: -np.inf, 4: -np.inf}
    assert filtered(logits, sampling, banned, (), allowed).token(0.999) == 4
    logits[[2, 4]] = -np.inf
    assert filtered(logits, sampling, banned, (), allowed).token(0.0) == 2


# Whether the last word is unfinished: what the embedded model has to say to it.


@pytest.fixture(scope="module")
def storyteller():
    checkpoint = load_checkpoint(find_model(None).path)
    return Engine(PlainDecoder(checkpoint.model), checkpoint.tokenizer)


def longer(engine, context):
    """How many of eight samples go on with the last word."""
    few = SamplingSettings(max_tokens=1, finish_sentence=False, seed=11)
    texts = ("".join(chunk.text for chunk in each) for each in engine.together([context], few, 8))
    return sum(text[:1].isalpha() for text in texts)


@pytest.mark.parametrize("word", ["toad", "heron", "newt", "weasel", "quill", "vole", "pig"])
def test_a_rare_word_stays_as_it_is_where_the_model_holds_it_for_whole(storyteller, word):
    context = f"A {word}"
    scores = np.exp(storyteller.next_logits(storyteller.encode([context])))
    scores /= scores.sum()
    letters = [token for word, token in storyteller.tokenizer.ranks.items() if word[:1].isalpha()]
    goes_on = float(scores[letters].sum())  # after the word as it is usually read
    assert goes_on < 0.4
    assert longer(storyteller, context) <= 8 * goes_on + 1


@pytest.mark.parametrize(
    "text",
    ["The girl op", "Once upon a ti", "The fro", "A caterp", "A kangar", "A butterf", "It fl"],
)
def test_an_unfinished_word_is_finished(storyteller, text):
    assert longer(storyteller, text) == 8


def test_a_longer_word_counts_for_as_much_as_the_word_may_go_on(storyteller):
    assert storyteller.beginning(["A toad"]).rest == b""
    assert storyteller.beginning(["A caterp"]).rest == b"p"
    pig, op = (storyteller.beginning([text]) for text in ("A pig", "The girl op"))
    assert (pig.rest, op.rest) == (b" pig", b" op")
    assert pig.goes_on < 0.05 < 0.2 < op.goes_on < 1
    held = [storyteller.beginning([text]) for text in ("A pig ", "A pig\n", "don'", "Yes.")]
    assert [each.goes_on for each in held] == [1, 1, 1, 1]


@given(goes_on=st.floats(0, 1))
def test_what_is_as_long_as_the_rest_gains_what_is_longer_loses(words_tokenizer, goes_on):
    spelling = Spelling(words_tokenizer)
    rules = Rules(SHAPES["tiny"], SamplingSettings(temperature=1), {}, spelling, 699)
    logits = np.zeros(700, dtype=np.float32)
    time, times = (words_tokenizer.ranks[word] for word in (b" time", b" times"))
    left = rules.left(logits, [0], b" time", goes_on)
    shares = dict(zip(left.candidates.tokens.tolist(), left.shares.tolist(), strict=True))
    assert shares[time] == pytest.approx(1 / (1 + goes_on))
    assert shares.get(times, 0) == pytest.approx(goes_on / (1 + goes_on), abs=1e-6)
    assert not logits.any()
