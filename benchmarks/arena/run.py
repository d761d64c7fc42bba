"""Measure contenders on the folds of tables, and keep the results in a file of JSON lines.

A line is a fold: whatever the file holds for this version of a contender is not measured again.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import time
import warnings
from collections import defaultdict, deque
from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    f1_score,
    log_loss,
    roc_auc_score,
)
from sklearn.model_selection import StratifiedKFold

from benchmarks.arena.peers import contender
from benchmarks.arena.tables import Table, tables

#: each process computes on one core
ONE_THREAD = {
    name: "1"
    for name in (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "TF_NUM_INTRAOP_THREADS",
        "TF_NUM_INTEROP_THREADS",
    )
}

#: a result: table, fold, contender, version, params, and the scores
Line = dict[str, Any]


@dataclass(frozen=True)
class Task:
    """One fit: a contender on a fold of a table."""

    table: str
    fold: int
    name: str
    params: dict[str, Any] | None
    version: str
    seed: int
    cells: int

    @cached_property
    def key(self) -> str:
        """Return what tells its result from others."""
        return _key(vars(self))


def _key(line: Line) -> str:
    parts = [line[name] for name in ("table", "fold", "name", "params", "version", "seed")]
    return json.dumps(parts, sort_keys=True)


def planned(data: Iterable[Table], chosen: dict[str, Any], seed: int) -> list[Task]:
    """Return the tasks, contender after contender.

    Parameters
    ----------
    data : iterable of Table
    chosen : dict of str to dict or None
        Parameters of skimb's contenders by name, None for peers.
    seed : int
        Of the folds and of the contenders.
    """
    data = list(data)
    return [
        Task(t.name, fold, name, params, version, seed, t.X.shape[0] * t.X.shape[1])
        for name, params in chosen.items()
        for version in [contender(name, params).version]
        for t in data
        for fold in range(t.n_folds)
    ]


def known(out: Path) -> dict[str, Line]:
    """Return the results in a file, the newest of each kind last."""
    lines = out.read_text().splitlines() if out.exists() else []
    found: dict[str, Line] = {}
    for line in map(json.loads, lines):
        found.pop(_key(line), None)
        found[_key(line)] = line
    return found


def measured(data: Path | None, task: Task) -> Line:
    """Fit a contender on a fold and score it."""
    warnings.simplefilter("ignore")  # convergence, and names of columns
    table, entrant = tables(data)[task.table], contender(task.name, task.params)
    X = entrant.prepare(table.X)
    train, test = table.folds(task.seed)[task.fold]
    part = (lambda rows: X[rows]) if isinstance(X, np.ndarray) else (lambda rows: X.iloc[rows])
    estimator, truth = entrant.make(X, task.seed), table.y[test]
    start = time.perf_counter()
    estimator.fit(part(train), table.y[train])
    fitted = time.perf_counter()
    p = np.asarray(estimator.predict_proba(part(test)))[:, 1].astype(float)
    predicted = np.asarray(estimator.predict(part(test))).astype(int)
    line = {name: getattr(task, name) for name in ("table", "fold", "name", "params")}
    line |= {
        "version": task.version,
        "seed": task.seed,
        "cells": task.cells,
        "AP": average_precision_score(truth, p),
        "AUC": roc_auc_score(truth, p),
        "F1": f1_score(truth, predicted, zero_division=0),
        "Brier": brier_score_loss(truth, p),
        "log loss": log_loss(truth, np.clip(p, 1e-15, 1 - 1e-15)),
        "seconds": fitted - start,
        "predict seconds": time.perf_counter() - fitted,
    }
    if hasattr(estimator, "oof_score_"):
        line["oof_score_"] = estimator.oof_score_
        line["score"] = estimator.score(part(test), truth)
        held_out = estimator.oof_predict_proba_[:, 1]
        line["oof AP"] = _in_parts(table.y[train], held_out, table.n_folds - 1)
    return {name: float(v) if isinstance(v, np.floating) else v for name, v in line.items()}


def _in_parts(y: np.ndarray, score: np.ndarray, n_parts: int) -> float:
    """Return the mean average precision of parts of the training samples.

    Each has as many positives as the test samples: with few, average precision is higher by chance.
    """
    splitter = StratifiedKFold(n_parts, shuffle=True, random_state=0)
    parts = [rows for _, rows in splitter.split(y, y)]
    return float(np.mean([average_precision_score(y[rows], score[rows]) for rows in parts]))


def measure(data: Path | None, tasks: list[Task], out: Path, jobs: int) -> None:
    """Measure what is not in the file yet, and say how long it will take.

    Parameters
    ----------
    data : Path or None
    tasks : list of Task
    out : Path
        Each result is appended at once, so that a run that is stopped goes on where it was.
    jobs : int
        Processes, each of one thread.
    """
    before = known(out)
    left = [task for task in tasks if task.key not in before]
    print(f"{len(tasks) - len(left)} of {len(tasks)} fits are known", flush=True)
    if not left:
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    os.environ.update(ONE_THREAD)
    clock = _Clock(before.values(), left, jobs)
    context = multiprocessing.get_context("spawn")  # TensorFlow does not survive a fork
    # The folds of a table one after the other in one process, as in a cross-validation: what a
    # contender compiles for the first of them counts once.
    groups = (deque(group) for _, group in groupby(left, lambda task: (task.name, task.table)))
    pools = [ProcessPoolExecutor(1, context) for _ in range(jobs)]
    rest: list[deque[Task]] = [deque() for _ in pools]
    waiting: dict[Future[Line], tuple[int, Task]] = {}
    idle = list(range(jobs))
    try:
        with out.open("a") as file:
            while True:
                for slot in idle:
                    rest[slot] = rest[slot] or next(groups, deque())
                    if rest[slot]:
                        task = rest[slot].popleft()
                        waiting[pools[slot].submit(measured, data, task)] = slot, task
                if not waiting:
                    return
                idle = []
                for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                    slot, task = waiting.pop(future)
                    idle.append(slot)
                    try:
                        line = future.result()
                    except Exception as error:  # one contender must not end the run
                        print(f"{task.name} failed on {task.table}: {error!r}", flush=True)
                        clock.skip(task)
                        if isinstance(error, BrokenProcessPool):  # its process died
                            pools[slot] = ProcessPoolExecutor(1, context)
                        continue
                    file.write(json.dumps(line) + "\n")
                    file.flush()
                    clock.tell(task, line["seconds"] + line["predict seconds"])
    finally:
        for pool in pools:
            pool.shutdown()


class _Clock:
    """How long the rest takes: what each contender took before, by the size of the table."""

    def __init__(self, before: Iterable[Line], left: list[Task], jobs: int) -> None:
        self.spent: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        self.left: dict[str, float] = defaultdict(float)
        self.fits, self.done, self.jobs, self.told = len(left), 0, jobs, 0.0
        for line in before:
            self._add(line["name"], line["cells"], line["seconds"] + line["predict seconds"])
        for task in left:
            self.left[task.name] += self._size(task.cells)

    def _size(self, cells: int) -> float:
        return cells + 5000.0  # what a fit costs however small

    def _add(self, name: str, cells: int, seconds: float) -> None:
        self.spent[name][0] += seconds
        self.spent[name][1] += self._size(cells)

    def skip(self, task: Task) -> None:
        self.left[task.name] -= self._size(task.cells)
        self.done += 1

    def tell(self, task: Task, seconds: float) -> None:
        """Count a fit, and print the time that is left every ten seconds."""
        self.skip(task)
        self._add(task.name, task.cells, seconds)
        now = time.monotonic()
        if now - self.told > 10 or self.done == self.fits:
            self.told = now
            print(
                f"{self.done}/{self.fits} fits, about {self.minutes():.0f} minutes left "
                f"({task.name}, {task.table})",
                flush=True,
            )

    def minutes(self) -> float:
        """Return the minutes that are left; unknown contenders are as fast as the others."""
        seconds, size = (sum(values) for values in zip(*self.spent.values(), strict=True))
        rate = {name: spent / max(n, 1.0) for name, (spent, n) in self.spent.items()}
        total = sum(n * rate.get(name, seconds / size) for name, n in self.left.items())
        return total / self.jobs / 60
