"""The engine process: `python -m mgpt_tui.inference.process.server --model NAME`.

It reads requests on standard input and writes events on standard output, one JSON line each
(see `messages`); what it or a library has to say to people goes to standard error. It lives as
long as its standard input is open: when the app goes, so does it, whatever it is doing.

A thread reads requests while the main thread decodes, so that a `Stop` is heard in time.
"""

from __future__ import annotations

import argparse
import faulthandler
import math
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING, BinaryIO, NoReturn

from mgpt_tui import paths
from mgpt_tui.errors import UserError
from mgpt_tui.inference.process.lines import ProtocolError, decode, encode
from mgpt_tui.inference.process.messages import (
    Bridge,
    Bridged,
    Chunks,
    Ended,
    Event,
    Failed,
    Generate,
    Inspect,
    Inspected,
    Look,
    Measure,
    Measured,
    Question,
    Rank,
    Ranked,
    Ready,
    Replaced,
    Seen,
    Started,
    Stop,
    Tell,
    Told,
)
from mgpt_tui.inference.process.waiting import Waiting
from mgpt_tui.memory import OutOfMemory, is_lack_of_memory
from mgpt_tui.model.registry import find_model
from mgpt_tui.text import TextChunk

if TYPE_CHECKING:
    from mgpt_tui.inference.engine import Engine
    from mgpt_tui.inference.inspector import Inspector
    from mgpt_tui.inference.text.generation import Generation

    GiveInspector = Callable[[], Inspector]

GATHERED = 0.02
"""Seconds between two messages with new text: the screen does not change more often."""

EXIT_NOT_LOADED = 2
EXIT_PROTOCOL = 3


class Server:
    """Takes requests on one thread and answers them on another.

    Args:
        send: where events go; called from the answering thread alone.
    """

    def __init__(self, send: Callable[[Event], None]) -> None:
        self._send = send
        self._waiting = Waiting()
        self._stops: dict[int, threading.Event] = {}
        self._beside: tuple[str, Engine, Inspector] | None = None  # what is compared with
        self._kept: tuple[str, Engine] | None = None  # what was muted last, and what writes so

    def take(self, line: bytes) -> None:
        """Understand one request and put it where the answering thread finds it.

        Raises:
            ProtocolError: where the line is no request, or one with an id that waits already.
        """
        request = decode(line)
        if isinstance(request, Question):
            if request.id in self._stops:
                raise ProtocolError(f"there are two requests {request.id}")
            self._stops[request.id] = threading.Event()
            self._waiting.put(request)
        elif isinstance(request, Stop):
            stop = self._stops.get(request.id)
            if stop is not None:
                stop.set()
        else:
            raise ProtocolError(f"{type(request).__name__} is no request")

    def answer_next(self, engine: Engine, inspector: GiveInspector | None = None) -> None:
        """Wait for something to be asked for and see it through, whatever goes wrong in it.

        Args:
            engine: which writes.
            inspector: gives that of the same model; without it nothing can be looked into.
        """
        self._answer(self._waiting.next(), engine, inspector)

    def _answer(self, request: Question, engine: Engine, inspector: GiveInspector | None) -> None:
        for id in self._waiting.take_replaced():
            self._send(Replaced(id))
            del self._stops[id]
        try:
            if isinstance(request, Generate):
                self._generate(request, engine, inspector)
            elif isinstance(request, Measure):
                read = engine.beginning(request.context).tokens
                self._send(Measured(request.id, len(read)))
            elif isinstance(request, Rank):
                scores = engine.rank(request.context, request.candidates)
                self._send(Ranked(request.id, tuple(scores)))
            elif isinstance(request, Bridge):
                self._bridge(request, engine, inspector)
            elif isinstance(request, Look):
                seen = engine.look(request.context, request.settings, request.count)
                self._send(Seen(request.id, seen))
            elif isinstance(request, Tell):
                self._tell(request, engine)
            elif inspector is None:
                raise UserError("This engine cannot be looked into.", "Take another precision.")
            else:
                self._inspect(request, engine, inspector)
        except UserError as error:
            self._send(Failed(request.id, error.message, error.remedy))
        except Exception as error:
            traceback.print_exc()
            self._send(_failure(request.id, "The engine could not go on", error))
        finally:
            del self._stops[request.id]

    def _inspect(self, request: Inspect, engine: Engine, inspector: GiveInspector) -> None:
        """Tell what a view asks, in one answer, or in several with other questions in between."""
        from mgpt_tui.inference.answering import answers

        view, model = request.asked.view, request.asked.model
        looked_into = self._other(model) if model else (engine, inspector())
        for answer, more in answers(*looked_into, request.context, request.asked):
            self._send(Inspected(request.id, answer, more))
            while more and (question := self._waiting.next_short(with_text=True)) is not None:
                self._answer(question, engine, inspector)
            if more and (self._stops[request.id].is_set() or self._waiting.has(view)):
                self._send(Replaced(request.id))
                return

    def _bridge(self, request: Bridge, engine: Engine, inspector: GiveInspector | None) -> None:
        """Tell what leads over a gap, in several answers, with short questions in between."""
        from mgpt_tui.inference.steering.bridge import Progress, bridges

        if request.muted:
            engine = self._muted(request.muted, engine, inspector)
        told, should_stop = Progress(), self._stops[request.id].is_set
        for known in bridges(engine, request.gap, request.settings, request.samples, should_stop):
            if known != told:
                told, more = known, not known.is_last
                self._send(Bridged(request.id, told.ways, told.now, told.weighed, more))
            while (question := self._waiting.next_short()) is not None:
                self._answer(question, engine, inspector)
        if not told.is_last:
            self._send(Replaced(request.id))

    def _generate(self, request: Generate, engine: Engine, inspector: GiveInspector | None) -> None:
        from mgpt_tui.inference.steering.words import stream

        context, settings, until = request.context, request.settings, request.until
        should_stop = self._stops[request.id].is_set
        if request.muted:
            engine = self._muted(request.muted, engine, inspector)
        if request.samples == 1:  # whose story the engine remembers, so that it goes on from there
            generations = [stream(engine, context, settings, should_stop, until=until)]
        else:
            generations = engine.together(
                context, settings, request.samples, should_stop, until=until
            )
        first = generations[0]
        seen = first.context_tokens, first.window_start
        self._send(Started(request.id, *seen, first.seed, is_hurried=first.is_hurried))
        answer = partial(self._answer, engine=engine, inspector=inspector)
        self._send_texts(request.id, dict(enumerate(generations)), answer)

    def _tell(self, request: Tell, engine: Engine) -> None:
        """Tell all of a text at once: it is short, and nobody reads along."""
        if request.model:
            engine = self._other(request.model)[0]
        stop = self._stops[request.id].is_set
        generation = engine.stream(request.context, request.settings, stop)
        text = "".join(chunk.text for chunk in generation)
        self._send(Told(request.id, text, generation.finished))

    def _other(self, model: str) -> tuple[Engine, Inspector]:
        """Another model, loaded when it is first asked about; one is kept."""
        from mgpt_tui.inference.inspector import Inspector
        from mgpt_tui.inference.loading import FOR_THE_SCREEN, load_engine

        if self._beside is None or self._beside[0] != model:
            self._beside = None  # its memory may be needed
            loaded = load_engine(find_model(model).path, spare_cores=FOR_THE_SCREEN)
            inspector = Inspector(loaded.open_decoder, loaded.engine.tokenizer)
            self._beside = model, loaded.engine, inspector
        return self._beside[1:]

    def _muted(self, muted: str, engine: Engine, inspector: GiveInspector | None) -> Engine:
        """An engine without some parts; it is kept, so that it goes on from what it has read."""
        from mgpt_tui.inference.muting import muted_engine

        if inspector is None:
            raise UserError("Nothing of this model can be muted.", "Take another precision.")
        if self._kept is None or self._kept[0] != muted:
            self._kept = muted, muted_engine(engine, inspector(), muted)
        return self._kept[1]

    def _send_texts(
        self, id: int, running: dict[int, Generation], answer: Callable[[Question], None]
    ) -> None:
        """Send the text of some samples as it comes, in turns, so that each of them gets on.

        Short questions are answered in between: they wait no longer than for a piece of text.
        """
        gathered: dict[int, list[TextChunk]] = {sample: [] for sample in running}
        sent = -math.inf
        try:
            while running:
                for sample, generation in list(running.items()):
                    chunk = next(generation, None)
                    if chunk is not None:
                        gathered[sample].append(chunk)
                        continue
                    self._send_gathered(id, gathered)
                    self._send(Ended(id, generation.finished, sample))
                    del running[sample]
                while (question := self._waiting.next_short()) is not None:
                    answer(question)
                if time.monotonic() >= sent + GATHERED:
                    self._send_gathered(id, gathered)
                    sent = time.monotonic()
        finally:  # what came before something went wrong is text, too
            self._send_gathered(id, gathered)

    def _send_gathered(self, id: int, gathered: dict[int, list[TextChunk]]) -> None:
        for sample, chunks in gathered.items():
            if chunks:
                self._send(Chunks(id, tuple(chunks), sample))
                chunks.clear()


def main() -> NoReturn:
    """Serve until standard input closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the terminal is the app's business
    faulthandler.enable()
    parser = argparse.ArgumentParser(prog="python -m mgpt_tui.inference.process.server")
    parser.add_argument("--model", help="as `mgpt-tui --model` takes it")
    arguments = parser.parse_args()
    requests, events = _private_streams()

    def send(event: Event) -> None:
        events.write(encode(event))
        events.flush()

    server = Server(send)
    threading.Thread(target=_listen, args=(server, requests), daemon=True).start()
    try:
        engine, inspector = _load(arguments.model, send)
    except UserError as error:
        send(Failed(None, error.message, error.remedy))
        os._exit(EXIT_NOT_LOADED)
    except Exception as error:
        traceback.print_exc()
        send(_failure(None, "The engine could not start", error))
        os._exit(EXIT_NOT_LOADED)
    while True:
        server.answer_next(engine, inspector)


def _private_streams() -> tuple[BinaryIO, BinaryIO]:
    """Requests and events on descriptors of their own.

    Descriptor 1 then leads to standard error and 0 to nothing, so that no library, in Python or
    in C, can write into the protocol or read from it. This must come before torch is imported.
    """
    requests = os.fdopen(os.dup(0), "rb")
    events = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return requests, events


def _load(name: str | None, send: Callable[[Event], None]) -> tuple[Engine, GiveInspector]:
    entry = find_model(name)  # before torch is imported: a wrong name is told at once

    from mgpt_tui.inference.loading import FOR_THE_SCREEN, load_engine

    loaded = load_engine(entry.path, spare_cores=FOR_THE_SCREEN)
    engine, info = loaded.engine, loaded.info
    send(
        Ready(
            model=entry.name,
            parameters=info.config.parameters(),
            block_size=info.config.block_size,
            fingerprint=info.fingerprint,
            aliases=info.aliases,
            decoding=loaded.decoding,
            muted_decoding=loaded.muted_decoding,
        )
    )
    engine.next_logits(engine.encode(["Once"]))  # the first run is slow; have it before it counts

    @cache
    def inspector() -> Inspector:
        from mgpt_tui.inference.inspector import Inspector  # a fifth of all imports, for later

        return Inspector(loaded.open_decoder, engine.tokenizer)

    return engine, inspector


def _listen(server: Server, requests: BinaryIO) -> NoReturn:
    """Read requests until the app is gone, then end the process, even in mid-generation."""
    try:
        for line in requests:
            server.take(line)
    except Exception:  # a broken app; going is how to tell it
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(EXIT_PROTOCOL)
    os._exit(0)


def _failure(request: int | None, what: str, error: Exception) -> Failed:
    if is_lack_of_memory(error):
        lack = OutOfMemory()
        return Failed(request, lack.message, lack.remedy)
    reason = str(error).strip().splitlines() or [""]
    return Failed(
        request,
        f"{what}: {type(error).__name__} {reason[0]}".rstrip() + ".",
        f"More about it is in {paths.engine_log()}.",
    )


if __name__ == "__main__":
    main()
