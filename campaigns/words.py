"""What it costs that words must come: the measure `words` of `desk.py`."""

from __future__ import annotations

import math
import random
import sys
import time
from dataclasses import replace

from mgpt_tui.inference.engine import Engine
from mgpt_tui.inference.request import Until
from mgpt_tui.inference.said.forms import held
from mgpt_tui.inference.steering.words import TRIES, stream
from mgpt_tui.inference.text.generation import Generation
from mgpt_tui.settings import ROOM

BEGINNINGS = (
    "",
    "Once upon a time, there was a little girl named Lily.",
    "One day, Tom and Ben went to the park.",
    "Mia was a small mouse. She lived in a big forest.",
)

_NOUNS = """
apple arm baby bag ball balloon banana bath beach bear bed bee bell bench bike bird blanket block
boat book bottle bowl box boy branch bread bridge bubble bucket bug bus butterfly button cake camera
candy car card carrot castle cat cave chair cheese cherry chicken child clock cloth cloud clown coat
coin color cookie corn couch cow crab crown cup desk dinner dirt doctor dog doll door dragon dress
drum duck egg elephant eye farm farmer feather fence field finger fire fish flag flower fork fox
friend frog fruit game garden gate ghost giant gift goat grass guitar hair hammer hat heart helmet
hen hill hole honey horse house ice jar juice kitchen kite kitten knife ladder lake lamp leaf lemon
letter lion lizard magnet map mask medal milk mirror money monkey monster moon mountain mouse mud
nest net nose nut ocean orange oven owl page paint paper park pencil pepper pet phone picture pie
pig
pillow pirate pizza plane plant plate pond pot present prince princess pumpkin puppy puzzle queen
rabbit rain rainbow ring river road robot rock room rope salad sand sandwich scarf school sea shark
sheep shell ship shirt shoe shop sister sky snake snow soap sock song soup spider spoon squirrel
star
stick stone storm story street sugar sun swing sword table tail tea teacher tent tiger tooth towel
tower town toy train treasure tree truck turtle umbrella vase village wagon wall water wave whale
wheel whistle wind window wing witch wolf wood worm yard zoo
"""

_VERBS = """
ask bake balance borrow bounce break bring build burn buy call carry catch celebrate chase cheer
chew choose clap clean climb close collect color come cook copy count cover crawl cry cut dance
deliver dig disappear discover draw dream drink drive drop eat enjoy escape explain explore fall
feed feel fight fill find finish fix float fly fold follow forget forgive get give grab grow guess
hang hate hear help hide hit hold hop hope hug hurry hurt imagine invite join jump keep kick kiss
knock laugh lead learn leave let lick lift listen look lose love make march match measure meet melt
mix move nod notice obey open paint pass pay peek pick plant play point polish pour practice pray
prepare press pretend promise protect pull push put race reach read receive remember repair repeat
reply rest ride ring roar roll run save scare scream search see sell send shake share shine shout
show sing sit skip sleep slide slip smell smile sneeze solve speak spill spin splash spray squeeze
stand stare start steal stir stop swim swing take talk taste teach tear tell thank think throw tie
touch travel trick trust try turn unlock visit wait wake walk want warn wash watch wave wear whisper
win wipe wish wonder work worry wrap write yawn yell
"""

_ADJECTIVES = """
afraid alone amazing angry bad bald beautiful big bitter black blue bored brave bright broken brown
busy calm careful careless cautious charming cheap cheerful clean clear clever cold colorful
comfortable
cool crazy creative cruel curious cute damp dangerous dark dear deep delicious different difficult
dirty dry dull eager early easy elderly embarrassed empty enormous excited expensive fair famous
fancy fast fat fierce fine fluffy fragile free fresh friendly frightened full funny furry generous
gentle gifted gloomy good grateful gray great green grumpy happy hard harmless healthy heavy helpful
helpless high honest hot huge humble hungry icy ignorant impatient important independent interesting
itchy jealous jolly kind large lazy light little lively lonely long loud lovely loyal lucky mad
magical mean messy mighty modern mysterious nasty naughty neat nervous new nice noisy nosy obedient
old open orange ordinary organized patient peaceful perfect persistent pink pleasant polite poor
popular powerful pretty proud purple quick quiet rare ready red reliable rich rough round rude sad
safe salty scared scary selfish serious shallow sharp shiny short shy sick silly simple sleepy
slippery
slow small smart smooth soft sorry sour special spicy spotted steep strange strong stubborn sunny
sweet tall tame tasty tender terrible thick thin thirsty tidy tight tiny tired tough troubled ugly
unique unknown unusual useful warm wealthy weak weird wet white wide wild wise wonderful worried
yellow young yummy
"""

KINDS = tuple(kind.split() for kind in (_NOUNS, _VERBS, _ADJECTIVES))
"""Of each, a word is drawn: common ones of the stories that the storyteller learned from."""


def words(engine: Engine, passages: int) -> dict[str, float]:
    """How often a noun, a verb and an adjective come, and what they cost.

    The cost is in bits per byte by the model alone, of what was led to words and of the same
    beginnings and seeds without: as it comes, and the likeliest of as many tries.
    """
    came = [0, 0]
    bits = {"with": [0.0, 0.0], "free": [0.0, 0.0], "free_likeliest": [0.0, 0.0]}
    rng, seconds, hurried = random.Random(0), list[float](), 0
    for number in range(passages):
        wished = tuple(rng.choice(kind) for kind in KINDS)
        begun = BEGINNINGS[number % len(BEGINNINGS)]
        context = [begun] if begun else []
        settings = replace(ROOM, seed=number, words=wished)
        began = time.perf_counter()
        led = stream(engine, context, settings, n_best=0, until=Until.LENGTH)
        seconds.append(time.perf_counter() - began)
        hurried += led.is_hurried
        text = _add(bits["with"], led)
        found = len(held(wished, text))
        came[0] += found
        came[1] += found == len(wished)
        free = engine.together(context, replace(settings, words=()), TRIES, n_best=0)
        counts = [[0.0, 0.0] for _ in free]
        for one, count in zip(free, counts, strict=True):
            _add(count, one)
        likeliest = min(counts, key=lambda count: count[0] / max(1, count[1]))
        for name, count in (("free", counts[0]), ("free_likeliest", likeliest)):
            bits[name] = [sum(pair) for pair in zip(bits[name], count, strict=True)]
        print(f"{number + 1} of {passages}", end="\r", file=sys.stderr)
    seconds.sort()
    return {
        "passages": passages,
        "all_words": round(came[1] / passages, 4),
        "words": round(came[0] / passages / len(KINDS), 4),
        **{f"bits_per_byte_{name}": round(a / b, 3) for name, (a, b) in bits.items()},
        "seconds_in_the_middle": round(seconds[len(seconds) // 2], 2),
        "hurried": hurried,
    }


def _add(count: list[float], generation: Generation) -> str:
    """Read a text, and add its bits and its bytes."""
    text = "".join(chunk.text for chunk in generation)
    count[0] -= sum(one.log_probability for one in generation.chances) / math.log(2)
    count[1] += len(text.encode())
    return text
