"""How long the engine takes on the large vectors: python -m tests.benchmarks.core

Each line is the best of some runs; the ratio is to `json.loads` of the same text.
"""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deployments.core.check import check
from deployments.core.evaluate import evaluate
from deployments.core.load import load
from deployments.core.merge import merge
from deployments.core.render import render
from deployments.core.text import parse
from deployments.core.versions import Version

VECTORS = Path(__file__).parents[1] / "core" / "vectors"
RUNS = 5


def best(work: Callable[[], Any]) -> float:
    """The shortest of some runs, in seconds."""
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def measure(vector: dict[str, Any]) -> None:
    version = Version.parse(vector["generation"])
    text = json.dumps(vector["files"][0])
    document = merge([parse(text, "big")])
    baseline = best(lambda: json.loads(text))
    print(f"{vector['generation']}: {len(text) // 1024} KiB, json.loads {baseline * 1000:.1f} ms")
    steps: dict[str, Callable[[], Any]] = {
        "parse": lambda: parse(text, "big"),
        "merge": lambda: merge([document]),
        "load": lambda: load(document, version),
        "check": lambda: check(document, version),
        "render": lambda: render(document),
        "evaluate": lambda: evaluate([document], vector["principals"], version=version),
    }
    for name, work in steps.items():
        seconds = best(work)
        print(f"  {name:9} {seconds * 1000:8.1f} ms  {seconds / baseline:7.1f} x")
    print(f"  evaluate gives {len(vector['expected']['results'])} rows")


if __name__ == "__main__":
    for path in sorted(VECTORS.glob("*/big/*.gz")):
        measure(json.loads(gzip.decompress(path.read_bytes())))
