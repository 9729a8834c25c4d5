"""What a model recites of its training text."""

from __future__ import annotations

from training.evaluation.completions import Completion
from training.evaluation.recital import ASKED, EXPOSED, found_in, stories_to_ask

LONG = " ".join(f"word{number}" for number in range(60))


def completion(text):
    return Completion("", text, 1, True, 1)


def test_beginnings_are_the_first_words_as_they_stand():
    text = '"Oh, no!"  said\nMia, who had\ta red kite ' + LONG
    (asked,) = stories_to_ask([text])
    assert asked.beginning == '"Oh, no!"  said\nMia, who had\ta red kite word0'
    assert asked.rest == tuple(LONG.split()[1 : EXPOSED + 2])
    assert stories_to_ask(["too short to be recited", "", "   "]) == []


def test_of_many_stories_some_are_drawn_the_same_each_time():
    stories = [f"{number} {LONG}" for number in range(1000)]
    chosen = stories_to_ask(stories)
    assert len(set(chosen)) == ASKED and chosen == stories_to_ask(iter(stories))
    drawn = [int(asked.beginning.split()[0]) for asked in chosen]
    assert min(drawn) < 100 and max(drawn) > 900, "from all of the text"
    assert 400 < sum(drawn) / ASKED < 600


def test_a_story_is_exposed_where_more_words_come_out_than_people_share():
    words = LONG.split()
    asked = stories_to_ask([LONG]) * 3
    recited = [completion(" ".join(words[20 : 20 + length])) for length in (5, EXPOSED, 30)]
    own, other = found_in([LONG], asked, [recited, [completion("nothing of it")] * 3])
    assert (own.exposed, other.exposed) == (1, 0)
    assert [len(found.longest) for _, found in own.longest_first()] == [30, EXPOSED, 5]
    assert own.to_dict()["longest_shared"] == 30
    assert other.to_dict()["longest_shared"] == 0


def test_a_short_story_is_exposed_where_all_the_rest_of_it_comes_out():
    words = LONG.split()[:24]
    story, rest = " ".join(words), words[10:]
    recited = [completion(" " + " ".join(said)) for said in (rest, rest[:-1], rest[1:])]
    (found,) = found_in([story], stories_to_ask([story]) * 3, [recited])
    assert found.exposed == 1
