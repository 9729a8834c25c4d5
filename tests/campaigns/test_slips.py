"""What `campaigns/slips.py` judges: a name or an animal out of nowhere."""

import pytest
from slips import names_in, new_kinds, new_names

BEGINNING = "One day, Ben and his friend Mia met a fox."
NAMES = names_in([BEGINNING, "Then Tim and Sue came to Mom. They saw Rose, a rose."])


def test_names_stand_within_a_sentence_and_never_in_small_letters():
    assert {"Ben", "Mia", "Tim", "Sue"} == NAMES


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (" Ben ran. Mia ran.", []),
        (" Tim was happy. Tim ran.", ["Tim"]),
        (" His friend, Tim, came, and a boy named Sue.", []),
        (' "I\'m Tim," it said. Then Sue ran.', ["Sue"]),
    ],
)
def test_a_name_that_nothing_introduces_is_out_of_nowhere(text, found):
    assert new_names(BEGINNING, text, NAMES) == found


def test_the_first_name_of_a_story_is_not():
    assert new_names("A fox ran.", " Tim ran. Sue ran.", NAMES) == ["Sue"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (" The fox ran to the old dog.", ["dog"]),
        (" A dog came. The puppy and the fox ran.", []),
        (" They met their friend, the bird.", []),
    ],
)
def test_an_animal_is_the_one_once_it_was_met(text, found):
    assert new_kinds(BEGINNING, text) == found
    assert new_kinds("Ben ran.", text.replace("fox", "boy").replace("A dog", "The dog")) == []
