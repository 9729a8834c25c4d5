"""Stories as scripts: any sequence of a writer's and a model's steps, and what must hold."""

from __future__ import annotations

from hypothesis import strategies as st

from mgpt_tui.inference.request import SamplingSettings, Way
from mgpt_tui.stories.story import Author, Maker, Story
from mgpt_tui.text import TextChunk, clean_text

Step = tuple[str, str, int]
"""A verb, a text for those that need one, and a number for those that need one."""

VERBS = (
    "write", "model", "model", "more", "retry", "undo", "redo", "go", "sibling", "edit", "cut",
    "choose", "name", "bridge",
)  # fmt: skip

ELSEWHERE = (
    "/", "//", "/elsewhere", "/elsewhere/x", "..", "../up", "../../..", "a/../../up", "./x", "~/x",
    "\\\\host\\share", "C:\\x", "C:", "..\\up", "a\x00b", "\x00", ".", "...", "nul", "aux.b",
    "a\nb", "\ud800", "\udcff", "a\u202eb", "a\u2028b", "x" * 300, "😀" * 99, "é" * 120, "x. " * 60,
)  # fmt: skip
"""Names that would leave their folder, or that some system cannot hold."""

anything = st.text(st.characters(codec=None), max_size=20) | st.sampled_from(ELSEWHERE)
steps: st.SearchStrategy[list[Step]] = st.lists(
    st.tuples(st.sampled_from(VERBS), anything, st.integers(0, 1000)), max_size=12
)

MAKER = Maker(model="m", fingerprint="m", decoding="exactly")


def taken(story: Story, step: Step) -> Story:
    """The story after one step."""
    verb, text, number = step
    settings = SamplingSettings(top_k=1 + number)
    match verb:
        case "write":
            return story.write(text)
        case "model":
            return _told(story.begin(settings, MAKER, "word"), text, number)
        case "retry":
            return _told(story.retry(settings, MAKER), text, number)
        case "more" if story.ends_with_model and story.boundaries:
            return story.extend(text, (number,))
        case "undo":
            return story.undo()
        case "redo":
            return story.redo()
        case "go":
            return story.go(number % len(story.nodes))
        case "sibling":
            return story.sibling(number)
        case "edit":
            at = number % (len(story.text) + 1)
            return story.edited(story.text[:at] + text + story.text[at + number % 3 :])
        case "cut":
            return story.edited(story.text[: number % (len(story.text) + 1)])
        case "choose":
            return story.choose(number % (len(story.text) + 1), text, number, MAKER)
        case "bridge":
            start = number % (len(story.text) + 1)
            end = min(len(story.text), start + number % 5)
            return story.bridged(start, end, way(text, settings, number), MAKER)
        case "name":
            return story.named(text)
    return story


def way(text: str, settings: SamplingSettings, seed: int) -> Way:
    """A bridge of two tokens, the first of which brought a character."""
    chunks = (TextChunk(text[:1], (seed,)), TextChunk(text[1:], (seed + 1,)))
    return Way(chunks, settings, seed)


def _told(story: Story, text: str, number: int) -> Story:
    """What the model says: a few characters a token, one that comes in two, one held back."""
    lead = number % 3
    story = story.extend(text[:lead], seed=number)
    for at in range(lead, len(text), 3):
        tokens = (at, at + 1) if at % 2 else (at,)
        story = story.extend(text[at : at + 3], tokens)
    return story.extend("!" if number % 5 == 0 else "").settle()


def played(script: list[Step]) -> Story:
    """The story after all steps."""
    story = Story(created="then")
    for step in script:
        story = taken(story, step)
    return story


def assert_sound(story: Story) -> None:
    """What holds of every story."""
    assert story.text == "".join(span.text for span in story.spans)
    assert clean_text(story.text) == story.text
    assert all(span.text for span in story.spans)
    assert 0 <= story.here < len(story.nodes)
    assert story.here in story.siblings
    for id, node in enumerate(story.nodes):
        assert node.id == id
        assert node.parent < id or id == 0
        assert 0 <= node.at <= len(story.nodes[node.parent].span.text)
    for span in (*story.spans, *(node.span for node in story.nodes)):
        assert len(span.lengths) == len(span.tokens)
        assert span.lead >= 0
        assert span.author is Author.MODEL or not span.tokens
    for (_, end, _), (start, stop, id) in zip(story.boundaries, story.boundaries[1:], strict=False):
        assert end <= start < stop <= len(story.text)
        assert story.nodes[id].span.author is Author.MODEL
