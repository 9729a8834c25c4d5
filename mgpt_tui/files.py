"""Files that are whole or not there: written under a temporary name, synced, renamed."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO

from mgpt_tui.errors import UserError

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
def atomic_writer(path: Path, *, durable: bool = True) -> Iterator[BinaryIO]:
    """Open a temporary file beside `path`; on success it becomes `path`, else it is removed.

    Args:
        durable: wait until it is on disk, so that it outlasts a power cut.

    Raises:
        UserError: where the folder cannot be written or the device is full.
    """
    temporary: Path | None = None
    try:
        make_folder(path.parent)
        descriptor, name = tempfile.mkstemp(prefix=f".tmp-{path.name}-", dir=path.parent)
        temporary = Path(name)
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
            if durable:
                stream.flush()
                os.fsync(stream.fileno())
        # mkstemp makes files private; a saved story should have the user's usual mode.
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
        temporary = None
        if durable:
            sync_dir(path.parent)
    except OSError as error:
        raise os_error(error, path) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def atomic_write(path: Path, content: bytes | str) -> None:
    """Replace `path` with `content` (text as UTF-8) in one step; see `atomic_writer`."""
    with atomic_writer(path) as stream:
        stream.write(content.encode() if isinstance(content, str) else content)


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
        temporary = Path(tempfile.mkdtemp(prefix=f".tmp-{path.name}-", dir=path.parent))
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


def stat_regular(path: Path) -> os.stat_result:
    """What is known of a file that is about to be read; reading a pipe could take for ever.

    Raises:
        UserError: where it is a folder, a pipe or a device.
        OSError: where it cannot be looked at.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise not_regular(path)
    return status


def not_regular(path: Path | str) -> UserError:
    """That something is there which is not read."""
    return UserError(f"{path} is no regular file.", "Copy what it holds into a file first.")


def try_lock(stream: IO[Any]) -> bool:
    """Lock an open file until it is closed; False where another process has locked it.

    Windows has no such locks: there it is always True.
    """
    if fcntl is not None:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
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


def os_error(error: OSError, path: Path | str | None = None) -> UserError:
    """The same failure, said to a person with a remedy."""
    where = path or error.filename or "a file"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UserError(
            f"No space left on the device for {where}.", "Free some space, then run it again."
        )
    if error.errno == errno.EFBIG:
        return UserError(
            f"{where} grew larger than files may be here.",
            "See `ulimit -f`, or choose a folder on another file system.",
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return UserError(
            f"{where} cannot be read or written: {error.strerror}.",
            "Choose another folder or mend its permissions.",
        )
    if error.errno == errno.ENOENT:
        return UserError(f"{where} does not exist.", "Check the path.")
    return UserError(f"{where}: {error.strerror or error}.", "Check the path.")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
