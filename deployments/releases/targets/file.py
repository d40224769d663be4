"""A file that Core reads, replaced at once: whoever opens it sees the old bytes or the new."""

from __future__ import annotations

import errno
import glob
import os
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from deployments.releases.targets.interface import TargetError, refuse_too_large

NEW_MODE = 0o600  # the settings carry secrets; whoever needs the file readable by others says so once, by chmod
UNFINISHED = ".unfinished"

_MENDS = {
    errno.EACCES: "Give this process the right to write the folder.",
    errno.EPERM: "Give this process the right to write the folder.",
    errno.EROFS: "Mount the folder for writing.",
    errno.ENOSPC: "Make room on the disk.",
    errno.EDQUOT: "Make room, or raise the quota.",
    errno.EFBIG: "Make room, or raise the limit for files.",
    errno.EBUSY: "The file itself seems to be a mount: mount its folder instead, so that it can be replaced.",
    errno.ENOENT: "Make the folder, or mount it.",
    errno.ENOTDIR: "Something that is no folder stands in the path; correct the path.",
    errno.ELOOP: "The symbolic links lead in a circle; correct them.",
    errno.EISDIR: "Name a file in the folder.",
}


@dataclass(frozen=True)
class FileTarget:
    """The file at `path`, or the file that a symbolic link there leads to: links stay.

    What the file held before is kept beside it as `<name>.previous`.
    """

    name: str
    path: Path

    @property
    def where(self) -> str:
        return str(self.path)

    def read(self) -> bytes | None:
        try:
            real = real_file(self.path)
            return real.read_bytes() if real.exists() else None
        except OSError as error:
            raise _failure(self.path, "cannot be read", error) from error

    def write(self, data: bytes, digest: str) -> None:
        old = self.read()
        if old == data:
            return
        try:
            real = real_file(self.path)
            for left in real.parent.glob(f".{glob.escape(real.name)}.*{UNFINISHED}"):  # of a process that was killed
                left.unlink(missing_ok=True)
            room = free_bytes(real.parent) - len(old or b"")
            refuse_too_large(self, data, room, "and the disk has room for", "Make room on the disk.")
            if old is not None:
                replace(real.with_name(f"{real.name}.previous"), old, like=real)
            replace(real, data)
        except OSError as error:
            raise _failure(self.path, "cannot be written", error) from error


def save(path: Path, data: bytes) -> None:
    """Write a file as the target does, without keeping the one before. Raises TargetError."""
    try:
        replace(real_file(path), data)
    except OSError as error:
        raise _failure(path, "cannot be written", error) from error


def _failure(path: Path, what: str, error: OSError) -> TargetError:
    return TargetError(
        what,
        where=str(path),
        why=f"{error.strerror or error}.",
        mend=_MENDS.get(error.errno or 0, "Look at the disk and at the rights of this process."),
    )


def free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def real_file(path: Path) -> Path:
    """Where the bytes are: symbolic links are followed, also one that leads to a file that is not there yet.

    Raises OSError when the folder is missing or something there is no regular file.
    """
    try:
        real = path.resolve()
    except RuntimeError as error:  # how Python 3.11 reports a circle of links
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from error
    try:
        mode = real.stat().st_mode
    except FileNotFoundError:
        real.parent.stat()  # a folder that is missing is another trouble than an empty one
        return real
    if stat.S_ISDIR(mode):
        raise OSError(errno.EISDIR, "It is a folder")
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "It is no regular file")
    return real


def replace(path: Path, data: bytes, *, like: Path | None = None) -> None:
    """Put a new file in the place of `path` in one step, safe on disk when this returns.

    Mode, owner and group are those of `like` (default: of the file that is replaced); a new file is 0600.
    Raises OSError, and then the file is as it was.
    """
    like = like or path
    kept = like.stat() if like.exists() else None
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=UNFINISHED)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            _own(file.fileno(), kept)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _own(descriptor: int, kept: os.stat_result | None) -> None:
    made = os.fstat(descriptor)
    if kept is not None and (made.st_uid, made.st_gid) != (kept.st_uid, kept.st_gid):
        try:
            os.fchown(descriptor, kept.st_uid, kept.st_gid)
        except PermissionError as error:
            raise OSError(
                errno.EPERM,
                f"It belongs to user {kept.st_uid}, group {kept.st_gid}, to whom this process cannot give a file",
            ) from error
    os.fchmod(descriptor, stat.S_IMODE(kept.st_mode) if kept is not None else NEW_MODE)


def _sync_folder(folder: Path) -> None:
    """Make the new name last through a power cut, where the file system knows how."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)
