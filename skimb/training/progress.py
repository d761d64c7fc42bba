"""The line that shows how far a training is."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class Part:
    """Which of the trainings of a fit this one is.

    Attributes
    ----------
    name : str, default=""
        Shown before the epoch, such as ``"fold 2/5"``.
    n_later : int, default=0
        Trainings of as many epochs that follow.
    """

    name: str = ""
    n_later: int = 0


WHOLE = Part()


class ProgressLine:
    """Epoch, time left and scores, on a line that is updated or a line per epoch.

    Parameters
    ----------
    epochs : int
        Of this training, at most.
    verbose : int
        1 updates the line where the output is a terminal or a notebook.
    monitored : str or None
        Entry of the logs that early stopping is decided by.
    part : Part
    """

    def __init__(self, *, epochs: int, verbose: int, monitored: str | None, part: Part) -> None:
        self._epochs, self._monitored, self._part = epochs, monitored, part
        self._updates = verbose == 1 and _can_update()

    def begin(self) -> None:
        """Start the clock."""
        self._start = time.perf_counter()

    def show(self, epoch: int, logs: Mapping[str, float], best: int = 0) -> None:
        """Show an epoch, counted from 1, with its scores and the best epoch so far, if any."""
        now = time.perf_counter()
        of_an_epoch = (now - self._start) / max(epoch - 1, 1)
        if epoch == 1:  # which may have compiled what the others use
            self._start = now
        seconds = of_an_epoch * (self._epochs * (1 + self._part.n_later) - epoch)
        at_most = "" if self._monitored is None else "at most "
        # the learning rate is of least interest, and a terminal may have no room for it
        names = sorted(logs, key=lambda name: (name != self._monitored, name == "learning_rate"))
        scores = [f"{name} {logs[name]:.4g}" for name in names]
        if best:
            scores.insert(1, f"best epoch {best}")
        of_epoch = [f"epoch {epoch}/{self._epochs}", f"{at_most}{_text(seconds)} left"]
        self._print("  ".join(filter(None, [self._part.name, *of_epoch, *scores])))

    def end(self) -> None:
        """Leave the line as it is."""
        if self._updates:
            print(file=sys.stdout, flush=True)

    def _print(self, line: str) -> None:
        if self._updates:
            # a longer line would wrap, and the next line would not overwrite it
            room = shutil.get_terminal_size().columns - 1
            print(f"\r{line[:room]:<{room}}", end="", file=sys.stdout, flush=True)
        else:
            print(line, file=sys.stdout, flush=True)


def _can_update() -> bool:
    """Whether a line of the output can be overwritten, as in a terminal and in a notebook."""
    is_terminal = getattr(sys.stdout, "isatty", bool)  # some programs replace the output
    return is_terminal() or "ipykernel" in sys.modules


def _text(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else str(timedelta(seconds=round(seconds)))
