"""Which forms of a word a model has as one token, so that each can be banned."""

from __future__ import annotations

from collections.abc import Callable

from mgpt_tui.inference.process.client import EngineLike
from mgpt_tui.inference.process.messages import Seen
from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.text import clean_text
from mgpt_tui.ui.session.questions import Questions


def forms_of(
    word: str,
    engine: EngineLike,
    questions: Questions,
    told: Callable[[tuple[str, ...], str], None],
) -> None:
    """Ask which forms of a word are tokens: with a blank before it or not, with a capital or not.

    The app has no tokenizer, but the engine refuses to ban what is none.

    Args:
        word: as it is typed.
        engine: of the model.
        questions: how it is asked.
        told: called once with those that are, the usual one first, or with why the usual one is
            none.
    """
    said = clean_text(word).strip()
    spelled = dict.fromkeys((said, said[:1].upper() + said[1:]))
    wanted = [*(f" {form}" for form in spelled), *spelled]
    found: list[str] = []
    troubles: list[str] = []
    asked = list(wanted)

    def answered(form: str, trouble: str = "") -> None:
        asked.remove(form)
        if trouble:
            troubles.append(trouble)
        else:
            found.append(form)
        if not asked:
            told(tuple(found), troubles[0] if troubles else "")

    def ask(form: str) -> None:
        settings = SamplingSettings(ban=(form,))
        questions.ask(
            Seen,
            lambda _: engine.look((), settings, 1),
            then=lambda _: answered(form),
            fails=lambda trouble: answered(form, trouble),
        )

    for form in wanted:
        ask(form)
