"""`mgpt-tui replay`, as a user runs it."""

import json
from dataclasses import replace

import pytest

from mgpt_tui import paths
from mgpt_tui.inference.inspector import Inspector
from mgpt_tui.inference.loading import FOR_THE_SCREEN, engine_of, load_engine
from mgpt_tui.inference.muting import muted_engine
from mgpt_tui.inference.request import DecodingSettings, Gap, SamplingSettings, noted
from mgpt_tui.inference.steering.bridge import bridges
from mgpt_tui.stories.formats import from_json, to_json
from mgpt_tui.stories.library import StoryLibrary
from mgpt_tui.stories.story import Maker, Story
from mgpt_tui.stories.tree import read_as, spans_between

SETTINGS = SamplingSettings(max_tokens=12, seed=5, ignore_end=True)


@pytest.fixture
def told(tiny_checkpoint):
    """A story with two passages of the tiny model's, kept as Keys."""
    loaded = load_engine(tiny_checkpoint)
    fingerprint = loaded.info.fingerprint
    maker = Maker(model=str(tiny_checkpoint), fingerprint=fingerprint, decoding=loaded.decoding)
    story = Story().write("A fox")
    for note in ("", "Mia."):
        maker = replace(maker, note=note)
        context = noted(note, story.context({fingerprint}))
        generation = loaded.engine.stream(context, SETTINGS)
        story = story.begin(SETTINGS, maker)
        for chunk in generation:
            story = story.extend(chunk.text, chunk.tokens)
        story = story.extend(seed=generation.finished.seed).write("and then")
    StoryLibrary().add(story, "Keys")
    return story


def report(mgpt, *arguments):
    outcome = mgpt("replay", *arguments, "--json")
    assert outcome.code == 0, outcome.err
    return json.loads(outcome.out)


def draws(story):
    return sum(len(span.tokens) for span in story.spans)


def test_what_a_model_wrote_comes_out_the_same(mgpt, told):
    seen = report(mgpt, "Keys")
    assert len(seen["passages"]) == 2
    assert seen["same"] == seen["draws"] == draws(told) > 0
    outcome = mgpt("replay", str(paths.stories_dir() / "Keys.json"))
    assert f"{seen['draws']} of {seen['draws']} draws are the same" in outcome.out


@pytest.fixture
def asked(monkeypatch):
    """How engines were asked for."""
    asked = []

    def make(contents, decoding, spare_cores):
        asked.append((decoding, spare_cores))
        return engine_of(contents, decoding, spare_cores=spare_cores)

    monkeypatch.setattr("mgpt_tui.inference.loading.engine_of", make)
    return asked


def test_the_model_is_run_as_it_was_unless_told_otherwise(mgpt, told, asked):
    seen = report(mgpt, "Keys", "--precision", "bf16", "--threads", "1")
    assert seen["decoding"].startswith("bf16 on cpu, 1 thread,")
    report(mgpt, "Keys")
    used = told.spans[1].decoding.partition(" ")[0]
    assert asked == [
        (DecodingSettings(precision="bf16", threads=1), FOR_THE_SCREEN),
        (DecodingSettings(precision=used), FOR_THE_SCREEN),
    ]


@pytest.fixture
def by_several(tiny_checkpoint):
    """A story with a passage in each of two precisions, and one of which nobody knows how."""
    story, info = Story().write("A fox"), None
    for precision in ("bf16", "fp32", ""):
        loaded = load_engine(tiny_checkpoint, DecodingSettings(precision=precision or "auto"))
        info = loaded.info
        decoding = loaded.decoding if precision else "by hand on paper"
        maker = Maker(model=str(tiny_checkpoint), fingerprint=info.fingerprint, decoding=decoding)
        generation = loaded.engine.stream(story.context({info.fingerprint}), SETTINGS)
        story = story.begin(SETTINGS, maker)
        for chunk in generation:
            story = story.extend(chunk.text, chunk.tokens)
        story = story.extend(seed=generation.finished.seed).write("and then")
    StoryLibrary().add(story, "Several")
    return story


def test_every_passage_is_replayed_as_it_was_written(mgpt, by_several, asked):
    seen = report(mgpt, "Several")
    assert seen["same"] == seen["draws"] == draws(by_several) > 0
    assert [decoding.precision for decoding, _ in asked] == ["bf16", "fp32", "auto"]
    assert seen["decoding"].startswith("bf16 on cpu, 1 thread, torch")
    assert "; fp32 on cpu" in seen["decoding"]
    asked.clear()
    report(mgpt, "Several", "--precision", "int8")
    assert [decoding.precision for decoding, _ in asked] == ["int8"]


@pytest.mark.parametrize("precision", ["auto", "bf16"])
def test_what_was_muted_is_muted_again(mgpt, tiny_checkpoint, precision):
    loaded = load_engine(tiny_checkpoint, DecodingSettings(precision=precision))
    inspector = Inspector(loaded.open_decoder, loaded.engine.tokenizer)
    fingerprint, decoding = loaded.info.fingerprint, loaded.muted_decoding
    maker = Maker(fingerprint=fingerprint, decoding=decoding, muted="M1,A1")
    story = Story().write("A fox").begin(SETTINGS, maker)
    without = muted_engine(loaded.engine, inspector, maker.muted)
    for chunk in without.stream(("A fox",), SETTINGS):
        story = story.extend(chunk.text, chunk.tokens, seed=SETTINGS.seed)
    StoryLibrary().add(story, "Muted")
    seen = report(mgpt, "Muted", "--model", str(tiny_checkpoint))
    assert seen["same"] == seen["draws"] == draws(story) > 0
    assert seen["passages"][0]["muted"] == "M1,A1"
    if precision == "bf16":
        assert seen["decoding"] == decoding
        assert decoding.startswith("fp32 on cpu, the readable model, torch ")
    StoryLibrary().add(from_json(to_json(story).replace("M1,A1", "M9"), "")[0], "Damaged")
    refused = mgpt("replay", "Damaged", "--model", str(tiny_checkpoint))
    assert (refused.code, refused.out) == (2, "")
    assert "The model has no layer 9." in refused.err


def test_another_seed_is_found_out(mgpt, told, tmp_path):
    path = tmp_path / "Keys.json"
    path.write_text(to_json(told).replace('"seed": 5, "until"', '"seed": 6, "until"'))
    seen = report(mgpt, path)
    assert 0 <= seen["same"] < seen["draws"] == draws(told)


def test_what_was_edited_or_chosen_is_told_and_not_tried(mgpt, told):
    changed = told.edited("B" + told.text[1:])
    StoryLibrary().add(changed.choose(len(changed.text), " word", 7), "Edited")
    seen = report(mgpt, "Edited")
    assert [passage["same"] for passage in seen["passages"]] == [None] * 3
    assert "not tried" in mgpt("replay", "Edited").out


def test_passages_of_another_model_are_told(mgpt, told, tmp_path):
    story = told.begin(SETTINGS, Maker(model="gone", fingerprint="f")).extend(" x", (1,), seed=3)
    StoryLibrary().add(story, "Mixed")
    seen = report(mgpt, "Mixed", "--model", told.spans[1].model)
    assert seen["passages"][-1]["same"] is None
    assert "gone" in seen["passages"][-1]["why"]
    assert seen["same"] == seen["draws"] == draws(told)


def test_a_story_that_knows_the_model_by_its_older_fingerprint(mgpt, told, tiny_checkpoint):
    new, old = load_engine(tiny_checkpoint).info.fingerprints
    assert told.spans[1].fingerprint == new
    StoryLibrary().add(from_json(to_json(told).replace(new, old), "old")[0], "Old")
    seen = report(mgpt, "Old")
    assert seen["same"] == seen["draws"] == draws(told) > 0


def test_bad_input(mgpt, told):
    StoryLibrary().add(Story().write("Only mine."), "Mine")
    for arguments in (["nobody"], ["Mine"], ["Keys", "--model", "nobody"], ["missing.json"], []):
        outcome = mgpt("replay", *arguments)
        assert outcome.code == 2
        assert outcome.out == ""
        assert "Traceback" not in outcome.err


def test_a_bridge_comes_out_the_same_and_what_is_behind_it_is_not_tried(
    mgpt, told, tiny_checkpoint
):
    loaded = load_engine(tiny_checkpoint)
    fingerprint, maker = loaded.info.fingerprint, told.spans[1].maker
    at, size = len("A fox"), len(told.text)
    after = read_as(spans_between(told.spans, at, size), {fingerprint}, size)
    gap = Gap(told.context({fingerprint}, at), after)
    settings = SamplingSettings(seed=5, top_k=None, bias=("a=7", "b=7", "\n=7"))
    *_, found = bridges(loaded.engine, gap, settings, 24)
    StoryLibrary().add(told.bridged(at, at, found.ways[0], maker), "Bridged")
    bridge, *behind = report(mgpt, "Bridged")["passages"]
    assert bridge["same"] == bridge["draws"] == len(found.ways[0].tokens) > 0
    assert [passage["same"] for passage in behind] == [None, None]
    assert "what is before it was edited" in behind[0]["why"]
