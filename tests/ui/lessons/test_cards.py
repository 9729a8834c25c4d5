"""The cards of the lessons, with the numbers of a real model: tiny, random, and of bytes."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from mgpt_tui.inference.answering import answers
from mgpt_tui.inference.decoders.in_torch.plain import PlainDecoder
from mgpt_tui.inference.engine import Engine
from mgpt_tui.inference.inspection import BITS
from mgpt_tui.inference.inspection.answers import Answer, Asked, SurpriseView, View
from mgpt_tui.inference.inspector import Inspector
from mgpt_tui.inference.sampling import filtered, uniforms
from mgpt_tui.ui.screens.inside.sight import said
from mgpt_tui.ui.screens.lessons import choosing, learning, looking, thinking, tokens
from mgpt_tui.ui.screens.lessons.card import Card, Place, Seen, Wanted
from mgpt_tui.ui.screens.lessons.screen import CARDS

SHORT = "A fox saw a fox."
LONG = "Tom ran to the hill, and the hill ran away from Tom."
"""More than the 32 bytes that the model can see."""

Ask = Callable[[str, Wanted], Answer]


@pytest.fixture(scope="module")
def engine(tiny_model, byte_tokenizer) -> Engine:
    return Engine(PlainDecoder(tiny_model), byte_tokenizer)


@pytest.fixture(scope="module")
def ask(engine: Engine, tiny_model) -> Ask:
    """Asks a real engine about a text."""
    inspector = Inspector(PlainDecoder(tiny_model), engine.tokenizer)

    def asked(text: str, wanted: Wanted) -> Answer:
        *_, (answer, more) = answers(engine, inspector, wanted.context or (text,), wanted.asked)
        assert not more
        return answer

    return asked


def at(ask: Ask, text: str, number: int) -> Place:
    told = ask(text, Wanted(Asked(View.SURPRISE)))
    assert isinstance(told, SurpriseView)
    return Place(text=told, number=number)


def shown(ask: Ask, text: str, card: Card, place: Place) -> Seen:
    look = card.look(place)
    wanted = next(look)
    while True:
        try:
            wanted = look.send(ask(text, wanted))
        except StopIteration as end:
            assert isinstance(end.value, Seen)
            return end.value


def lines(ask: Ask, text: str, card: Card, place: Place) -> list[str]:
    return [line.plain for line in shown(ask, text, card, place).lines]


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.title)
@pytest.mark.parametrize("text", [SHORT, LONG, "é", "\n"])
def test_a_card_has_room_for_its_numbers_wherever_one_is(ask, card, text) -> None:
    n_tokens = len(text.encode())
    for number in sorted({1, 2, n_tokens // 2 + 1, n_tokens - 1, n_tokens} & {*range(1, 99)}):
        place = at(ask, text, min(number, n_tokens))
        for dial in (card.dials(place)[0], 0, card.dials(place)[-1]):
            for rows, width in ((6, 76), (8, 76), (18, 100)):
                turned = replace(place, dial=dial, part=-3, tries=9, rows=rows, width=width)
                seen = shown(ask, text, card, turned)
                assert 1 <= len(seen.lines) <= rows
                assert not any("\n" in line.plain or "\x1b" in line.plain for line in seen.lines)
                assert all(0 <= level <= 1 for level in (seen.bars.levels if seen.bars else ()))


def test_tokens_stand_above_their_numbers(ask, engine) -> None:
    found = lines(ask, SHORT, tokens.TOKENS, at(ask, SHORT, 3))
    numbers = [int(number) for number in found[2].split()]
    assert numbers == engine.tokenizer.encode(SHORT)[: len(numbers)]
    assert "of 257" in found[-1]


def test_near_are_the_rows_with_the_largest_cosine(ask, tiny_model, engine) -> None:
    rows = tiny_model.token_embedding.weight.detach().numpy()
    token = engine.tokenizer.encode(SHORT)[2]
    cosines = rows @ rows[token] / np.linalg.norm(rows, axis=-1) / np.linalg.norm(rows[token])
    best = np.sort(np.delete(cosines, token))[::-1][:5]
    found = lines(ask, SHORT, tokens.EMBEDDINGS, at(ask, SHORT, 3))
    told = [float(cosine) for cosine in re.findall(r"cosine ([+-]\d\.\d\d)", "\n".join(found))]
    assert told == pytest.approx(best, abs=0.006)


def test_attention_is_of_the_token_under_the_cursor_and_sums_to_1(ask) -> None:
    place = replace(at(ask, SHORT, 6), rows=18)
    seen = shown(ask, SHORT, looking.ATTENTION, place)
    found = [line.plain for line in seen.lines]
    shares = [float(share) for share in re.findall(r"([\d.]+) %", "\n".join(found[1:]))]
    assert sum(shares) == pytest.approx(100, abs=0.5)
    assert sum("itself" in line for line in found) == 1
    assert seen.bars is not None and len(seen.bars.levels) == 7  # what is before it, and itself
    assert max(seen.bars.levels) == 1.0
    other = shown(ask, SHORT, looking.ATTENTION, replace(place, part=1))
    assert other.lines[0].plain != found[0] and other.bars.levels != seen.bars.levels


@pytest.mark.parametrize("number", [1, 8, 15, 16])
def test_in_the_mask_rows_sum_to_1_and_the_future_is_0(ask, number) -> None:
    header, *rows = lines(ask, SHORT, looking.MASK, replace(at(ask, SHORT, number), part=2))
    assert header.startswith("L2H1 takes of")  # two heads a layer
    for query, row in enumerate(rows):
        past, future = row[:14], row[14:]
        shares = [float(share) for share in re.findall(r"([\d.]+) %", future)]
        assert len(shares) == query + 2  # all before, then itself and those of the columns
        assert sum(shares) == pytest.approx(100, abs=0.4)
        assert future.split("%")[-1].split() == ["0"] * (len(rows) - query - 1)
        assert past.strip()


def test_heads_are_gone_over_with_tab(ask) -> None:
    place = at(ask, SHORT, 6)
    names = [
        re.findall(r"L\dH\d", "\n".join(lines(ask, SHORT, looking.HEADS, replace(place, part=by))))
        for by in range(-1, 5)
    ]
    assert [*map("".join, names)] == ["L2H2", "L1H1", "L1H2", "L2H1", "L2H2", "L1H1"]


def test_without_a_neuron_the_text_is_read_again(ask) -> None:
    place = at(ask, SHORT, 6)
    first, second = (
        lines(ask, SHORT, thinking.NEURONS, replace(place, part=1, dial=dial)) for dial in (0, -1)
    )
    chosen = [next(line for line in found if line.startswith("›")) for found in (first, second)]
    for line, found in zip(chosen, (first, second), strict=True):
        name = line.split()[1]
        assert name.startswith("N2.") and found[-1].startswith(f"Without {name}: ")
        assert place.next is not None
        assert f"{-place.next.logprob * BITS:.2f} → " in found[-1]
    assert first[-1] != second[-1]


def test_the_stream_ends_with_the_models_own_chance(ask) -> None:
    place = at(ask, SHORT, 6)
    found = lines(ask, SHORT, thinking.STREAM, place)
    assert place.next is not None
    assert f"M2 {100 * np.exp(place.next.logprob):5.1f} %" in found[-1]
    assert found[1].startswith("embedding") and len(found) == 4


def test_softmax_is_of_the_models_logits(ask, engine) -> None:
    place = at(ask, SHORT, 6)
    logits = engine.next_logits(engine.encode([SHORT])[:7]).astype(np.float64)
    best = np.sort(logits)[::-1][:5]
    found = lines(ask, SHORT, choosing.SOFTMAX, place)
    rows = [re.findall(r"(-?[\d.]+) +([\d.]+) % +([\d.]+) %", line) for line in found[1:6]]
    told = np.array([row[0] for row in rows], dtype=float)
    p = 100 * np.exp(best) / np.exp(logits).sum()
    np.testing.assert_allclose(told, np.stack([best, p, p], axis=-1), atol=0.051)
    assert "252 others" in found[6]


@pytest.mark.parametrize(("dial", "temperature"), [(-6, 0.0), (-2, 0.5), (2, 2.0)])
def test_a_temperature_divides_the_logits(ask, engine, dial, temperature) -> None:
    place = replace(at(ask, SHORT, 6), dial=dial)
    logits = engine.next_logits(engine.encode([SHORT])[:7]).astype(np.float64)
    warm = np.exp((logits - logits.max()) / (temperature or 1e-9))
    head, first, *_ = lines(ask, SHORT, choosing.SOFTMAX, place)
    assert head.endswith(f"of logit / {temperature:g}")
    share = float(re.findall(r"([\d.]+) %", first)[1])
    assert share == pytest.approx(100 / warm.sum(), abs=0.051)


def test_draws_are_those_of_the_sampler(ask, engine) -> None:
    place = replace(at(ask, SHORT, 6), tries=5)
    settings = place.settings
    logits = engine.next_logits(engine.encode([SHORT])[:7])
    expected = []
    for seed in range(6):
        token = filtered(logits, settings, {}, ()).token(next(uniforms(seed)))
        expected.append(said(engine.tokenizer.decode([token])))
    found = lines(ask, SHORT, choosing.CHOOSING, place)
    assert found[-1] == f"drawn 6 times: {' '.join(expected)}"
    assert found[-2].endswith(f"so {expected[-1]} comes")


def test_with_top_k_1_nothing_is_left_to_chance(ask) -> None:
    place = replace(at(ask, SHORT, 6), tries=5)
    found = lines(
        ask, SHORT, choosing.CHOOSING, replace(place, dial=choosing.CHOOSING.dials(place)[0])
    )
    assert len(set(found[-1].partition(": ")[2].split())) == 1
    assert any(re.match(r"top-k 1 +1 ", line) for line in found)
    every = replace(place, dial=choosing.CHOOSING.dials(place)[-1])
    assert not any("top-k" in line for line in lines(ask, SHORT, choosing.CHOOSING, every))


def test_the_loss_is_that_of_gpt_py(ask, engine, tiny_model) -> None:
    found = "\n".join(lines(ask, SHORT, learning.LEARNING, at(ask, SHORT, 6)))
    loss = tiny_model.loss(torch.tensor([engine.encode([SHORT])])).item()
    assert f"{loss:.3f} nats" in found
    assert f"{np.log2(257):.2f} bits a token" in found
    assert f"{loss / np.log(2):.2f} bits a token" in found
