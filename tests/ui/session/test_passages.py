"""How the tokens of a story came about, in stories as they are written, changed and kept."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from mgpt_tui.inference.inspection.answers import Scored
from mgpt_tui.inference.request import FinishReason, SamplingSettings, TextChunk
from mgpt_tui.stories.story import Maker, Story
from mgpt_tui.ui.session.comparison import Comparison
from mgpt_tui.ui.session.passages import Origin, origin_of

MAKER = Maker(model="storyteller", fingerprint="f")
THEN = SamplingSettings(temperature=0.7, top_k=9)
NOW = SamplingSettings(temperature=1.2)
PASSAGE = (TextChunk(" on", (1,)), TextChunk(" the", (2,)), TextChunk(" ground", (3,)))


def generated(story: Story, *chunks: TextChunk, seed: int = 5, maker: Maker = MAKER) -> Story:
    return story.begin(THEN, maker).extend_by(chunks or PASSAGE, seed=seed)


def read(story: Story) -> list[Scored]:
    """The tokens as which a model of words reads it: one with the fingerprint f."""
    said = {1: " on", 2: " the", 3: " ground", 4: " 魔", 5: "", 6: "法", 7: "g", 8: " fell"}
    tokens, end = [], 0
    for part in story.context(["f"]):
        words = re.findall(r"\s?\w+|\W", part) if isinstance(part, str) else part
        for word in words:
            id, text = (word, said[word]) if isinstance(word, int) else (900, word)
            end += len(text)
            tokens.append(Scored(id, text, end, -1.0, 1, 1.0))
    assert end == len(story.text)
    return tokens


def origin(story: Story, number: int) -> Origin:
    return origin_of(story, read(story), number, ["f"], NOW)


def undrawn(story: Story, number: int, settings: SamplingSettings = NOW) -> str:
    """Why there is no number; what is asked then is what the model read."""
    found = origin(story, number)
    assert found.drawing.seed is None and found.end == 0 and not found.drawing.lead
    assert found.drawing.tokens == tuple(token.token for token in read(story)[:number])
    assert found.drawing.settings == settings
    assert found.why
    return found.why


def test_a_token_of_a_passage_is_known_with_its_seed_settings_and_context() -> None:
    story = generated(Story().write("A key fell"))
    for number, tokens in ((4, (1,)), (5, (1, 2)), (6, (1, 2, 3))):
        found = origin(story, number)
        assert found.drawing.tokens == tokens
        assert (found.drawing.settings, found.drawing.seed) == (THEN, 5)
        assert (found.end, found.why) == (len("A key fell"), "")
    for number in (1, 2, 3):
        assert undrawn(story, number) == "You wrote it, so no number drew it."


def test_passages_that_follow_each_other_have_numbers_of_their_own() -> None:
    story = generated(generated(Story()), seed=6)
    assert origin(story, 3).drawing.seed == 5 and origin(story, 3).end == 0
    found = origin(story, 4)
    assert (found.drawing.seed, found.drawing.tokens) == (6, (1,))
    assert found.end == len(" on the ground")


def test_a_word_that_the_model_finished_is_the_lead_of_its_passage() -> None:
    story = generated(Story().write("A key fe"), TextChunk("ll", ()), *PASSAGE)
    assert undrawn(story, 3) == (
        "The model finished your word here, but drew other tokens than this one."
    )
    found = origin(story, 5)
    assert (found.drawing.lead, found.drawing.tokens) == ("ll", (1, 2))
    assert found.end == len("A key fe")


def test_tokens_that_make_a_character_together_have_a_draw_each() -> None:
    story = generated(Story().write("A"), TextChunk(" 魔", (4,)), TextChunk("法", (5, 6)))
    assert [origin(story, number).drawing.tokens for number in (2, 3, 4)] == [
        (4,),
        (4, 5),
        (4, 5, 6),
    ]


def test_another_word_was_chosen_and_what_follows_it_was_drawn() -> None:
    story = generated(Story().write("A key"))
    changed = generated(story.choose(len("A key on"), " fell", 8, MAKER), seed=7)
    assert changed.text == "A key on fell on the ground"
    assert origin(changed, 3).drawing.seed == 5
    assert undrawn(changed, 4) == "You chose it yourself, so no number drew it."
    found = origin(changed, 5)
    assert (found.drawing.seed, found.end) == (7, len("A key on fell"))


def test_behind_an_edit_draws_are_not_known_and_before_it_they_are() -> None:
    story = generated(generated(Story().write("A key")).write("and then"), seed=6)
    changed = story.edited(story.text.replace("and then", "but then"))
    assert origin(changed, 5).drawing.seed == 5
    assert undrawn(changed, 7) == "You wrote it, so no number drew it."
    assert undrawn(changed, 8, THEN) == (
        "The story before it was changed, so its draw is not known any more."
    )


def test_of_a_token_that_was_cut_a_part_is_left() -> None:
    story = generated(Story().write("A key")).choose(len("A key on th"), " fell", 8, MAKER)
    assert story.text == "A key on th fell"
    assert origin(story, 3).drawing.seed == 5
    assert "not whole" in undrawn(story, 4)
    assert "chose" in undrawn(story, 5, NOW)


def test_what_another_model_wrote_only_that_one_draws() -> None:
    story = generated(Story().write("A key"), maker=Maker(model="\x1b[31mbig", fingerprint="g"))
    assert undrawn(story, 4) == "␛[31mbig wrote it, and only that model could draw it again."
    assert "Another model" in undrawn(generated(Story(), maker=Maker()), 1)


@pytest.mark.parametrize("choice", [0, 2])
def test_a_sample_that_was_kept_has_its_own_seed(choice: int) -> None:
    comparison = Comparison(Story().write("A key"), THEN, MAKER, 3)
    comparison.began(40)
    for column in comparison.columns:
        column.add(list(PASSAGE))
    assert origin(comparison.kept(choice), 4).drawing.seed == 40 + choice


def test_a_sample_that_was_to_go_past_the_end_says_so() -> None:
    comparison = Comparison(Story().write("A key"), THEN, MAKER, 2)
    comparison.began(40)
    comparison.columns[0].add(list(PASSAGE))
    for column in comparison.columns:
        column.reason = FinishReason.END
    comparison.begin_anew()
    comparison.columns[1].add(list(PASSAGE))
    settings = [origin(comparison.kept(choice), 3).drawing.settings for choice in (0, 1)]
    assert settings == [THEN, replace(THEN, ignore_end=True)]


def test_where_the_model_reads_other_tokens_nothing_is_claimed() -> None:
    story = generated(Story().write("A key"))
    tokens = read(story)
    tokens[3] = replace(tokens[3], token=77)
    found = origin_of(story, tokens, 4, ["f"], NOW)
    assert found.drawing.seed is None
    assert found.why == "Which draw of its passage it was cannot be told."
