"""Every token of a passage is known again by its number, in stories as the app keeps them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mgpt_tui.inference.answering import answers
from mgpt_tui.inference.decoders.in_torch.plain import PlainDecoder
from mgpt_tui.inference.engine import Engine
from mgpt_tui.inference.inspection.answers import Asked, DrawView, PartsView, SurpriseView, View
from mgpt_tui.inference.inspection.asked import Drawing
from mgpt_tui.inference.inspector import Inspector
from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.stories.story import Maker, Story
from mgpt_tui.ui.session.passages import Origin, origin_of

MAKER = Maker(model="tiny", fingerprint="f")
DRAWN = SamplingSettings(max_tokens=7, temperature=1.4, top_k=40, seed=3, finish_sentence=False)


@pytest.fixture(scope="module")
def engine(tiny_model, byte_tokenizer):
    return Engine(PlainDecoder(tiny_model), byte_tokenizer)


@pytest.fixture(scope="module")
def inspector(engine):
    return Inspector(engine.decoder, engine.tokenizer)


def told(engine, inspector, context, asked):
    *_, (answer, _) = answers(engine, inspector, context, asked)
    return answer


def origins(engine, inspector, story, settings=DRAWN) -> list[tuple[int, Origin, DrawView]]:
    """Every token of a story: its id, where it is from, and how it was drawn."""
    view = told(engine, inspector, story.context(["f"]), Asked(View.SURPRISE))
    assert isinstance(view, SurpriseView)
    found = []
    for number, token in enumerate(view.tokens, 1):
        origin = origin_of(story, view.tokens, number, ["f"], settings)
        asked = Asked(View.DRAW, draw=origin.drawing)
        drawn = told(engine, inspector, story.context(["f"], origin.end), asked)
        assert drawn.target.token == token.token
        if not origin.drawing.seed:
            assert drawn.uniform is None
            assert drawn.stages[0].p == pytest.approx(2.718281828**token.logprob, rel=1e-4)
        found.append((token.token, origin, drawn))
    return found


@pytest.mark.parametrize(
    "settings",
    [
        DRAWN,
        replace(DRAWN, top_k=None, top_p=0.9, min_p=0.01, repetition_penalty=1.3),
        replace(DRAWN, temperature=0.0),
        replace(DRAWN, max_tokens=45, bias=("e=2",), ban=("a",), ignore_end=True),
    ],
    ids=["top-k", "many", "greedy", "longer than the window"],
)
@pytest.mark.parametrize("begin", ["A fox", "The 12", "x" * 40, ""])
def test_every_token_of_a_passage_is_known_again(engine, inspector, settings, begin) -> None:
    story = Story().write(begin)
    for seed in (3, 4):  # two passages, the second after the first
        own = replace(settings, seed=seed)
        chunks = list(engine.stream(story.context(["f"]), own))
        story = story.begin(own, MAKER).extend_by(chunks, seed=seed)
    found = origins(engine, inspector, story)
    drawn = [(origin, view) for _, origin, view in found if origin.drawing.seed is not None]
    assert len(drawn) == sum(len(span.tokens) for span in story.spans) > 0
    assert {origin.drawing.seed for origin, _ in drawn} == {3, 4}
    assert all(view.drawn == view.target for _, view in drawn)
    assert all(view.low <= view.uniform < view.high for _, view in drawn)


def test_every_token_of_a_kept_sample_is_known_again(engine, inspector) -> None:
    base = Story().write("A fox")
    samples = engine.together(base.context(["f"]), DRAWN, 3)
    for number, sample in enumerate(samples):
        story = base.begin(DRAWN, MAKER).extend_by(list(sample), seed=DRAWN.seed + number)
        found = origins(engine, inspector, story)
        drawn = [view for _, origin, view in found if origin.drawing.seed is not None]
        assert len(drawn) == len(story.spans[-1].tokens) > 0
        assert all(view.drawn == view.target for view in drawn)


def test_a_number_of_another_seed_falls_elsewhere(engine, inspector) -> None:
    story = Story().write("A fox")
    chunks = list(engine.stream(story.context(["f"]), DRAWN))
    story = story.begin(DRAWN, MAKER).extend_by(chunks, seed=99)
    found = origins(engine, inspector, story)
    drawn = [view for _, origin, view in found if origin.drawing.seed is not None]
    assert any(view.drawn != view.target for view in drawn)


def test_what_could_come_next_has_no_number(engine, inspector) -> None:
    asked = Asked(View.DRAW, draw=Drawing(DRAWN, ()))
    view = told(engine, inspector, ("A fox",), asked)
    assert view.uniform is None and view.drawn is None
    assert view.target.token == view.stages[-1].top[0].token
    assert view.high - view.low == pytest.approx(view.stages[-1].p)


@pytest.mark.parametrize("number", [None, 2, 5])
def test_a_token_is_compared_with_its_likeliest_rival(engine, inspector, number) -> None:
    context = ("A fox",)
    told_by = told(engine, inspector, context, Asked(View.PARTS, number, rival=True))
    assert isinstance(told_by, PartsView) and told_by.minus is not None
    best = inspector.guesses(engine.encode(context), number or 6, 2)
    others = [guess.token for guess in best if guess.token != told_by.target.token]
    assert told_by.minus.token == others[0]
    asked = Asked(View.PARTS, number, minus=others[0])
    assert told(engine, inspector, context, asked) == told_by
    named = Asked(View.PARTS, number, minus="x", rival=True)
    assert told(engine, inspector, context, named).minus.text == "x"
