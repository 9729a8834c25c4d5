"""Where generations end: words, sentences, paragraphs, wherever the pieces are cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgpt_tui.inference.request import FinishReason, SamplingSettings, Until
from mgpt_tui.inference.text.endings import FINISHING, LONGEST_STORY, EndFinder, token_limit
from mgpt_tui.text import TextChunk

CASES = [
    # before, the model's text, what is kept of it
    (Until.WORD, "The fox", " ran away.", " ran"),
    (Until.WORD, "The f", "ox ran", "ox"),
    (Until.WORD, "", "\n\n  Once upon", "\n\n  Once"),
    (Until.WORD, "", '"Stop!" he', '"Stop!"'),
    (Until.WORD, "", "fox\nran", "fox"),
    (Until.WORD, "", "fox", None),
    (Until.SENTENCE, "", "He ran. She sat.", "He ran."),
    (Until.SENTENCE, "", "\nHe ran.\nShe sat.", "\nHe ran."),
    (Until.SENTENCE, "", 'He said: "Run!" Then', 'He said: "Run!"'),
    (Until.SENTENCE, "", '"Run!" he said. "Why?" she', '"Run!" he said.'),
    (Until.SENTENCE, "", "It cost 3.5 pounds. Yes.", "It cost 3.5 pounds."),
    (Until.SENTENCE, "", "Mr. Fox met Mrs. Owl. They", "Mr. Fox met Mrs. Owl."),
    (Until.SENTENCE, "Then M", "r. Fox ran. He", "r. Fox ran."),
    (Until.SENTENCE, "", "The End\nIt", "The End"),
    (Until.SENTENCE, '"Run!', '" he said. Then', '" he said.'),
    (Until.SENTENCE, "He ran.", " Then she. And", " Then she."),
    (Until.SENTENCE, "He ran", ". Then", "."),
    (Until.SENTENCE, "", "Oh\u2026 \u201cReally?\u201d  Yes", "Oh\u2026"),
    (Until.SENTENCE, "", "He ran.", None),
    (Until.SENTENCE, "", "He ran. ", None),
    (Until.PARAGRAPH, "", "\n\nHe ran. So did she.\n\nThen", "\n\nHe ran. So did she."),
    (Until.PARAGRAPH, "", "He ran. ", None),
    (Until.END, "", "He ran.\n\nShe sat. ", None),
    (Until.LENGTH, "", "He ran.\n\nShe sat. ", None),
]


def pieces_of(text, cuts):
    edges = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    return [text[start:end] for start, end in pairwise(edges)]


def told(finder, pieces):
    """The text that a finder lets through, and the chunks of it."""
    chunks = []
    for number, piece in enumerate(pieces):
        chunks += finder.feed(TextChunk(piece, (number,)))
        if finder.found:
            break
    chunks += finder.finish()
    return "".join(chunk.text for chunk in chunks), chunks


@pytest.mark.parametrize(("until", "before", "text", "kept"), CASES)
@given(cuts=st.lists(st.integers(0, 99), max_size=20))
def test_the_end_is_the_same_wherever_the_text_is_cut(
    byte_tokenizer, until, before, text, kept, cuts
):
    finder = EndFinder(until, True, byte_tokenizer, before)
    assert told(finder, pieces_of(text, cuts))[0] == (text if kept is None else kept)
    assert finder.found == (kept is not None)
    if finder.found:
        assert finder.reason is FinishReason.STOP


@given(
    text=st.text('aB.!" \n', max_size=40),
    cuts=st.lists(st.integers(0, 99), max_size=20),
    until=st.sampled_from(Until),
)
def test_any_text_is_cut_alike_and_to_a_beginning(byte_tokenizer, text, cuts, until):
    whole, _ = told(EndFinder(until, True, byte_tokenizer), [text] if text else [])
    by_character, _ = told(EndFinder(until, True, byte_tokenizer), text)
    cut, chunks = told(EndFinder(until, True, byte_tokenizer), pieces_of(text, cuts))
    assert cut == whole == by_character
    assert text.startswith(cut)
    pieces = pieces_of(text, cuts)
    for number, chunk in enumerate(chunks):
        if chunk.text == pieces[number]:
            assert chunk.tokens in ((number,), tuple(byte_tokenizer.encode(chunk.text)))
        else:
            assert byte_tokenizer.decode(chunk.tokens) == chunk.text


FINISHED = [
    # the text up to the length, what would come, what is kept of it; None: it ends at once
    ("He ran a", "way. Then", "way."),
    ("He ran", ". Then", "."),
    ("He ran.", ' "Why?"', ""),
    ("He said: run.", '" Then', '"'),
    ("He ran. ", "", None),
    ("He ran.\n", "", None),
    ("The End\n\n", "", None),
    ("He ran. Then", " she", " she"),
    ("", "  Yes. No", "  Yes."),
    ('"Run!', '" he said. She', '" he said.'),
    ("One line", "\nAnother", ""),
]


@pytest.mark.parametrize(("text", "coming", "kept"), FINISHED)
@pytest.mark.parametrize("until", [Until.LENGTH, Until.PARAGRAPH])
@given(cuts=st.lists(st.integers(0, 99), max_size=20))
def test_a_sentence_is_finished_after_the_length(byte_tokenizer, until, text, coming, kept, cuts):
    finder = EndFinder(until, True, byte_tokenizer)
    first = [chunk for piece in text for chunk in finder.feed(TextChunk(piece, (1,)))]
    if finder.found:  # a paragraph
        return
    assert "".join(chunk.text for chunk in first) == text
    assert finder.enough() == (kept is None)
    if kept is not None:
        assert told(finder, pieces_of(coming, cuts))[0] == kept
        if finder.found:
            assert finder.reason is FinishReason.LENGTH


def test_a_sentence_is_not_finished_where_that_is_not_wanted(byte_tokenizer):
    finder = EndFinder(Until.LENGTH, False, byte_tokenizer)
    finder.feed(TextChunk("He ran. ", (1,)))
    assert not finder.enough()


def test_limits():
    settings = SamplingSettings(max_tokens=7)
    assert token_limit(settings, Until.LENGTH) == 7 + FINISHING
    assert token_limit(settings, Until.END) == LONGEST_STORY
    exact = SamplingSettings(max_tokens=7, finish_sentence=False)
    assert token_limit(exact, Until.SENTENCE) == 7
