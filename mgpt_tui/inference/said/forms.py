"""The forms of English words: by rules, and those that follow none.

All forms that a word has, whichever of them it is given in: `run` and `ran` have the same. What the
rules make of a word that has no such form (`childs`) does no harm, for nobody writes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

WORD = re.compile(r"[^\W\d_]+")
"""A word in a text; what follows an apostrophe is none of it, so `dragon's` holds `dragon`."""

_IRREGULAR = """
awake awoke awoken; be am is are was were been being; beat beaten; become became; begin began begun;
bend bent; bet; bite bit bitten; bleed bled; blow blew blown; break broke broken; bring brought;
build built; burn burned burnt; burst; buy bought; catch caught; choose chose chosen; come came;
cost; creep crept; cut; die died dying; dig dug; dive dived dove; do does did done; draw drew drawn;
dream dreamed dreamt; drink drank drunk; drive drove driven; eat ate eaten; fall fell fallen; feed
fed; feel felt; fight fought; find found; fit; fly flew flown; forget forgot forgotten; forgive
forgave forgiven; freeze froze frozen; get got gotten; give gave given; go goes went gone; grow grew
grown; hang hung; have has had; hear heard; hide hid hidden; hit; hold held; hurt; keep kept; kneel
kneeled knelt; know knew known; lay laid; lead led; leap leaped leapt; learn learned learnt; leave
left; lend lent; let; lie lay lain lied lying; light lighted lit; lose lost; make made; mean meant;
meet met; mistake mistook mistaken; overcome overcame; panic panicked panicking; pay paid; put;
quit; read; ride rode ridden; ring rang rung; rise rose risen; run ran; say said; see saw seen; seek
sought; sell sold; send sent; set; sew sewed sewn; shake shook shaken; shine shone; shoot shot; show
showed shown; shrink shrank shrunk; shut; sing sang sung; sink sank sunk; sit sat; sleep slept;
slide slid; sneak sneaked snuck; speak spoke spoken; speed sped; spend spent; spill spilled spilt;
spin spun; spit spat; split; spread; spring sprang sprung; stand stood; steal stole stolen; stick
stuck; sting stung; strike struck; string strung; swear swore sworn; sweep swept; swell swelled
swollen; swim swam swum; swing swung; take took taken; teach taught; tear tore torn; tell told;
think thought; throw threw thrown; tie tied tying; travel traveled travelled traveling travelling;
understand understood; undo undid undone; wake woke woken; wear wore worn; weave wove woven; weep
wept; win won; wind wound; write wrote written;
child children; foot feet; goose geese; man men; mouse mice; person people; tooth teeth; woman
women; calf calves; elf elves; half halves; knife knives; leaf leaves; life lives; loaf loaves;
shelf shelves; thief thieves; wife wives; wolf wolves; photo photos; piano pianos; scarf
scarves; stomach stomachs;
bad worse worst; far farther farthest further furthest; good better best
"""
"""What belongs to a word, which stands first, beside what the rules make of it."""

_ALONE = frozenset(("evening", "news", "shed", "thing", "wedding", "wing"))
"""What looks like a form of another word, and is none."""
_BOTH = frozenset(("dove", "ground", "lay", "left", "rose", "saw", "wound"))
"""What may be a form of another word, but stands for itself where it is asked for."""

_ADJECTIVES = """
angry big bold brave bright brown busy calm cheap clean clear clever close cloudy cold cool crazy
cute dark deep dirty dry early easy fair fancy fast fat fine fluffy fresh friendly funny furry fuzzy
gentle grand gray great green grumpy happy hard healthy heavy high hot hungry icy kind large late
lazy light lonely long loose loud lovely lucky mad mean messy narrow near neat new nice noisy old
pink poor pretty proud quick quiet rare red rich rough round rude sad safe scary shallow sharp shiny
short shy sick silly simple sleepy slow small smart smooth soft sorry sour spicy strange strong
sunny sweet tall tasty thick thin thirsty tidy tight tiny tough ugly warm weak wet white wide wild
windy wise yellow young yummy
"""
"""Adjectives that can be more so, and most so, with an ending; `farmer` is no form of `farm`."""
_GRADED = frozenset(_ADJECTIVES.split())

_VOWEL = "[aeiouy]"
_SIBILANT = re.compile(r"(s|x|z|ch|sh|\w\w[^aeiou]o)\Z")
_DOUBLED = re.compile(
    r"\A[^aeiou]*[aeiou][bdgkmnprtz]\Z|\A\w*qui[tz]\Z|\A(admit|begin|forget|occur|regret)\Z"
)
"""What has its last letter twice before an ending that begins with a vowel."""
_SINGLE = frozenset(("bow", "fix"))
_ENDINGS = ("ing", "iest", "est", "ies", "ied", "ier", "es", "ed", "er", "s", "d", "r")
_OF_Y = ("iest", "ies", "ied", "ier")
_STEM = re.compile(rf"\A\w*{_VOWEL}\w*\Z")


@lru_cache(maxsize=256)
def forms(word: str) -> frozenset[str]:
    """All forms of a word, itself among them, in small letters.

    Args:
        word: in any form, and in letters of any size.
    """
    word = word.casefold()
    found = {form for base in _bases(word) if _has_forms(base) for form in _inflected(base)}
    return frozenset((found - _ALONE) | {word})


def held(words: Iterable[str], text: str, start: int = 0) -> tuple[str, ...]:
    """Those of some words of which a text holds a form.

    Args:
        words: any form of each.
        text: to look in.
        start: only what ends behind so many characters of it counts.
    """
    said = {found.group().casefold() for found in WORD.finditer(text) if found.end() > start}
    return tuple(word for word in words if not said.isdisjoint(forms(word)))


def _bases(word: str) -> Iterator[str]:
    """The words of which a word may be a form."""
    yield word
    if word in _ALONE or word in _BOTH:
        return
    yield from _FORM_OF.get(word, ())
    for ending in _ENDINGS:
        stem = word.removesuffix(ending)
        if stem == word or not (_STEM.match(stem) or ending in _OF_Y):
            continue
        for base in (stem, f"{stem}e", f"{stem}y", stem[:-1]):
            if len(base) > 1 and word in _inflected(base):
                yield base


def _has_forms(base: str) -> bool:
    """Whether the rules are made for a word: not for `us` and `to`, nor for `sle`, of which no
    `sled` is."""
    return base in _FORMS or (len(base) > 2 and bool(_STEM.match(base.removesuffix("e"))))


def _inflected(base: str) -> Iterator[str]:
    """The forms of a word that is given as a dictionary has it."""
    yield base
    irregular = _FORMS.get(base, ())
    yield from irregular
    yield _with_s(base)
    stem = base[:-1] if base.endswith("e") and not base.endswith(("ee", "oe", "ye")) else base
    if _DOUBLED.match(base) and base not in _SINGLE:
        stem += base[-1]
    yield f"{stem}ing"
    ends_in_y = re.search(r"[^aeiou]y\Z", base)
    stem = f"{base[:-1]}i" if ends_in_y else base[:-1] if base.endswith("e") else stem
    if not irregular:
        yield f"{stem}ed"
    if base in _GRADED:
        yield from (f"{stem}er", f"{stem}est")


def _with_s(base: str) -> str:
    """The plural of a noun, and what a verb is with `she`."""
    if _SIBILANT.search(base):
        return f"{base}es"
    return f"{base[:-1]}ies" if re.search(r"[^aeiou]y\Z", base) else f"{base}s"


_FORMS = {base: tuple(others) for base, *others in map(str.split, _IRREGULAR.split(";"))}
_FORM_OF: dict[str, tuple[str, ...]] = {}
for _base, _others in _FORMS.items():
    for _other in _others:
        _FORM_OF[_other] = (*_FORM_OF.get(_other, ()), _base)
