"""The tokenizer: GPT-2's ranks, trimmed vocabularies, rank files, streaming."""

import hashlib
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mgpt_tui.errors import UserError
from mgpt_tui.model.tokenizer import GPT2_DIGEST, StreamingDecoder, Tokenizer
from mgpt_tui.paths import assets_dir

CORPUS = (
    "A fox lived under the old bridge. Every night the fox counted the lanterns on the boats.\n"
    '"Seven," said the fox. "Seven lanterns, and one of them is mine." The fox didn\'t sleep.\n'
)


@pytest.fixture(scope="module")
def gpt2():
    return Tokenizer.gpt2()


@pytest.fixture(scope="module")
def trimmed(gpt2):
    return gpt2.trimmed(Counter(gpt2.encode(CORPUS)), 400)


def merge_parts(ranks, token):
    """The last merge that makes `token`, by a plain BPE loop over the lower ranks."""
    parts = [bytes([byte]) for byte in token]
    while True:
        pairs = [
            (ranks[parts[at] + parts[at + 1]], at)
            for at in range(len(parts) - 1)
            if ranks.get(parts[at] + parts[at + 1], len(ranks)) < ranks[token]
        ]
        if not pairs:
            return parts
        _, at = min(pairs)
        parts[at : at + 2] = [parts[at] + parts[at + 1]]


def test_the_asset_is_openais(gpt2):
    content = (assets_dir() / "gpt2.tiktoken").read_bytes()
    assert len(content) == 835_554
    assert hashlib.sha256(content).hexdigest() == GPT2_DIGEST == gpt2.digest


def test_gpt2_encodes_as_published(gpt2):
    assert gpt2.vocab_size == 50257
    assert gpt2.encode("Hello world") == [15496, 995]
    assert gpt2.encode("Once upon a time") == [7454, 2402, 257, 640]


def test_a_changed_asset_is_refused(gpt2, trimmed, tmp_path, monkeypatch):
    trimmed.save(tmp_path / "gpt2.tiktoken")
    monkeypatch.setattr("mgpt_tui.model.tokenizer.assets_dir", lambda: tmp_path)
    with pytest.raises(UserError, match="not as it was shipped"):
        Tokenizer.gpt2()


@given(text=st.text())
def test_any_text_round_trips(gpt2, trimmed, text):
    for tokenizer in (gpt2, trimmed):
        tokens = tokenizer.encode(text)
        assert tokenizer.decode(tokens) == text
        assert tokenizer.end_token not in tokens


def test_the_end_token_is_never_text(gpt2, trimmed):
    for tokenizer in (gpt2, trimmed):
        assert tokenizer.end_token == tokenizer.vocab_size - 1
        typed = "The end.<|endoftext|>Or not?"
        tokens = tokenizer.encode(typed)
        assert tokenizer.end_token not in tokens
        assert tokenizer.decode(tokens) == typed
        assert tokenizer.decode([*tokens, tokenizer.end_token]) == typed
        assert tokenizer.token_bytes(tokenizer.end_token) == b""


def test_tokens_outside_the_vocabulary(trimmed):
    for token in (-1, trimmed.vocab_size):
        with pytest.raises(ValueError, match="outside"):
            trimmed.token_bytes(token)


def test_lone_surrogates_become_replacement_characters(trimmed):
    assert trimmed.decode(trimmed.encode("a\ud800b")) == "a\ufffdb"


def test_two_halves_in_their_order_are_a_character(trimmed):
    assert trimmed.decode(trimmed.encode("a\ud83e\udd8a\ud83e")) == "a\U0001f98a\ufffd"


@pytest.mark.parametrize("text", ["\n" * 1_500_000 + "x", "a" * 300_000], ids=["space", "word"])
def test_monotonous_text_neither_crashes_nor_hangs(trimmed, text):
    assert trimmed.decode(trimmed.encode(text)) == text


def test_trimming_keeps_the_encoding_where_all_tokens_are_kept(gpt2):
    counts = Counter(gpt2.encode(CORPUS))
    roomy = gpt2.trimmed(counts, 1000)
    old, new = gpt2.encode(CORPUS), roomy.encode(CORPUS)
    assert [gpt2.token_bytes(token) for token in old] == [roomy.token_bytes(t) for t in new]


@settings(max_examples=25, deadline=None)
@given(
    counts=st.dictionaries(st.integers(0, 50256), st.integers(0, 50), max_size=300),
    size=st.integers(257, 900),
)
def test_a_trimmed_vocabulary_is_exact_closed_and_in_order(gpt2, counts, size):
    trimmed = gpt2.trimmed(counts, size)
    assert trimmed.vocab_size == size
    assert list(trimmed.ranks.values()) == list(range(size - 1))
    old_ranks = [gpt2.ranks[token] for token in trimmed.ranks]
    assert old_ranks == sorted(old_ranks)
    for token in trimmed.ranks:
        if len(token) > 1:
            parts = merge_parts(gpt2.ranks, token)
            assert len(parts) == 2
            assert all(part in trimmed.ranks for part in parts)


@settings(max_examples=60, deadline=None)
@given(
    text=st.one_of(st.text(), st.lists(st.sampled_from(CORPUS.split(" "))).map(" ".join)),
    counted=st.text(),
    size=st.integers(257, 600),
)
def test_numbers_of_kept_tokens_are_the_trimmed_encoding(gpt2, text, counted, size):
    trimmed = gpt2.trimmed(Counter(gpt2.encode(counted + CORPUS)), size)
    numbers = gpt2.numbers_in(trimmed)
    kept = [number for number in numbers if number is not None]
    assert kept == list(range(size))  # every kept token has its number, in order
    renumbered = [numbers[token] for token in gpt2.encode(text)]
    if None not in renumbered:
        assert renumbered == trimmed.encode(text)


def test_all_tokens_of_the_counted_text_have_numbers(gpt2):
    roomy = gpt2.trimmed(Counter(gpt2.encode(CORPUS)), 1000)
    numbers = gpt2.numbers_in(roomy)
    assert [numbers[token] for token in gpt2.encode(CORPUS)] == roomy.encode(CORPUS)
    assert numbers[gpt2.end_token] == roomy.end_token


def test_numbers_in_an_unsound_vocabulary():
    """A whole that ranks before its parts is not to be trusted, once a part is gone."""
    single = {bytes([byte]): byte for byte in range(256)}
    odd = Tokenizer({**single, b"abc": 256, b"ab": 257, b" x": 258})
    assert odd.encode("abcd") == [256, ord("d")]  # through "ab", which ranks after it
    trimmed = odd.trimmed({256: 9}, 258)
    assert b"abc" in trimmed.ranks
    assert trimmed.encode("abcd") == [97, 98, 99, 100]
    numbers = odd.numbers_in(trimmed)
    assert numbers[256] is None
    assert numbers[97] == 97


def test_trimming_prefers_what_is_frequent(gpt2):
    fox, owl = gpt2.encode(" fox")[0], gpt2.encode(" owl")[0]
    room = 257 + len(" fox") - 1  # the bytes, <|endoftext|>, and one chain of merges
    for often, seldom in ((fox, owl), (owl, fox)):
        ranks = gpt2.trimmed({seldom: 1, often: 5}, room).ranks
        assert gpt2.token_bytes(often) in ranks
        assert gpt2.token_bytes(seldom) not in ranks


@pytest.mark.parametrize("size", [257, 258, 50256, 50257])
def test_every_size_can_be_reached_from_a_corpus_of_nothing(gpt2, size):
    trimmed = gpt2.trimmed({}, size)
    assert trimmed.vocab_size == size
    # With nothing counted the lowest ranks remain, which is where GPT-2's own merges begin.
    assert list(trimmed.ranks) == list(gpt2.ranks)[: size - 1]


@pytest.mark.parametrize("size", [0, 256, 401])
def test_sizes_out_of_range_are_refused(trimmed, size):
    with pytest.raises(UserError) as refused:
        trimmed.trimmed({}, size)
    assert "from 257 to 400" in refused.value.remedy


def test_trimming_a_trimmed_vocabulary(trimmed):
    again = trimmed.trimmed(Counter(trimmed.encode(CORPUS)), 300)
    assert again.vocab_size == 300
    assert set(again.ranks) <= set(trimmed.ranks)
    assert again.decode(again.encode(CORPUS)) == CORPUS


def test_saved_and_loaded(trimmed, tmp_path):
    path = tmp_path / "deep" / "tokenizer.tiktoken"
    trimmed.save(path)
    loaded = Tokenizer.load(path)
    assert loaded.ranks == trimmed.ranks
    assert loaded.digest == hashlib.sha256(path.read_bytes()).hexdigest() == trimmed.digest
    assert loaded.encode(CORPUS) == trimmed.encode(CORPUS)


def damaged(content):
    lines = content.splitlines(keepends=True)
    yield "empty", b""
    yield "cut", content[:-3]
    yield "cut in the bytes", b"".join(lines[:200])
    yield "line lost", b"".join(lines[:300] + lines[301:])
    yield "line twice", b"".join([*lines[:300], lines[299], *lines[300:]])
    yield "not base64", content.replace(b" 299\n", b"! 299\n").replace(b"=", b"*", 1)
    yield "no number", content.replace(b" 299\n", b" many\n")
    yield "text", b"Once there was a file that was no vocabulary.\n"
    yield "binary", bytes(range(256)) * 40
    yield "line ends", content.replace(b"\n", b"\r\n")


def test_damaged_rank_files_are_refused(trimmed, tmp_path):
    whole, path = tmp_path / "whole", tmp_path / "tokenizer.tiktoken"
    trimmed.save(whole)
    for what, content in damaged(whole.read_bytes()):
        path.write_bytes(content)
        with pytest.raises(UserError, match="damaged") as refused:
            Tokenizer.load(path)
            pytest.fail(what)
        assert refused.value.remedy


def test_a_damaged_split_pattern_is_refused(trimmed):
    with pytest.raises(UserError, match="pattern"):
        Tokenizer(trimmed.ranks, "(").encode("a")


def test_a_rank_file_that_is_missing_or_a_folder(tmp_path):
    for path in (tmp_path / "nothing", tmp_path):
        with pytest.raises(UserError):
            Tokenizer.load(path)


@settings(deadline=None)
@given(text=st.text())
def test_streaming_never_shows_half_a_character(gpt2, trimmed, text):
    whole = text.replace("\ufffd", "")
    for tokenizer in (gpt2, trimmed):
        decoder = StreamingDecoder(tokenizer)
        tokens = tokenizer.encode(whole)
        chunks = [chunk for chunk in map(decoder.feed, tokens) if chunk]
        assert not any("\ufffd" in chunk.text for chunk in chunks)
        assert "".join(chunk.text for chunk in chunks) == whole
        assert [token for chunk in chunks for token in chunk.tokens] == tokens
        assert decoder.pending == ()


@settings(deadline=None)
@given(tokens=st.lists(st.one_of(st.integers(0, 255), st.integers(0, 399)), max_size=40))
def test_streaming_any_tokens_is_decoding_them(trimmed, tokens):
    decoder = StreamingDecoder(trimmed)
    chunks = [chunk for chunk in map(decoder.feed, tokens) if chunk]
    sent = [token for chunk in chunks for token in chunk.tokens]
    assert "".join(chunk.text for chunk in chunks) == trimmed.decode(sent)
    assert [*sent, *decoder.pending] == tokens
    for chunk in chunks:
        assert chunk.text == trimmed.decode(chunk.tokens)


def test_streaming_waits_for_the_rest_of_a_character(trimmed):
    decoder = StreamingDecoder(trimmed)
    *first, last = trimmed.encode("\U0001f98a")
    assert len(first) > 1
    assert [decoder.feed(token) for token in first] == [None] * len(first)
    assert decoder.pending == tuple(first)
    chunk = decoder.feed(last)
    assert chunk is not None
    assert (chunk.text, chunk.tokens) == ("\U0001f98a", (*first, last))
