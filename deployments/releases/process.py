"""Telling whether the process that began something is still alive, so that nothing waits for the dead."""

from __future__ import annotations

import os
from pathlib import Path

PROC = Path("/proc")


def identity() -> str:
    """This process: the boot of the machine, the PID namespace, the PID, and when it started.

    Empty where the system has no /proc.
    """
    try:
        boot = (PROC / "sys/kernel/random/boot_id").read_text().strip()
        namespace = (PROC / "self/ns/pid").readlink()
        pid = (PROC / "self").readlink()
        return f"{boot} {namespace} {pid} {_started(str(pid))}"
    except OSError:
        return ""


def is_gone(other: str) -> bool:
    """Whether the process of an `identity` surely ended.

    False where that cannot be told from here: another machine or container, or no /proc.
    """
    mine, parts = identity().split(), other.split()
    if not mine or len(parts) != 4 or parts[:2] != mine[:2]:
        return False
    try:
        os.kill(int(parts[2]), 0)  # sends nothing; it also finds what /proc hides from other users
        return _started(parts[2]) != parts[3]
    except ProcessLookupError:
        return True
    except (OSError, ValueError):
        return False


def _started(pid: str) -> str:
    """When a process started, in ticks since the boot; "Z" for one that was killed and waits for its parent."""
    fields = (PROC / pid / "stat").read_text().rpartition(")")[2].split()
    return "Z" if fields[0] in "ZX" else fields[19]
