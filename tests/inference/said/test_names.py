"""Names in a story, and which token would be another's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mgpt_tui.inference.decoders.in_torch.plain import PlainDecoder
from mgpt_tui.inference.engine import Engine
from mgpt_tui.inference.replay import filters_of, replay
from mgpt_tui.inference.request import Note, SamplingSettings
from mgpt_tui.inference.said.names import Names, NameTable
from mgpt_tui.inference.sampling import stages
from mgpt_tui.model.tokenizer import Tokenizer

TEXT = (
    " Tim Lily lily The the He he But but Mom mom Max Diva Fox fox going my Timmy Sam named His his"
)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    """A few words, what they are merged from, and the bytes."""
    gpt2 = Tokenizer.gpt2()
    counts = dict.fromkeys((*gpt2.encode(TEXT + "Timmyiva"), *gpt2.encode('"Tim')), 1)
    return gpt2.trimmed(counts, 257 + 10 * len(counts))


@pytest.fixture(scope="module")
def others(tokenizer):
    """What would begin another name behind a text."""
    table = NameTable(tokenizer)

    def find(text: str) -> set[str]:
        found = Names(table).others([tokenizer.end_token, *tokenizer.encode(text)])
        return {table.texts[token] for token in found.tolist()}

    return find


def test_without_a_name_every_name_may_come(others) -> None:
    assert others("The fox was going") == set()
    assert others("The fox was going. But he") == set()
    assert others('Mom said, "The') == set()


def test_a_name_that_is_there_keeps_its_chance_and_others_do_not(others) -> None:
    found = others("The fox met Tim and")
    assert {" Max", " Lily", " Fox", " The", "M"} <= found
    assert not found & {" Tim", "Tim", " Mom", " fox", " going", "."}
    assert " Max" not in others("But Max was going to Tim and")


def test_where_a_sentence_begins_words_with_a_capital_are_no_names(others) -> None:
    for begun in ("The fox met Tim.", "The fox met Tim.\n", 'The fox met Tim. "', "Tim: “"):
        found = others(begun)
        assert {" Max", " Lily"} <= found
        assert not found & {" The", " But", " He", " Fox", " Tim", "Tim"}, begun


def test_behind_named_a_known_name_is_the_surprise(others) -> None:
    for begun in ("Tim met a fox named", "Tim met a fox. His name was"):
        assert others(begun) == {" Tim", "Tim"}
    for begun in ("Tim met his friend", "Tim met his friend,", 'Tim met a fox. "I am', "“I'm"):
        assert others(begun) == set()


def test_a_name_in_pieces_stays_whole(others, tokenizer) -> None:
    first = tokenizer.encode(" Diva")
    assert len(first) > 1
    beginning = tokenizer.decode(first[:1])
    assert beginning not in others("The fox met Diva and")
    found = others(f"The fox met Diva and{beginning}")
    assert {" going", ".", "my", " Tim"} <= found
    assert tokenizer.decode(first[1:2]) not in found
    assert {"my", "iva"} <= others("The fox met Tim and Tim") and "." not in others("Tim met Tim")


def test_a_text_that_grows_is_as_one_read_at_once(tokenizer) -> None:
    table, grown = NameTable(tokenizer), None
    tokens = [tokenizer.end_token, *tokenizer.encode("Diva met Tim. Diva met a fox named Sam. He")]
    grown = Names(table)
    for length in range(1, len(tokens) + 1):
        at_once = Names(table).others(tokens[:length])
        np.testing.assert_array_equal(grown.others(tokens[:length]), at_once)


def test_a_share_of_the_odds_is_left_and_told(tiny_model, byte_tokenizer) -> None:
    engine = Engine(PlainDecoder(tiny_model), byte_tokenizer)
    settings = SamplingSettings(new_names=0.25, top_k=None, max_tokens=40, finish_sentence=False)
    context = [Note("Tim."), "a fox and "]
    told = [
        token
        for chunk in engine.stream(context, replace(settings, seed=3))
        for token in chunk.tokens
    ]
    assert replay(engine, context, "", told, settings, 3) == len(told)
    filters, _ = filters_of(engine, context, "", told[:1], settings, 3)
    given, left = (dict(stages(*filters))[name] for name in ("model", "new_names"))
    changed = dict(zip(map(chr, range(256)), (left - given)[_order(byte_tokenizer)], strict=True))
    assert changed["M"] == pytest.approx(np.log(0.25), abs=1e-5)
    assert changed["T"] == changed["a"] == changed["."] == 0
    banned = dict(stages(*(filters[0], replace(settings, new_names=0.0), *filters[2:])))
    assert np.isneginf(banned["new_names"]).sum() == (left != given).sum()
    off = engine.rules(replace(settings, new_names=1.0)).filters(given, engine.encode(context))
    assert off[-1] is None


def _order(tokenizer: Tokenizer) -> list[int]:
    return [tokenizer.ranks[bytes([byte])] for byte in range(256)]
