"""Several processes that train one model together, as `torchrun` starts them.

Each process reads its own part of every step's batch, DistributedDataParallel averages the
gradients (Li et al., "PyTorch Distributed", 2020), and all take the same optimizer step. The
process of rank 0 alone writes, logs and shows. Messages between processes are numbers and bytes;
nothing is pickled.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.rendezvous import rendezvous
from torch.nn.parallel import DistributedDataParallel

from mgpt_tui.errors import UserError

TIMEOUT = timedelta(minutes=5)
"""How long the processes wait for one that neither answers nor dies."""
VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


class SharedError(UserError):
    """An error that every process of the run knows of; one of them tells it."""


class LostPeer(SharedError):
    """Another process of the run has died or does not answer."""


@dataclass(frozen=True, slots=True)
class World:
    """The processes of a run, seen from one of them; by default it is alone.

    Attributes:
        rank: number of this process among all, from 0.
        size: how many there are on all machines.
        local_rank: number of this process on its machine, and of the GPU it takes.
        local_size: how many there are on this machine.
        restarts: how often torchrun has started all of them anew after a failure.
        store: torchrun's, which outlives any of them.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1
    restarts: int = 0
    store: Any = field(default=None, compare=False, repr=False)

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and shows."""
        return self.rank == 0

    def device(self, chosen: torch.device) -> torch.device:
        """The device of this process where `chosen` is the kind of all.

        Raises:
            UserError: where this machine has fewer GPUs than processes, or a kind of GPU over
                which processes cannot talk.
        """
        if chosen.type != "cuda" or self.size == 1:
            if chosen.type == "mps" and self.size > 1:
                raise UserError(
                    "Several processes cannot share an mps device.", "Use --device cpu."
                )
            return chosen
        there = torch.cuda.device_count()
        if self.local_rank >= there:
            raise UserError(
                f"{socket.gethostname()} has {there} GPU(s) for {self.local_size} processes.",
                f"Give torchrun --nproc-per-node {there}, or train with --device cpu.",
            )
        device = torch.device("cuda", self.local_rank)
        torch.cuda.set_device(device)
        return device

    def gather(self, values: Sequence[float]) -> Tensor:
        """The same few numbers of every process: float64 (size, n), the same everywhere.

        Raises:
            LostPeer: where a process has died.
        """
        own = torch.tensor(values, dtype=torch.float64)
        if self.size == 1:
            return own[None]
        rows = [torch.empty_like(own) for _ in range(self.size)]
        with lost_peers():
            dist.all_gather(rows, own)
        return torch.stack(rows)

    def share(self, content: bytes, source: int = 0) -> bytes:
        """The bytes that rank `source` gives, on every process; the others' are not read.

        Raises:
            LostPeer: where a process has died.
        """
        if self.size == 1:
            return content
        length = int(self.gather([len(content)])[source, 0])
        data = torch.empty(length, dtype=torch.uint8)
        if self.rank == source and content:
            data = torch.frombuffer(bytearray(content), dtype=torch.uint8)
        if length:
            with lost_peers():
                dist.broadcast(data, source)
        return data.numpy().tobytes()

    def from_first(self, make: Callable[[], Any]) -> Any:
        """What `make` returns on rank 0, as JSON values, on every process.

        Raises:
            SharedError: everywhere, where `make` raises UserError.
        """
        content = None
        with self.together():
            if self.first:
                content = make()
        return json.loads(self.share(json.dumps(content).encode()))

    @contextmanager
    def together(self) -> Iterator[None]:
        """A block that every process enters; where it fails on one, it fails on all.

        Raises:
            SharedError: with the message of the first process that failed.
        """
        if self.size == 1:
            yield
            return
        failure = None
        try:
            yield
        except LostPeer:
            raise
        except UserError as error:
            failure = error
        failed = self.gather([failure is not None])[:, 0]
        if not failed.any():
            return
        words: tuple[str, str] | None = None
        if failure is not None:
            words = self._here(failure.message), failure.remedy
        shared = self.share(json.dumps(words).encode(), int(failed.argmax()))
        raise SharedError(*json.loads(shared))

    def parallel(self, module: nn.Module, device: torch.device) -> nn.Module:
        """`module` with gradients averaged over the processes; its weights become rank 0's."""
        if self.size == 1 or isinstance(module, DistributedDataParallel):
            return module
        return data_parallel(module, device)

    @contextmanager
    def one_tells(self) -> Iterator[None]:
        """Let an error that all processes know of leave one of them only.

        Raises:
            SystemExit: with code 2, on the others.
        """
        try:
            yield
        except SharedError:
            if self.size > 1:
                # torchrun ends the others as soon as one has ended: not before it is told.
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                if not self._first_to_tell():
                    sys.exit(2)
            raise
        except UserError as error:
            if self.rank == 0:
                raise
            raise UserError(self._here(error.message), error.remedy) from None

    def _here(self, message: str) -> str:
        """`message`, as it is told of a process that is not the first."""
        return f"Process {self.rank} on {socket.gethostname()}: {message}" if self.rank else message

    def _first_to_tell(self) -> bool:
        """True on one process only, the first that asks; any of the others may be dead."""
        try:
            return self.store is None or bool(self.store.add("told", 1) == 1)
        except RuntimeError:  # torchrun's store is gone, and perhaps everyone else
            return True


ALONE = World()


def data_parallel(module: nn.Module, device: torch.device) -> DistributedDataParallel:
    """`module` as it is shared by the processes of a group, of whatever size.

    Raises:
        LostPeer: where a process has died.
    """
    with lost_peers():
        return DistributedDataParallel(
            module,
            device_ids=[device] if device.type == "cuda" else None,
            gradient_as_bucket_view=True,
        )


def unsynchronised(module: nn.Module) -> AbstractContextManager[None]:
    """A context in which backward passes add to the gradients of this process only."""
    if isinstance(module, DistributedDataParallel):
        context: AbstractContextManager[None] = module.no_sync()
        return context
    return nullcontext()


@contextmanager
def lost_peers() -> Iterator[None]:
    """Turn what gloo and NCCL raise when a process is gone into `LostPeer`."""
    try:
        yield
    except RuntimeError as error:
        text = str(error).lower()
        if not (isinstance(error, dist.DistError) or "gloo" in text or "nccl" in text):
            raise
        raise LostPeer(
            "Another process of the run has ended or does not answer.",
            "Its own last words, if any, are above.",
        ) from None


@contextmanager
def joined() -> Iterator[World]:
    """The processes that torchrun started, once all of them are there; else a world of one.

    Raises:
        UserError: where torchrun's variables are incomplete or the others cannot be reached.
    """
    world = _from_environment()
    if world.size == 1:
        yield world
        return
    try:
        store, rank, size = next(rendezvous("env://", timeout=TIMEOUT))
        # Under a prefix, for what the processes of an attempt that failed have left in it.
        store = dist.PrefixStore(  # type: ignore[attr-defined]
            f"mgpt-tui/{world.restarts}", store
        )
        dist.init_process_group(backend(), store=store, rank=rank, world_size=size, timeout=TIMEOUT)
    except (RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"Process {world.rank} of {world.size} cannot reach the others at "
            f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']} ({reason}).",
            "Start all of them with torchrun; docs/training.md tells how.",
        ) from None
    yield replace(world, store=store)
    # Not after an error: closing the connections would hide it behind the others' complaints.
    dist.destroy_process_group()


def backend() -> str:
    """What processes talk over: numbers of the CPU over gloo, gradients of GPUs over NCCL."""
    return "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"


def _from_environment() -> World:
    given = {name: os.environ[name] for name in VARIABLES if name in os.environ}
    if given.get("WORLD_SIZE", "1") == "1" and given.get("RANK", "0") == "0":
        return World()
    missing = [name for name in VARIABLES if name not in given]
    if missing:
        raise UserError(
            f"{' and '.join(sorted(given.keys() & {'RANK', 'WORLD_SIZE'}))} is set in the "
            f"environment, but {', '.join(missing)} is not.",
            "Start several processes with torchrun, or unset the variables for a single one.",
        )
    try:
        rank, size, local_rank, local_size = (int(given[name]) for name in VARIABLES[:4])
    except ValueError:
        raise _unlikely(given) from None
    if not (0 <= rank < size and 0 <= local_rank < local_size <= size):
        raise _unlikely(given)
    restarts = os.environ.get("TORCHELASTIC_RESTART_COUNT", "")
    return World(rank, size, local_rank, local_size, int(restarts) if restarts.isdecimal() else 0)


def _unlikely(given: dict[str, str]) -> UserError:
    values = ", ".join(f"{name}={given[name]!r}" for name in VARIABLES[:4])
    return UserError(
        f"These variables do not fit together: {values}.",
        "Start the processes with torchrun, which sets them.",
    )
