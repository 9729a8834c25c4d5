"""What another word changes, and where in the model it matters."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgpt_tui.errors import UserError
from mgpt_tui.inference.decoders.edits import Edit
from mgpt_tui.inference.decoders.in_torch.plain import PlainDecoder
from mgpt_tui.inference.inspection.surprise import logprobs_of
from mgpt_tui.inference.inspection.tracing import Trace, added_bits, change
from mgpt_tui.inference.inspection.window import Reading
from mgpt_tui.model.config import GPTConfig

SHAPE = GPTConfig(n_layer=2, n_head=2, n_embd=16, block_size=16, vocab_size=257, dropout=0.0)


@pytest.mark.parametrize(
    ("original", "changed", "found"),
    [
        ([9, 1, 2, 3], [9, 1, 5, 3], (2, 3, 0)),
        ([9, 1, 2, 3], [9, 5, 6, 3], (1, 3, 0)),
        ([9, 1, 2, 3], [9, 1, 5, 6, 3], (2, 3, 1)),
        ([9, 1, 2, 3], [9, 1, 3], (2, 3, -1)),
        ([9, 1, 1, 1], [9, 1, 1], (3, 4, -1)),
        ([9, 1], [9, 1, 2], (2, 2, 1)),
        ([9, 1, 2], [9, 3], (1, 3, -1)),
    ],
)
def test_where_texts_differ(original, changed, found):
    difference = change(original, changed)
    assert (difference.first, difference.end, difference.shift) == found
    with pytest.raises(UserError, match="the same"):
        change(original, original)


@given(length=st.integers(3, 40), at=st.integers(1, 39), more=st.integers(0, 3))
def test_added_bits_are_the_difference_of_two_readings(random_model, sequences, length, at, more):
    decoder, tokens = PlainDecoder(random_model(SHAPE)), sequences(length, more)
    at = min(at, length - 1)
    changed = [*tokens[:at], *([(tokens[at] + 1) % 256] * (1 + more)), *tokens[at + 1 :]]
    found, bits = added_bits(Reading(decoder, tokens), Reading(decoder, changed))
    assert len(bits) == length - found.end <= length - at - 1
    for number, added in zip(range(found.end, length), bits, strict=True):
        before = alone(decoder, tokens, number)
        assert added == pytest.approx(before - alone(decoder, changed, number + more), abs=1e-4)


def alone(decoder, tokens, number):
    """Log-probability of one token in bits, read by itself."""
    seen = tokens[decoder.config.window_start(number) : number]
    logits = decoder.recorded(seen, ["logits"], [len(seen) - 1]).logits.astype(np.float64)
    return float(logprobs_of(logits, [tokens[number]])[0]) / np.log(2)


@pytest.fixture(scope="module", params=[0, 1], ids=["one word", "two"])
def traced(request, case):
    """A trace in fp64, with all that it says by edits of whole passes."""
    changed = list(case.tokens)
    changed[5] = (changed[5] + 1) % 256
    if request.param:
        changed[7] = (changed[7] + 3) % 256
    trace = Trace(case.reading, changed, 15, case.tokens[15])
    return case, changed, trace, list(trace.columns())


def test_tracing_is_a_pass_with_one_stream_restored(traced):
    case, changed, trace, columns = traced
    decoder, target = case.decoder, case.tokens[15]
    clean = decoder.recorded(case.tokens[:15])

    def logprob(decoder, tokens):
        logits = decoder.recorded(tokens[:15]).logits[-1]
        return float(logits[target] - np.log(np.exp(logits).sum()))

    assert trace.original == pytest.approx(logprob(decoder, case.tokens), abs=1e-9)
    assert trace.changed == pytest.approx(logprob(decoder, changed), abs=1e-9)
    assert trace.first == 5 and trace.total == len(columns) == 10
    assert [column.token for column in columns] == list(range(14, 4, -1))
    for column in columns:
        assert len(column.undone) == 7
        for station, undone in enumerate(column.undone):
            restored = Edit(
                part="stream",
                layer=station,
                factor=0,
                vector=clean.stream[station, column.token],
                first=column.token,
                end=column.token + 1,
            )
            found = logprob(decoder.edited([restored]), changed)
            expected = (found - trace.changed) / (trace.original - trace.changed)
            assert undone == pytest.approx(expected, abs=1e-8)
    assert columns[0].undone[-1] == pytest.approx(1, abs=1e-9)  # the last of all stations


def test_everything_restored_is_the_original(traced):
    """At one station, all tokens that differ: nothing is left of the change."""
    case, changed, _, columns = traced
    clean = case.decoder.recorded(case.tokens[:15])
    if sum(a != b for a, b in zip(changed, case.tokens, strict=True)) == 1:
        assert columns[-1].undone[0] == pytest.approx(1, abs=1e-9)
    for station in range(7):
        edit = Edit(
            part="stream", layer=station, factor=0, vector=clean.stream[station, 5:15],
            first=5, end=15,
        )  # fmt: skip
        found = case.decoder.edited([edit]).recorded(changed[:15])
        np.testing.assert_allclose(found.logits[-1], clean.logits[-1], rtol=0, atol=1e-9)


def test_compiled_code_traces_the_same(random_model, native_decoder, sequences):
    decoder, tokens = native_decoder(random_model(SHAPE)), sequences(16)
    changed = [*tokens[:4], (tokens[4] + 1) % 256, *tokens[5:]]
    trace = Trace(Reading(decoder, tokens), changed, 16, 30)
    columns = list(trace.columns())
    assert columns[0].undone[-1] == columns[-1].undone[0] == 1.0  # to the last bit
    again = Trace(Reading(decoder, tokens), changed, 16, 30)
    assert list(again.columns()) == columns


@pytest.mark.parametrize(
    ("changed", "number", "said"),
    [
        (lambda tokens: [*tokens, 3], 9, "same number of tokens"),
        (lambda tokens: tokens, 9, "the same"),
        (lambda tokens: [*tokens[:9], 0, *tokens[10:]], 9, "not before the choice"),
        (lambda tokens: [*tokens[:2], 0, *tokens[3:]], 30, "no longer saw"),
    ],
)
def test_what_cannot_be_traced_is_told(random_model, sequences, changed, number, said):
    tokens = [token + 1 if token < 255 else token for token in sequences(32)]
    reading = Reading(PlainDecoder(random_model(SHAPE)), tokens)
    with pytest.raises(UserError, match=said):
        Trace(reading, changed(tokens), number, 1)
