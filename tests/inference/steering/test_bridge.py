"""Bridges: what leads from what is before a gap to what comes after it, weighed by that."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import replace

import numpy as np
import pytest

from mgpt_tui.errors import UserError
from mgpt_tui.inference.decoders.in_torch.plain import PlainDecoder
from mgpt_tui.inference.engine import Engine
from mgpt_tui.inference.replay import replay
from mgpt_tui.inference.request import Gap, Note, SamplingSettings, Way
from mgpt_tui.inference.steering.bridge import Attempt, Progress, allowed, best_of, bridges
from mgpt_tui.inference.steering.scale import Scale, longest
from mgpt_tui.inference.text.endings import sentences_of
from mgpt_tui.model.checkpoint import load_checkpoint
from mgpt_tui.model.registry import find_model
from mgpt_tui.text import TextChunk

BUSY = (*(f"{letter}=6" for letter in "abcdefg"), "\n=7")
"""Lets a model of bytes write letters, and lines, which are its sentences."""
SETTINGS = SamplingSettings(top_k=None, seed=5, bias=BUSY)
GAP = Gap(("The fox ran.",), (" It was cold.",))
FAR = "A long way it was. " * 9


@pytest.fixture
def engine(tiny_model, byte_tokenizer):
    """Its window has 32 tokens, of which a quarter is for what comes after and for a way each."""
    return Engine(PlainDecoder(tiny_model), byte_tokenizer)


def found(engine, gap=GAP, settings=SETTINGS, samples=16) -> Progress:
    (last,) = deque(bridges(engine, gap, settings, samples), maxlen=1)
    assert last.is_last
    return last


def weighed(scale, *ways) -> list[float]:
    weighing = scale.weigh(ways)
    try:
        while True:
            next(weighing)
    except StopIteration as over:
        return list(over.value)


def by_hand(engine, tokens, following) -> float:
    """Bits of what follows, read token by token with nothing remembered."""
    total = 0.0
    for token in following:
        fresh = Engine(engine.decoder, engine.tokenizer)
        logits = fresh.next_logits(list(tokens)).astype(np.float64)
        total += (logits[token] - math.log(np.exp(logits).sum())) / math.log(2)
        tokens = [*tokens, token]
    return total


def test_the_same_seed_finds_the_same_ways_the_best_first(engine) -> None:
    last = found(engine)
    assert last == found(engine) != found(engine, settings=replace(SETTINGS, seed=6))
    assert len(last.ways) == 3 and last.weighed > 3
    assert sorted(last.ways, key=lambda way: -way.bits) == list(last.ways)
    assert {way.seed for way in last.ways} < set(range(5, 5 + 16))


def test_words_that_the_next_passage_is_to_hold_are_none_of_a_bridge(engine) -> None:
    assert found(engine, settings=replace(SETTINGS, words=("zoo",))) == found(engine)


def test_a_way_says_how_much_less_surprising_what_follows_is_behind_it(engine) -> None:
    before = engine.encode(GAP.before)
    following = engine.encode(GAP.after)[1 : 1 + 8]
    nothing = by_hand(engine, before, following)
    for way in found(engine).ways:
        bits = by_hand(engine, [*before, *way.tokens], following)
        assert way.bits == pytest.approx(bits - nothing, abs=1e-3)


def test_what_stands_there_now_is_weighed_by_the_same(engine) -> None:
    gap = replace(GAP, now=" A wolf.")
    before, now = engine.encode(GAP.before), engine.tokenizer.encode(gap.now)
    following = engine.encode(GAP.after)[1 : 1 + 8]
    bits = by_hand(engine, [*before, *now], following) - by_hand(engine, before, following)
    assert found(engine, gap).now == pytest.approx(bits, abs=1e-3)
    assert found(engine).now == 0


@pytest.mark.parametrize("context", [GAP.before, (FAR,), (Note("Mia."), FAR), ("x",)])
def test_ways_of_any_length_are_weighed_side_by_side_as_one_by_one(engine, context) -> None:
    scale = Scale(engine, Gap(context, (FAR,), now="y" * 16))
    ways = [(), (65,), (66, 67, 68), tuple(range(70, 78)), tuple(scale.now)]
    together = weighed(scale, *ways)
    assert together == pytest.approx([weighed(scale, way)[0] for way in ways], abs=1e-3)
    assert len(scale.following) == 8


def test_at_the_edge_of_the_window_the_note_and_the_end_of_what_is_before_are_read(engine) -> None:
    note = engine.encode([Note("Mia.")])
    scale = Scale(engine, Gap((Note("Mia."), FAR), (FAR,)))
    room = 32 - 8 - len(note)  # for what is before what follows, beside the note
    before = engine.tokenizer.encode(FAR)
    for way in ([], [65] * longest(32)):
        read = before[len(before) - room + longest(32) :]
        bits = by_hand(engine, [*note, *read, *way], scale.following)
        assert weighed(scale, way)[0] == pytest.approx(bits, abs=1e-3)


@pytest.mark.parametrize("before", [GAP.before, (FAR,), (Note("Mia."), FAR), ("A line.\n",)])
def test_a_way_is_drawn_again_from_its_seed_and_settings(engine, before) -> None:
    ways = found(engine, replace(GAP, before=before)).ways
    assert ways
    for way in ways:
        lead = "".join(chunk.text for chunk in way.chunks if not chunk.tokens)
        fresh = Engine(engine.decoder, engine.tokenizer)
        same = replay(fresh, before, lead, way.tokens, way.settings, way.seed)
        assert same == len(way.tokens) > 0
        again = engine.stream(before, replace(way.settings, seed=way.seed))
        assert "".join(chunk.text for chunk in again) == way.text


def test_with_a_stop_no_more_is_told(engine) -> None:
    told = list(bridges(engine, GAP, SETTINGS, 16))
    for stop in (0, 3, len(told) - 2):
        steps = iter(range(len(told)))
        some = list(bridges(engine, GAP, SETTINGS, 16, lambda at=stop, n=steps: next(n) == at))
        assert some == told[:stop]
    assert [known.is_last for known in told].count(True) == 1


@pytest.mark.parametrize(
    ("gap", "said"),
    [
        (Gap((), (" It was.",)), "text before it and text after it"),
        (Gap(("",), (" It was.",)), "text before it and text after it"),
        (Gap((Note("Mia."),), (" It was.",)), "text before it and text after it"),
        (Gap(("The fox.",), ()), "text before it and text after it"),
        (Gap(("The fox.",), (" It.",), "x" * 17), "has 17 tokens, more than half of the 32"),
        (Gap((Note("x" * 30), "The fox."), (" It.",)), "more than half of the 32"),
        (Gap(("The fox.",), ((9999,),)), "does not know"),
    ],
)
def test_what_cannot_be_bridged_is_told(engine, gap, said) -> None:
    with pytest.raises(UserError, match=said):
        found(engine, gap)


def test_a_window_without_room_is_refused(engine) -> None:
    engine.config = replace(engine.config, block_size=8)
    with pytest.raises(UserError, match="too few for a bridge"):
        found(engine)


# What is no way.


def attempt(text: str, sentences: int = 1) -> Attempt:
    class Written:
        seed = 7

        def __init__(self) -> None:
            words = text.replace(" ", "| ").split("|")
            self._chunks = iter([TextChunk(word, (at,)) for at, word in enumerate(words, 1)])

        def __next__(self) -> TextChunk:
            return next(self._chunks)

    made = Attempt(Written(), sentences, "It ran.")
    while made.go_on():
        pass
    return made


def texts(*attempts: Attempt, now: str = "") -> list[str]:
    following = " The bear gave the old red hat back to her."
    return [way.text for way in allowed(attempts, now, following, SETTINGS)]


def test_a_way_has_whole_sentences_and_no_more_than_it_was_to_have() -> None:
    text = ' "Oh!" he said. It was cold. And'
    assert texts(attempt(text)) == [' "Oh!" he said.']
    assert texts(attempt(text, 2), attempt(text, 3)) == [' "Oh!" he said. It was cold.']
    assert texts(attempt(" It never ends")) == []


def test_a_way_that_would_end_within_a_token_is_none() -> None:
    whole, within = TextChunk(" It sat.", (1,)), TextChunk(" It sat. The", (2,))
    for chunks, expected in (((whole, TextChunk(" A", (3,))), [" It sat."]), ((within,), [])):
        made = attempt("")
        made._generation, made._left = iter(chunks), 1
        while made.go_on():
            pass
        assert texts(made) == expected


@pytest.mark.parametrize(
    "text",
    [
        " She gave the old red hat back to her. Then",  # it is said ahead
        " The end. Then",
        " They lived happily ever after. Then",
        " A Wolf came. Then",  # it stands there now
        " ... Then",
    ],
)
def test_what_is_no_way(text: str) -> None:
    assert texts(attempt(text), now=" a wolf came.") == []


def test_each_way_counts_once_and_the_shortest_come_first() -> None:
    long, short = " She saw a bear there. Then", " She ran. Then"
    assert texts(attempt(long), attempt(short), attempt(short)) == [
        " She ran.",
        " She saw a bear there.",
    ]


def test_the_best_ways_differ() -> None:
    def way(text: str, bits: float) -> Way:
        return Way((TextChunk(text, (1,)),), SETTINGS, 1, bits)

    ways = (
        way(" She saw a big bear.", 3), way(" She saw a bear.", 4), way(" It rained.", 1),
        way(" Tom came.", 2), way(" Mia hid.", 0),
    )  # fmt: skip
    assert [each.bits for each in best_of(ways)] == [4, 2, 1]


def test_what_leads_there_weighs_more_for_the_storyteller() -> None:
    checkpoint = load_checkpoint(find_model(None).path)
    engine = Engine(PlainDecoder(checkpoint.model), checkpoint.tokenizer)
    gap = Gap(("Mia had a red hat. One day, she went out.",), (" The bear gave her the hat back.",))
    ways = (" A bear took her hat.", " It was a sunny day.", "")
    bits = weighed(Scale(engine, gap), *map(engine.tokenizer.encode, ways))
    assert bits[0] > bits[1] and bits[0] > bits[2]


def test_sentences_are_found_without_the_blanks_around_them() -> None:
    text = ' Mr. Fox ran.  "Stop!" he said. \n\nIt was cold'
    found = [text[start:end] for start, end in sentences_of(text)]
    assert found == ["Mr. Fox ran.", '"Stop!" he said.', "It was cold"]
    assert sentences_of(" \n ") == []
