"""What comes as lines, damaged: the wire between app and engine, commands, settings as typed."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import asdict, fields
from functools import cache
from typing import Any

from damage import TEXTS, damaged, damaged_text, json_bytes, odd, odd_json, told

from fuzzers.files import laid_out
from mgpt_tui.errors import UserError
from mgpt_tui.inference.process.lines import ProtocolError, decode, encode
from mgpt_tui.inference.process.messages import (
    Bridge,
    Bridged,
    Chunks,
    Ended,
    Failed,
    Generate,
    Look,
    Measure,
    Measured,
    Question,
    Rank,
    Ranked,
    Ready,
    Seen,
    Started,
    Stop,
)
from mgpt_tui.inference.process.pending import Pending
from mgpt_tui.inference.process.server import Server
from mgpt_tui.inference.request import (
    Alternative,
    Distribution,
    Finished,
    FinishReason,
    Gap,
    Note,
    SamplingSettings,
    Until,
    Way,
)
from mgpt_tui.presets import find_preset
from mgpt_tui.settings_fields import LARGEST_INT, Declared, arguments_from, declared
from mgpt_tui.settings_text import parse, value_text
from mgpt_tui.text import TextChunk

SAMPLING = SamplingSettings(stop=("END",), top_p=0.9, seed=7)
REQUESTS = [
    json.loads(encode(request))
    for request in (
        Generate(1, ("Once", (2, 3), "\u00e9"), SAMPLING, Until.WORD, 2),
        Look(2, ("Once",), SAMPLING, 5),
        Measure(3, (Note("Mia."), "Once", (4,))),
        Rank(4, ("Once",), (" it", " a")),
        Bridge(5, Gap((Note("Mia."), "Once"), ("They", (4,)), " ran."), SAMPLING, 2),
        Stop(1),
    )
]
EVENTS = [
    json.loads(encode(event))
    for event in (
        Ready("m", 100, 32, "f", "exactly", ("g",)),
        Started(1, 5, 0, 7),
        Chunks(1, (TextChunk(" a", (3,)), TextChunk("b", (4, 5))), 1),
        Ended(1, Finished(FinishReason.END, 3, 0.5, 7, 0, 8), 1),
        Seen(2, Distribution((Alternative(5, "a", 0.5, 1.0), Alternative(6, "", 0.1, 0.0)), 1.5)),
        Measured(3, 9),
        Ranked(4, (-1.5, -2.0)),
        Bridged(5, (Way((TextChunk(" a", (3,)),), SAMPLING, 8, 1.5),), -0.5, 2, True),
        Bridged(5, (), 0.0, 0),
        Failed(1, "No.", "Try again."),
    )
]


def _line(draw: random.Random, messages: list[dict[str, Any]]) -> bytes:
    message = draw.choice(messages)
    match draw.randrange(5):
        case 0:
            line = damaged(draw, json.dumps(message).encode())
        case 1:
            line = json.dumps(message).encode()
        case _:
            line = json_bytes(draw, odd_json(draw, message))
    told(line)
    return line


def requests(draw: random.Random) -> None:
    """Lines on the engine's input: refused as no request, or one that can be sent again."""
    server = Server(lambda event: None)
    for _ in range(3):
        line = _line(draw, REQUESTS)
        try:
            server.take(line)
        except ProtocolError:
            continue
        request = decode(line)
        assert decode(encode(request)) == request


def edges(setting: Declared) -> tuple[Any, ...]:
    """The least and the largest value of a setting, what lies beside them, and one between."""
    if setting.type is bool:
        return False, True
    lowest, highest = setting.limits.minimum or 0, setting.limits.maximum or LARGEST_INT
    between = (256, 257) if setting.type is int else (1e-320, 0.5)
    values = {setting.default, lowest, highest, *(v for v in between if lowest <= v <= highest)}
    return tuple(sorted(values - {None})) + ((None,) if setting.optional else ())


SPECIAL = ("max_tokens", "finish_sentence", "ban", "bias", "stop", "words")
"""Settings whose edges tell nothing, or are told one by one."""
EDGES: dict[str, tuple[Any, ...]] = {
    **{each.name: edges(each) for each in declared(SamplingSettings) if each.name not in SPECIAL},
    "words": ((), ("fox",), ("run", "tea", "ox")),
    "stop": ((), ("\ud800",), ("a", "\0"), ("x" * 300,)),
}
"""Values that each are allowed."""


@cache
def engine() -> Any:
    """A tiny model that answers."""
    from mgpt_tui.inference.decoders.in_torch.plain import PlainDecoder
    from mgpt_tui.inference.engine import Engine
    from mgpt_tui.model.checkpoint import load_checkpoint

    checkpoint = load_checkpoint(laid_out({}))
    return Engine(PlainDecoder(checkpoint.model), checkpoint.tokenizer)


def answers(draw: random.Random) -> None:
    """Requests that are ones, however odd: answered, or refused by the user's fault."""
    sent: list[Any] = []
    server = Server(sent.append)
    message = draw.choice(REQUESTS[:3])
    if draw.random() < 0.3:
        message = odd_json(draw, message)
    else:
        tokens = [draw.choice((0, 1, 255, 256, 257, 2**63 - 1)) for _ in range(draw.randrange(4))]
        context = draw.sample([draw.choice(TEXTS), draw.choice(TEXTS), tokens, "fox " * 9], 2)
        message = message | {"context": context}
        if "settings" in message:
            at_edges = {name: draw.choice(values) for name, values in EDGES.items()}
            message["settings"] = message["settings"] | at_edges
    if isinstance(message, dict) and isinstance(message.get("settings"), dict):
        message["settings"] |= {"max_tokens": 3, "finish_sentence": False}
        if draw.random() < 0.1:
            message["settings"]["bias"] = [f"{draw.choice(TEXTS)}={draw.choice(TEXTS)}"]
        if draw.random() < 0.2:
            message["settings"]["bias"] = [f"a={draw.choice(('-1', '1e308', '1e999', '-inf'))}"]
        if draw.random() < 0.1:
            message["settings"]["ban"] = [draw.choice(TEXTS) or "x"]
        if message.get("samples", 1) not in (1, 2):
            message["samples"] = 2
        if message.get("until") == Until.END:
            message["until"] = Until.WORD
    line = json_bytes(draw, message)
    told(line)
    try:
        server.take(line)
    except ProtocolError:
        raise UserError("no request") from None
    if isinstance(decode(line), Stop):
        return
    server.answer_next(engine())
    assert isinstance(sent[-1], Ended | Seen | Measured | Ranked | Failed), sent[-1]
    assert not isinstance(sent[-1], Failed) or "could not go on" not in sent[-1].message, sent[-1]
    for event in sent:
        assert decode(encode(event)) == event


def events(draw: random.Random) -> None:
    """Lines on the engine's output: refused, or an answer to what was asked."""
    pending = Pending()
    for request in REQUESTS:
        question = decode(json.dumps(request).encode())
        if isinstance(question, Question):
            pending.ask(question)
    for _ in range(4):
        try:
            event = decode(_line(draw, EVENTS))
            if isinstance(event, Question | Stop):
                continue
            pending.take(event)
        except ProtocolError:
            continue
        assert decode(encode(event)) == event
    assert set(pending.give_up()) <= {1, 2, 3, 4, 5}


def commands(draw: random.Random) -> None:
    """What is typed after a slash, with what would complete it."""
    from mgpt_tui.ui.arguments import read_setting
    from mgpt_tui.ui.slash import COMMANDS, as_text, as_typed, complete, read_command

    names = [entry.name for entry in fields(SamplingSettings)]
    name = draw.choice([*COMMANDS, "/set", "/set", "/preset", "/x"])
    argument = draw.choice([*TEXTS, *names, "wild", f"{draw.choice(names)} {draw.choice(TEXTS)}"])
    line = f"{name} {argument}" if draw.random() < 0.8 else name
    if draw.random() < 0.4:
        line = damaged_text(draw, line)
    told(line)
    for length in {len(line), draw.randrange(len(line) + 1)}:
        for completion in complete(line[:length], lambda id: ["One", "two\u00e9", "a b"]):
            str(completion)
    assert as_text(as_typed(line)) == line or line.startswith("//")
    try:
        key, argument = read_command(line)
        if key.id == "presets" and argument:
            find_preset(argument).of(SAMPLING)
    except UserError:
        argument = argument if isinstance(argument, str) else ""
    read_setting(argument)


def typed(draw: random.Random) -> None:
    """The value of a setting as it is typed: refused, or shown as it may be typed."""
    setting = draw.choice(list(declared(SamplingSettings)))
    text = draw.choice(
        (draw.choice(TEXTS), str(odd(draw))[:200], value_text(setting, setting.default))
    )
    if draw.random() < 0.5:
        text = damaged_text(draw, text)
    told(f"{setting.name} {text}")
    value = parse(setting, text)
    SamplingSettings(**{setting.name: value})
    shown = value_text(setting, value)
    again = parse(setting, shown)  # clean, so it may be another than was typed
    assert value_text(setting, again) == shown, f"{shown!r} means {again!r}"


def sampling(draw: random.Random) -> None:
    """Sampling settings as JSON has them."""
    content = odd_json(draw, asdict(SAMPLING))
    told(repr(content))
    if not isinstance(content, dict):
        return
    known = {entry.name for entry in fields(SamplingSettings)}
    content = {name: value for name, value in content.items() if name in known}
    content = json.loads(json.dumps(content))  # which makes one character of a pair of surrogates
    made = SamplingSettings(**arguments_from(SamplingSettings, content))
    request = Generate(1, (), made)
    assert decode(encode(request)) == request


TARGETS: dict[str, Callable[[random.Random], None]] = {
    "requests": requests,
    "answers": answers,
    "events": events,
    "commands": commands,
    "typed values": typed,
    "sampling settings": sampling,
}
