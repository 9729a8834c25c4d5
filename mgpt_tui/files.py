"""Files that are whole or not there: written under a temporary name, synced, renamed.

Here too a name is claimed that nobody else may have; `reading` opens what is there.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, BinaryIO

from mgpt_tui.errors import UserError
from mgpt_tui.memory import OutOfMemory, is_lack_of_memory

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


def sync_dir(folder: Path) -> None:
    """Make a rename in `folder` outlast a power cut (a no-op where folders cannot be opened)."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it that are missing, to outlast a power cut.

    Raises:
        OSError: where one cannot be made.
    """
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in missing:
        sync_dir(path.parent)


@contextmanager
def atomic_writer(
    path: Path, *, durable: bool = True, new: bool = False, like: Path | None = None
) -> Iterator[BinaryIO]:
    """Open a temporary file beside `path`; on success it becomes `path`, else it is removed.

    A file that is replaced keeps its mode. A link is replaced, not followed.

    Args:
        durable: wait until it is on disk, so that it outlasts a power cut.
        new: never in the place of something that is there.
        like: another file, whose mode a new one takes.

    Raises:
        Taken: where something is there, with `new`.
        UserError: where the folder cannot be written or the device is full.
    """
    with (
        atomic_path(path, durable=durable, new=new, like=like) as temporary,
        temporary.open("wb") as stream,
    ):
        yield stream


@contextmanager
def atomic_path(
    path: Path, *, durable: bool = True, new: bool = False, like: Path | None = None
) -> Iterator[Path]:
    """`atomic_writer`, errors included, for what opens its file by itself: an empty one."""
    temporary: Path | None = None
    try:
        make_folder(path.parent)
        descriptor, name = tempfile.mkstemp(prefix=_prefix(path), dir=path.parent)
        os.close(descriptor)
        temporary = Path(name)
        yield temporary
        if durable:
            with temporary.open("r+b") as stream:
                os.fsync(stream.fileno())
        _dress(temporary, path, like)
        if new:
            move_new(temporary, path)
        else:
            temporary.replace(path)
        temporary = None
        if durable:
            sync_dir(path.parent)
    except OSError as error:
        raise os_error(error, path) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def atomic_write(
    path: Path, content: bytes | str, *, new: bool = False, like: Path | None = None
) -> None:
    """Replace `path` with `content` (text as UTF-8) in one step; see `atomic_writer`."""
    with atomic_writer(path, new=new, like=like) as stream:
        # Text is cleaned where it comes from; should a lone surrogate slip through, the rest of a
        # story is still written, and JSON has it back.
        stream.write(
            content if isinstance(content, bytes) else content.encode(errors="backslashreplace")
        )


def move_new(old: Path, new: Path) -> None:
    """Rename a file, but never in the place of something that is there.

    Raises:
        Taken: where something is.
        OSError: where it cannot be renamed; it is then where it was.
    """
    try:
        os.link(old, new, follow_symlinks=False)
    except FileExistsError:
        raise taken(new) from None
    except (OSError, NotImplementedError):  # this file system has no hard links
        descriptor = claim(new)
        if descriptor is None:
            raise taken(new) from None
        os.close(descriptor)
        try:
            old.replace(new)
        except OSError:
            new.unlink()
            raise
    else:
        old.unlink()


def claim(path: Path, mode: int = 0o666) -> int | None:
    """Make an empty file; its descriptor to read and write, or None where something is there.

    Raises:
        OSError: where it cannot be made.
    """
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | BINARY, mode)
    except FileExistsError:
        return None


def open_own(path: Path, flags: int, mode: int = 0o666) -> int:
    """A descriptor for a file of ours that is written in place: never through a link.

    Raises:
        UserError: where a link, a pipe or a device is in its place.
        OSError: where it cannot be opened.
    """
    if path.is_symlink():
        raise is_link(path)
    try:
        descriptor = os.open(path, flags | NO_LINKS | NON_BLOCKING | BINARY, mode)
    except OSError as error:
        if error.errno == errno.ELOOP:  # it has just come there
            raise is_link(path) from None
        if error.errno in (errno.ENXIO, errno.EISDIR):
            raise not_regular(path) from None
        raise
    try:
        stat_regular(path, descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


NON_BLOCKING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
NO_LINKS = getattr(os, "O_NOFOLLOW", 0)
BINARY = getattr(os, "O_BINARY", 0)


@contextmanager
def atomic_folder(path: Path, *, replace: bool = False) -> Iterator[Path]:
    """Make a hidden folder beside `path`; on success it becomes `path`, else it is removed.

    Args:
        path: a new or empty folder, or with `replace` one to put the new one in the place of.

    Raises:
        UserError: where the folder cannot be written or the device is full.
    """
    temporary: Path | None = None
    try:
        make_folder(path.parent)
        temporary = Path(tempfile.mkdtemp(prefix=_prefix(path), dir=path.parent))
        yield temporary
        temporary.chmod(0o777 & ~_umask())
        put_folder(temporary, path, replace=replace)
    except OSError as error:
        raise os_error(error, path) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def put_folder(new: Path, path: Path, *, replace: bool = False) -> None:
    """Let the folder `new` become `path`, which is new or empty or, with `replace`, replaced.

    While that goes on, the one that is replaced is beside `new`, with `-old` after its name.

    Raises:
        OSError: where that cannot be; both are then as they were.
    """
    sync_dir(new)
    if replace and path.exists():
        _take_place(new, path)
    else:
        new.rename(path)
    sync_dir(path.parent)


def stat_regular(path: Path, descriptor: int | None = None) -> os.stat_result:
    """What is known of a file that is about to be read; reading a pipe could take for ever.

    Args:
        path: the file.
        descriptor: of the file, where it is open already.

    Raises:
        UserError: where it is a folder, a pipe or a device.
        OSError: where it cannot be looked at.
    """
    status = path.stat() if descriptor is None else os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise not_regular(path)
    return status


class NotOurs(UserError):
    """Something that no program of ours has put there is in the place of a file."""


def not_regular(path: Path | str) -> NotOurs:
    """That something is there which is not read."""
    return NotOurs(f"{path} is no regular file.", "Copy what it holds into a file first.")


def is_link(path: Path) -> NotOurs:
    """That a link is where something is to be written."""
    return NotOurs(
        f"{path} is a link, and what it leads to is not written over.",
        "Put the file itself there, or move the link away.",
    )


def exists(path: Path) -> bool:
    """Whether something is there, even a link that leads nowhere; no where nobody can tell."""
    return os.path.lexists(path)


class Taken(UserError):
    """Something is there already."""


def taken(path: Path) -> Taken:
    """That a new file is not put in the place of another."""
    return Taken(f"There is {path} already.", "Choose another name.")


def try_lock(stream: IO[Any], *, patience: float = 0.0) -> bool:
    """Lock an open file until it is closed; False where another process has locked it.

    Windows has no such locks: there it is always True.

    Args:
        stream: the file.
        patience: seconds to wait for one who may only have looked, or is about to be done.
    """
    if fcntl is None:
        return True
    end = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                return False
            time.sleep(0.02)
        else:
            return True


def _take_place(new: Path, path: Path) -> None:
    """Rename `new` to `path`, whose old folder goes only when the new one is there."""
    old = new.with_name(new.name + "-old")
    path.rename(old)
    try:
        new.rename(path)
    except BaseException:
        old.rename(path)
        raise
    shutil.rmtree(old, ignore_errors=True)


_FULL = ("No space left on the device for {where}.", "Free some space, then run it again.")
_CLOSED = (
    "{where} cannot be read or written: {why}.",
    "Choose another folder or mend its permissions.",
)
_OS_ERRORS = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), _FULL),
    errno.EFBIG: (
        "{where} grew larger than files may be here.",
        "See `ulimit -f`, or choose a folder on another file system.",
    ),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), _CLOSED),
    errno.ENOENT: ("{where} does not exist.", "Check the path."),
}


def os_error(error: OSError, path: Path | str | None = None) -> UserError:
    """The same failure, said to a person with a remedy."""
    if is_lack_of_memory(error):
        return OutOfMemory()
    said, remedy = _OS_ERRORS.get(error.errno or 0, ("{where}: {why}.", "Check the path."))
    where, why = path or error.filename or "a file", error.strerror or error
    return UserError(said.format(where=where, why=why), remedy)


def _prefix(path: Path) -> str:
    """How a temporary name begins, short enough for any file system."""
    return f".tmp-{path.name[:40]}-"


def _dress(temporary: Path, path: Path, like: Path | None) -> None:
    """Give what `mkstemp` made private the mode and owner of what it replaces, or usual ones."""
    for model in (path, like):
        try:
            status = model.stat() if model else None
        except OSError:
            continue
        if status is not None and stat.S_ISREG(status.st_mode):
            if hasattr(os, "chown"):
                with suppress(OSError):  # the owner's own file, or root's business
                    os.chown(temporary, status.st_uid, status.st_gid)
            temporary.chmod(stat.S_IMODE(status.st_mode) & 0o777)
            return
    temporary.chmod(0o666 & ~_umask())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
