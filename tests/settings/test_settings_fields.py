"""Settings declared once, with their bounds."""

from dataclasses import dataclass

import pytest

from mgpt_tui.errors import UserError
from mgpt_tui.settings_fields import declared, setting, validate


@dataclass(frozen=True)
class Example:
    share: float = setting(0.5, "a share", minimum=0, maximum=1)
    count: int | None = setting(None, "a count", minimum=1, off="all")
    kind: str = setting("a", "a kind", choices=("a", "b"))
    flag: bool = setting(False, "a flag")
    other: int = 3

    def __post_init__(self):
        validate(self)


def test_declared_settings_tell_their_types():
    shown = {entry.name: (entry.type, entry.optional, entry.default) for entry in declared(Example)}
    assert shown == {
        "share": (float, False, 0.5),
        "count": (int, True, None),
        "kind": (str, False, "a"),
        "flag": (bool, False, False),
    }


def test_allowed_values_pass():
    Example(share=1, count=None, kind="b", flag=True)
    Example(share=0.0, count=7)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"share": 1.5}, "from 0 to 1"),
        ({"share": -0.1}, "from 0 to 1"),
        ({"share": float("nan")}, "from 0 to 1"),
        ({"share": None}, "from 0 to 1"),
        ({"share": True}, "a number"),
        ({"count": 0}, "1 or more, or all"),
        ({"count": 2.5}, "a whole number"),
        ({"kind": "c"}, "one of a, b"),
        ({"flag": 1}, "true or false"),
    ],
)
def test_others_are_refused_with_what_is_allowed(values, words):
    with pytest.raises(UserError) as caught:
        Example(**values)
    assert words in caught.value.remedy
    assert f"--{next(iter(values))}" in caught.value.remedy
