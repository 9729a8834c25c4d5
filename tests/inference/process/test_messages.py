"""The protocol: every message survives the wire, and nothing else is taken for one."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgpt_tui.inference.inspection.answers import (
    AttentionView,
    DrawView,
    Head,
    Interval,
    LensView,
    Merge,
    Near,
    Neuron,
    NeuronsView,
    Parts,
    PartsView,
    Scored,
    Shares,
    Stage,
    Station,
    Stretch,
    SurpriseView,
    TokensView,
)
from mgpt_tui.inference.inspection.asked import Asked, Drawing, Guess, Said, View
from mgpt_tui.inference.inspection.experiments import (
    Column,
    Cost,
    CostsView,
    MuteView,
    Shape,
    TraceView,
    WhatIfView,
)
from mgpt_tui.inference.process.lines import ProtocolError, decode, encode
from mgpt_tui.inference.process.messages import (
    LARGEST_COUNT,
    Bridge,
    Bridged,
    Chunks,
    Died,
    Ended,
    Failed,
    Generate,
    Inspect,
    Inspected,
    Look,
    Measure,
    Measured,
    Rank,
    Ranked,
    Ready,
    Replaced,
    Seen,
    Started,
    Stop,
    Tell,
    Told,
)
from mgpt_tui.inference.request import (
    Alternative,
    Distribution,
    Finished,
    FinishReason,
    Gap,
    Note,
    SamplingSettings,
    Until,
    Way,
)
from mgpt_tui.text import TextChunk

ids = st.integers(0, 2**40)
counts = st.integers(0, 10**6)
seeds = st.integers(0, 2**63 - 1)
texts = st.text(st.characters(), max_size=20)  # lone surrogates and controls among them
tokens = st.lists(st.integers(0, 65535), max_size=5).map(tuple)
sampling = st.builds(
    SamplingSettings,
    temperature=st.floats(0, 10),
    top_k=st.none() | st.integers(1, 10**5),
    max_tokens=st.integers(1, 10**6),
    seed=st.none() | seeds,
    finish_sentence=st.booleans(),
)
parts = st.one_of(texts, tokens, st.builds(Note, texts))
contexts = st.lists(parts, max_size=4).map(tuple)
shares = st.floats(0, 1)
finished = st.builds(
    Finished,
    reason=st.sampled_from(FinishReason),
    tokens=counts,
    seconds=st.floats(0, 1e6),
    seed=seeds,
    window_start=counts,
    context_tokens=counts,
)
pieces = st.lists(st.builds(TextChunk, texts, tokens), max_size=3).map(tuple)
said = st.builds(Said, counts, texts)
signed = st.floats(-1e9, 1e9)
stretches = st.builds(Stretch, counts, counts, signed, counts)
shares_of = st.builds(Shares, shares, shares, shares, shares)
many = st.lists(signed, max_size=3).map(tuple)
guesses = st.lists(st.builds(Guess, counts, texts, shares), max_size=3).map(tuple)
answers = st.one_of(
    st.builds(
        SurpriseView,
        st.lists(st.builds(Scored, counts, texts, counts, signed, counts, signed)).map(tuple),
        st.lists(stretches, max_size=2).map(tuple),
        st.lists(stretches, max_size=2).map(tuple),
        stretches,
        signed,
    ),
    st.builds(
        AttentionView,
        counts,
        st.lists(
            st.lists(st.builds(Head, texts, shares_of, counts, shares, signed)).map(tuple),
            max_size=2,
        ).map(tuple),
        shares_of,
        many,
        many,
    ),
    st.builds(
        LensView,
        said,
        st.lists(
            st.builds(
                Station,
                texts,
                guesses,
                shares,
                counts,
            ),
            max_size=3,
        ).map(tuple),
    ),
    st.builds(
        PartsView,
        said,
        st.none() | said,
        st.builds(
            Parts,
            *(signed, signed, st.lists(many, max_size=2).map(tuple), many),
            *(signed, signed, signed),
        ),
    ),
    st.builds(
        NeuronsView,
        said,
        st.none() | said,
        st.lists(st.builds(Neuron, counts, counts, signed, signed)).map(tuple),
    ),
    st.builds(
        TokensView,
        said,
        st.lists(st.builds(Merge, texts, texts, counts), max_size=3).map(tuple),
        st.lists(st.builds(Near, counts, texts, signed), max_size=3).map(tuple),
        counts,
        st.lists(st.builds(Near, counts, texts, signed), max_size=3).map(tuple),
    ),
    st.builds(
        DrawView,
        said,
        st.lists(st.builds(Stage, texts, counts, guesses, shares), max_size=3).map(tuple),
        st.none() | shares,
        st.none() | said,
        *(shares, shares),
        st.lists(st.builds(Interval, counts, texts, shares, shares), max_size=3).map(tuple),
    ),
    st.builds(
        MuteView,
        st.lists(texts, max_size=2).map(tuple),
        *(many, signed, guesses, guesses),
        st.builds(Shape, counts, counts, counts),
    ),
    st.builds(CostsView, st.lists(st.builds(Cost, texts, signed)).map(tuple), counts),
    st.builds(WhatIfView, counts, counts, many),
    st.builds(
        TraceView,
        said,
        *(signed, signed),
        st.lists(st.builds(Column, counts, many), max_size=3).map(tuple),
        counts,
    ),
)
targets = st.none() | counts | texts
asked = st.builds(
    Asked,
    *(st.sampled_from(View), st.none() | counts, targets, targets, counts, counts),
    st.integers(1, LARGEST_COUNT),
    st.none() | st.builds(Drawing, sampling, tokens, texts, st.none() | seeds),
    *(texts, st.booleans(), contexts, st.booleans()),
)
messages = st.one_of(
    st.builds(Inspect, ids, contexts, asked),
    st.builds(Inspected, ids, answers, st.booleans()),
    st.builds(Replaced, ids),
    st.builds(
        Generate, ids, contexts, sampling, st.sampled_from(Until), st.integers(1, LARGEST_COUNT)
    ),
    st.builds(Stop, ids),
    st.builds(Look, ids, contexts, sampling, st.integers(1, LARGEST_COUNT)),
    st.builds(Measure, ids, contexts),
    st.builds(Measured, ids, counts),
    st.builds(Rank, ids, contexts, st.lists(texts.filter(bool), min_size=1).map(tuple)),
    st.builds(Ranked, ids, many),
    st.builds(Tell, ids, contexts, sampling, texts),
    st.builds(Told, ids, texts, finished),
    st.builds(
        Bridge,
        ids,
        st.builds(Gap, contexts, contexts, texts),
        sampling,
        st.integers(1, LARGEST_COUNT),
        texts,
    ),
    st.builds(
        Bridged,
        ids,
        st.lists(st.builds(Way, pieces, sampling, seeds, signed), max_size=3).map(tuple),
        signed,
        counts,
        st.booleans(),
    ),
    st.builds(
        Ready,
        texts,
        counts,
        st.integers(1, 2**20),
        texts,
        texts,
        st.lists(texts, max_size=2).map(tuple),
    ),
    st.builds(Started, ids, counts, counts, seeds),
    st.builds(Chunks, ids, st.lists(st.builds(TextChunk, texts, tokens)).map(tuple), counts),
    st.builds(Ended, ids, finished, counts),
    st.builds(
        Seen,
        ids,
        st.builds(
            Distribution,
            st.lists(st.builds(Alternative, counts, texts, shares, shares), max_size=3).map(tuple),
            st.floats(0, 20),
        ),
    ),
    st.builds(Failed, st.none() | ids, texts, texts),
)


@given(message=messages)
def test_a_message_comes_back_as_it_was_from_one_line(message):
    line = encode(message)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert line.isascii()
    assert decode(line) == message


def test_the_end_reason_comes_back_as_one():
    end = Ended(1, Finished(FinishReason.LENGTH, 3, 0.5, 7, 0, 4))
    back = decode(encode(end))
    assert isinstance(back, Ended)
    assert back.finished.reason is FinishReason.LENGTH


GOOD = json.loads(encode(Generate(1, ("a", (2, 3)), SamplingSettings())))


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"hello\n",
        b"null\n",
        b"[]\n",
        b'{"id": 1}\n',
        b'{"type": "Quit"}\n',
        b'{"type": ["Stop"], "id": 1}\n',
        b'{"type": "Stop"}\n',
        b'{"type": "Stop", "id": "1"}\n',
        b'{"type": "Stop", "id": true}\n',
        b'{"type": "Stop", "id": 1.0}\n',
        b'{"type": "Stop", "id": 1, "more": 2}\n',
        b'{"type": "Stop", "id": 1} {"type": "Stop", "id": 2}\n',
        b'{"type": "Stop", "id": 1\n',
        b"\xff\xfe\n",
        b"[" * 100_000,
        json.dumps(GOOD | {"context": "abc"}).encode(),
        json.dumps(GOOD | {"context": [None]}).encode(),
        json.dumps(GOOD | {"context": [["a"]]}).encode(),
        json.dumps(GOOD | {"settings": {}}).encode(),
        json.dumps(GOOD | {"until": "tomorrow"}).encode(),
        json.dumps(GOOD | {"until": ["word"]}).encode(),
        json.dumps(GOOD | {"samples": 0}).encode(),
        json.dumps(GOOD | {"samples": 10**9}).encode(),
        json.dumps({name: GOOD[name] for name in GOOD if name != "samples"}).encode(),
        json.dumps(GOOD | {"settings": GOOD["settings"] | {"finish_sentence": 1}}).encode(),
        b'{"type": "Look", "id": 1, "context": [], "settings": {}, "count": 3}',
        json.dumps(GOOD | {"settings": GOOD["settings"] | {"temperature": -1}}).encode(),
        json.dumps(GOOD | {"settings": GOOD["settings"] | {"temperature": float("nan")}}).encode(),
        json.dumps(GOOD | {"settings": GOOD["settings"] | {"top_k": 1.5}}).encode(),
        json.dumps(GOOD | {"settings": GOOD["settings"] | {"temperature": 10**400}}).encode(),
        json.dumps(GOOD).replace("0.8", "1e999").encode(),
        json.dumps(GOOD | {"context": [[-1]]}).encode(),
        json.dumps(GOOD | {"context": [[2**63]]}).encode(),
        json.dumps(GOOD | {"id": 10**30}).encode(),
        b'{"type": "Measured", "id": 1, "context_tokens": -1}\n',
        b'{"type": "Stop", "id": ' + b"9" * 5000 + b"}\n",
        b'{"type": "Seen", "id": 1, "distribution": {"alternatives": [], "entropy": 1e999}}\n',
        b'{"type": "Seen", "id": 1, "distribution": {"alternatives": [], "entropy": 1'
        + b"0" * 400
        + b"}}\n",
        encode(Ready("m", 1, 8, "f", "d")).replace(b"8", b"0"),
        json.dumps(GOOD).encode().replace(b'["a"', b'["\xed\xa0\x80\xed\xbf\xbf"'),
        json.dumps(GOOD).encode("utf-16"),
    ],
)
def test_what_is_no_message_is_refused(line):
    with pytest.raises(ProtocolError):
        decode(line)


def test_the_bad_lines_differ_from_a_good_one():
    assert decode(json.dumps(GOOD).encode()) == Generate(1, ("a", (2, 3)), SamplingSettings())


def test_a_whole_number_may_stand_for_a_fraction():
    line = json.dumps(GOOD | {"settings": GOOD["settings"] | {"temperature": 1}}).encode()
    message = decode(line)
    assert isinstance(message, Generate)
    assert message.settings.temperature == 1.0


def test_a_death_is_never_sent():
    with pytest.raises(ProtocolError):
        decode(encode(Died(-9)))
