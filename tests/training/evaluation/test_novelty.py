"""Shared runs, against a search that tries everything."""

from hypothesis import given, settings
from hypothesis import strategies as st

from training.evaluation import novelty
from training.evaluation.measures import ngrams
from training.evaluation.novelty import GRAM, SharedRuns

TEXTS = st.lists(st.lists(st.sampled_from("abcd"), max_size=14), min_size=1, max_size=5)


def stands_in(run, texts):
    return any(tuple(run) in ngrams(text, len(run)) for text in texts)


def longest_length(completion, training):
    for length in range(len(completion), 0, -1):
        if any(stands_in(gram, training) for gram in ngrams(completion, length)):
            return length
    return 0


@settings(deadline=None)
@given(completions=TEXTS, training=TEXTS, portion=st.integers(1, 20))
def test_equals_a_search_that_tries_everything(completions, training, portion):
    before, novelty.PORTION = novelty.PORTION, portion
    try:
        runs = SharedRuns(completions)
        runs.read(training)
    finally:
        novelty.PORTION = before
    for completion, found in zip(completions, runs.results(), strict=True):
        assert len(found.longest) == longest_length(completion, training)
        assert not found.longest or stands_in(found.longest, training)
        assert not found.longest or found.longest in ngrams(completion, len(found.longest))
        grams = ngrams(completion, GRAM)
        share = sum(stands_in(gram, training) for gram in grams) / len(grams) if grams else 0.0
        assert found.known_share == share


def test_no_run_goes_from_one_story_into_the_next():
    runs = SharedRuns([["a", "b", "c", "d"]])
    runs.read([["a", "b"], ["c", "d"]])
    assert next(runs.results()).longest == ("a", "b")


def test_words_that_no_completion_has_break_a_run():
    runs = SharedRuns([["the", "cat", "sat"], ["a", "dog"]])
    runs.read([["the", "cat", "never", "sat"]])
    assert [found.longest for found in runs.results()] == [("the", "cat"), ()]


def test_reading_goes_on():
    runs = SharedRuns([["a", "b", "c"]])
    runs.read([["a"]])
    runs.read([["b", "c"]])
    runs.read([])
    assert next(runs.results()).longest == ("b", "c")


def test_nothing_to_look_for():
    runs = SharedRuns([[]])
    runs.read([["a", "b"]])
    assert next(runs.results()).longest == ()
