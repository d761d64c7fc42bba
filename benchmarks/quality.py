"""Compare the defaults with other libraries': ``python -m benchmarks.quality --data DIR``.

Each contender is measured untuned on stratified folds of every table: the CSV files below
``--data`` and scikit-learn's data sets with one class subsampled. Printed are average precision,
AUC, F1 of `predict`, Brier score, log loss and seconds: means and mean ranks over *families* of
tables (variants of one data set count as one), with bootstrap intervals over the families. Defaults
are chosen on one half of the families and reported on the other; :mod:`benchmarks.arena.tables`
names them. Simulated tables, in which it is known what decides, are chosen on as well. Tables with
text and gaps, those in a folder ``mixed``, are printed one by one.

Peers need the extra ``bench`` (RealMLP-TD: ``pip install pytabkit``); those not installed are left
out. Results that ``--out`` holds for a version of a contender are not measured again. The version
of skimb includes a digest of its source. For instance::

    python -m benchmarks.quality --data DIR --peers CatBoost LogisticRegression
    python -m benchmarks.quality --data DIR --ours --jobs 1   # peers alone, in one process
    python -m benchmarks.quality --data DIR --group "chosen on" --variant wide '{"epochs": 50}'
    python -m benchmarks.quality --data DIR --report   # what the file holds
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.arena.peers import OURS, PEERS, WITHOUT
from benchmarks.arena.report import draw, show
from benchmarks.arena.run import known, measure, planned
from benchmarks.arena.tables import CHOSEN, MIXED, REPORTED, SIMULATED, tables

RESULTS = Path(__file__).parent / "results" / "quality.jsonl"


def arguments() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    own = {**OURS, **WITHOUT}
    parser.add_argument("--data", type=Path, help="a folder of CSV files, and folders of them")
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=list(PEERS))
    parser.add_argument("--ours", nargs="*", choices=own, default=list(OURS))
    parser.add_argument(
        "--ablation", action="store_true", help="ours, and with a part taken away at a time"
    )
    parser.add_argument(
        "--variant", nargs=2, action="append", metavar=("NAME", "JSON"), default=[],
        help="skimb with parameters, for instance wide '{\"epochs\": 50}'",
    )  # fmt: skip
    parser.add_argument("--group", choices=(CHOSEN, SIMULATED, REPORTED, MIXED), help="of tables")
    parser.add_argument("--tables", nargs="+", help="names of tables or families, all by default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2, help="processes of one thread each")
    parser.add_argument("--out", type=Path, default=RESULTS, help="a file of JSON lines")
    parser.add_argument("--report", action="store_true", help="measure nothing")
    parser.add_argument("--picture", type=Path, help="where to draw the mean ranks")
    return parser.parse_args()


def contenders(args: argparse.Namespace) -> dict[str, dict[str, Any] | None]:
    """Return the parameters of skimb's contenders by name, None for peers."""
    own = {**OURS, **WITHOUT}
    chosen: dict[str, dict[str, Any] | None] = dict.fromkeys(args.peers)
    chosen |= {name: own[name] for name in (own if args.ablation else args.ours)}
    return chosen | {f"skimb, {name}": json.loads(params) for name, params in args.variant}


def main() -> None:
    """Run from the command line."""
    args = arguments()
    chosen = contenders(args)
    data = {
        name: table
        for name, table in tables(args.data).items()
        if args.group in (None, table.group)
        and (not args.tables or {name, table.family} & {*args.tables})
    }
    if not args.report:
        tasks = planned(data.values(), chosen, args.seed)
        measure(args.data, tasks, args.out, args.jobs)
    lines = list(known(args.out).values())
    show(lines, data, list(chosen), args.seed)
    if args.picture:
        draw(lines, data, list(chosen), args.picture)


if __name__ == "__main__":
    main()
