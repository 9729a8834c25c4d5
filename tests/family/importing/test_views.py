"""Everything that can be looked at can be looked at in an imported model."""

import json

import numpy as np
import pytest

from mgpt_tui.inference.answering import answers
from mgpt_tui.inference.decoders import compiling
from mgpt_tui.inference.inspection.asked import Asked, Drawing, View
from mgpt_tui.inference.inspector import Inspector
from mgpt_tui.inference.loading import load_engine
from mgpt_tui.inference.request import DecodingSettings, SamplingSettings
from mgpt_tui.model.registry import find_model

compiled = pytest.param(
    "native",
    marks=pytest.mark.skipif(not compiling.is_available(), reason="there is no C compiler"),
)
STORY = tuple(range(60, 84))
OTHER = (*STORY[:3], 200, *STORY[4:])
DRAW = Drawing(SamplingSettings(seed=3), (5, 6), seed=3)


@pytest.mark.parametrize("precision", ["fp32", compiled])
@pytest.mark.parametrize("shape", ["gpt2", "narrow", "untied", "gpt_neo"])
def test_every_view_tells_of_it(theirs, mgpt, shape, precision):
    assert mgpt("import", theirs(shape).folder, "--name", "base").code == 0
    loaded = load_engine(find_model("base").path, DecodingSettings(precision=precision))
    inspector = Inspector(loaded.open_decoder, loaded.engine.tokenizer)
    told = {}
    for view in View:
        asked = Asked(view, 20, instead=(OTHER,), draw=DRAW, mute="L1H1,M2,N3.40", mean=True)
        *_, (told[view], more) = answers(loaded.engine, inspector, (STORY,), asked)
        assert not more
    parts = told[View.PARTS].parts
    assert parts.sum == pytest.approx(parts.logit, abs=1e-6)
    assert abs(parts.rounding) <= parts.bound
    assert told[View.MUTE].shape.neurons == loaded.info.config.neurons
    seen = np.array(told[View.ATTENTION].weights)
    assert seen.sum() == pytest.approx(1, abs=1e-5)
    outcome = mgpt(
        *("inspect", "--model", "base", "--prompt", "Once upon a time", "--token", 3, "--json"),
        *("--precision", precision, "--mute", "L2H1"),
    )
    assert outcome.code == 0 and json.loads(outcome.out)
