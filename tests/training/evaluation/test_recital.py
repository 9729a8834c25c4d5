"""What a model recites of its training text."""

from __future__ import annotations

from training.evaluation.completions import Completion
from training.evaluation.recital import ASKED, EXPOSED, beginnings_of, found_in

LONG = " ".join(f"word{number}" for number in range(60))


def completion(text):
    return Completion("", text, 1, True, 1)


def test_beginnings_are_the_first_words_as_they_stand():
    text = '"Oh, no!"  said\nMia, who had\ta red kite ' + LONG
    assert beginnings_of([text]) == ['"Oh, no!"  said\nMia, who had\ta red kite word0']
    assert beginnings_of(["too short to be recited", "", "   "]) == []


def test_of_many_stories_some_are_drawn_the_same_each_time():
    stories = [f"{number} {LONG}" for number in range(1000)]
    chosen = beginnings_of(stories)
    assert len(set(chosen)) == ASKED and chosen == beginnings_of(iter(stories))
    drawn = [int(text.split()[0]) for text in chosen]
    assert min(drawn) < 100 and max(drawn) > 900, "from all of the text"
    assert 400 < sum(drawn) / ASKED < 600


def test_a_story_is_exposed_where_more_words_come_out_than_people_share():
    words = LONG.split()
    recited = [completion(" ".join(words[10 : 10 + length])) for length in (5, EXPOSED, 30)]
    own, other = found_in([LONG], [recited, [completion("nothing of it")]])
    assert (own.exposed, other.exposed) == (1, 0)
    assert [len(found.longest) for _, found in own.longest_first()] == [30, EXPOSED, 5]
    assert own.to_dict()["longest_shared"] == 30
    assert other.to_dict()["longest_shared"] == 0
