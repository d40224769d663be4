"""All benchmarks, one after the other: `make bench`. Each module says what it measures and takes options of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
PARTS = {"__init__", "__main__", "yardstick", "serving", "guardian"}  # what benchmarks are made of


def main() -> int:
    failed = []
    for name in sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in PARTS):
        print(f"--- {name} ---", flush=True)
        if subprocess.run(
            [sys.executable, "-m", f"tests.benchmarks.{name}"], cwd=FOLDER.parents[1], check=False
        ).returncode:
            failed.append(name)
    if failed:
        print(f"Failed: {', '.join(failed)}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
