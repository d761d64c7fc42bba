"""Memory and time over many fits in one process: ``python -m benchmarks.memory``.

200 fits of one configuration, then twelve architectures ten times each; prints the resident memory
and the seconds per fit along the way.
"""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks import contenders


def resident_mib() -> float:
    """Return the resident memory of this process, where the system reports it, else its peak."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 1024)


def fit_seconds(layers: tuple[int, ...], X: np.ndarray, y: np.ndarray) -> float:
    """Fit once and return the seconds."""
    estimator = contenders.skimb_estimator(layers, 32, 10)
    start = time.perf_counter()
    estimator.fit(X, y)
    return time.perf_counter() - start


def same_configuration(X: np.ndarray, y: np.ndarray) -> None:
    """Print memory and time of 200 fits of one configuration."""
    seconds, memory = [], []
    for _ in range(200):
        seconds.append(fit_seconds((64,), X, y))
        memory.append(resident_mib())
    print(f"200 fits: {memory[-1] - memory[19]:+.1f} MiB after the 20th, wanted below 50")
    early, late = median(seconds[1:21]), median(seconds[-20:])
    print(f"first warm 20 {early:.4f} s a fit, last 20 {late:.4f} s, ratio {late / early:.2f}")


def cycled_architectures(X: np.ndarray, y: np.ndarray) -> None:
    """Print memory and time of twelve architectures, ten fits each."""
    for cycle in range(10):
        seconds = [fit_seconds((8 * (i + 1),), X, y) for i in range(12)]
        print(
            f"cycle {cycle}: {resident_mib():7.1f} MiB, {median(seconds):.4f} s a fit", flush=True
        )


if __name__ == "__main__":
    table = contenders.table(4000, 20)
    same_configuration(*table)
    cycled_architectures(*table)
