"""Means and mean ranks over families of tables, with intervals, from the lines of a run."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from scipy.stats import rankdata

from benchmarks.arena.run import Line
from benchmarks.arena.tables import CHOSEN, MIXED, REPORTED, SIMULATED, Table

#: scores, and whether higher is better
SCORES = {
    "AP": True,
    "AUC": True,
    "F1": True,
    "Brier": False,
    "log loss": False,
    "seconds": False,
}

#: what is far behind in average precision, on tables with this many positives
FAR, ENOUGH_POSITIVES = 0.05, 30

#: of the bootstrap over families
N_DRAWS = 2000

#: mean scores of the folds, by contender and table
Scores = dict[str, dict[str, dict[str, float]]]


def collected(lines: Iterable[Line], data: dict[str, Table], names: list[str], seed: int) -> Scores:
    """Return the scores of each contender, of the version that was measured last.

    Parameters
    ----------
    lines : iterable of dict
        As :func:`benchmarks.arena.run.known` returns them.
    data : dict of str to Table
    names : list of str
        Contenders.
    seed : int

    Returns
    -------
    dict
        Tables of which a fold is missing are left out.
    """
    folds: dict[str, dict[str, list[Line]]] = {name: {} for name in names}
    for line in newest(lines, data, names, seed):
        folds[line["name"]].setdefault(line["table"], []).append(line)
    return {
        name: {
            table: {score: float(np.mean([fold[score] for fold in found])) for score in SCORES}
            for table, found in by_table.items()
            if len(found) == data[table].n_folds
        }
        for name, by_table in folds.items()
    }


def newest(
    lines: Iterable[Line], data: dict[str, Table], names: list[str], seed: int
) -> list[Line]:
    """Return the lines of some contenders, of the version of each that was measured last."""
    lines = [line for line in lines if line["seed"] == seed and line["table"] in data]
    last = {line["name"]: (line["version"], line["params"]) for line in lines}
    return [
        line
        for line in lines
        if line["name"] in names and last[line["name"]] == (line["version"], line["params"])
    ]


def over_families(scores: Scores, data: list[Table], score: str) -> np.ndarray:
    """Return means over the tables of each family, of shape (n_families, n_contenders)."""
    families = sorted({table.family for table in data})
    return np.array(
        [
            [
                np.mean([found[t.name][score] for t in data if t.family == family])
                for found in scores.values()
            ]
            for family in families
        ]
    )


def compared(values: np.ndarray, higher: bool) -> dict[str, np.ndarray]:
    """Return means and mean ranks over families with 95 % bootstrap intervals over families.

    Parameters
    ----------
    values : ndarray of shape (n_families, n_contenders)
    higher : bool
        Whether higher is better.

    Returns
    -------
    dict of str to ndarray
        ``mean`` and ``rank`` of shape (n_contenders,); ``mean interval`` and ``rank interval`` of
        shape (2, n_contenders).
    """
    ranks = rankdata(np.round(-values if higher else values, 12), axis=1)
    draws = np.random.RandomState(0).randint(len(values), size=(N_DRAWS, len(values)))
    found = {}
    for name, each in (("mean", values), ("rank", ranks)):
        found[name] = each.mean(axis=0)
        found[f"{name} interval"] = np.quantile(each[draws].mean(axis=1), [0.025, 0.975], axis=0)
    return found


def show(lines: Iterable[Line], data: dict[str, Table], names: list[str], seed: int) -> None:
    """Print each group, the mixed tables one by one, the sums of the times and what is missing."""
    scores = {n: s for n, s in collected(lines, data, names, seed).items() if s}
    if not scores:
        print("no contender has a complete table yet")
        return
    shared = set.intersection(*({*by_table} for by_table in scores.values()))
    _say_what_is_missing(scores, data, names, len(shared))
    for group in (CHOSEN, SIMULATED, REPORTED):
        some = [table for name, table in data.items() if name in shared and table.group == group]
        if some:
            _show_half(scores, some, group)
    for table in (t for name, t in data.items() if name in shared and t.group == MIXED):
        _show_table(scores, table)
    _show_far_behind(scores, [data[name] for name in data if name in shared])
    _show_times(scores, [data[name] for name in data if name in shared])
    real = {name: table for name, table in data.items() if table.group != SIMULATED}
    _show_out_of_fold(newest(lines, real, names, seed))


def _say_what_is_missing(
    scores: Scores, data: dict[str, Table], names: list[str], n_shared: int
) -> None:
    unknown = [name for name in names if name not in scores]
    if unknown:
        print(f"not measured: {', '.join(unknown)}")
    if n_shared < len(data):
        counts = ", ".join(f"{name} {len(by_table)}" for name, by_table in scores.items())
        print(f"{n_shared} of {len(data)} tables are complete for all contenders ({counts})")


def _show_half(scores: Scores, some: list[Table], group: str) -> None:
    families = sorted({table.family for table in some})
    print(f"\n== {group}: {len(some)} tables, {len(families)} families: {', '.join(families)}")
    names = np.array(list(scores))
    for score, higher in SCORES.items():
        found = compared(over_families(scores, some, score), higher)
        title = f"{score} ({'higher' if higher else 'lower'} is better)"
        print(f"\n{title:34}{'rank':>6}{'interval':>14}{'mean':>9}{'interval':>18}")
        for i in np.argsort(found["rank"], kind="stable"):
            (low, high), (worst, best) = found["mean interval"][:, i], found["rank interval"][:, i]
            rank = f"{found['rank'][i]:6.2f}{f'{worst:.2f}-{best:.2f}':>14}"
            print(f"{names[i]:34}{rank}{found['mean'][i]:9.3f}{f'{low:.3f}-{high:.3f}':>18}")


def _show_table(scores: Scores, table: Table) -> None:
    share = f"{table.y.sum()} of {len(table.y)} rows positive"
    print(f"\n== {table.name}: {share}\n{'':34}" + "".join(f"{score:>10}" for score in SCORES))
    for name in sorted(scores, key=lambda name: -scores[name][table.name]["AP"]):
        figures = "".join(f"{scores[name][table.name][score]:10.3f}" for score in SCORES)
        print(f"{name:34}{figures}")


def _show_times(scores: Scores, data: list[Table]) -> None:
    groups = (CHOSEN, SIMULATED, REPORTED, MIXED)
    print(f"\n== sum of the seconds of all fits\n{'':34}" + "".join(f"{g:>14}" for g in groups))
    for name, by_table in scores.items():
        sums = [
            sum(by_table[t.name]["seconds"] * t.n_folds for t in data if t.group == group)
            for group in groups
        ]
        print(f"{name:34}" + "".join(f"{seconds:14.1f}" for seconds in sums))


def _show_far_behind(scores: Scores, data: list[Table]) -> None:
    """Print the tables with enough positives where others rank much better."""
    some = [t.name for t in data if t.group != SIMULATED and t.y.sum() >= ENOUGH_POSITIVES]
    if not some or len(scores) < 2:
        return
    print(
        f"\nmore than {FAR} of average precision behind the best contender, of {len(some)} tables "
        f"with {ENOUGH_POSITIVES} positives or more"
    )
    best = {table: max(found[table]["AP"] for found in scores.values()) for table in some}
    for name, found in scores.items():
        behind = {table: best[table] - found[table]["AP"] for table in some}
        far = sorted((table for table in some if behind[table] > FAR), key=lambda t: -behind[t])
        worst = ", ".join(f"{table} {behind[table]:.3f}" for table in far[:5])
        print(f"{name:34}{len(far):4}  {worst}{', …' if len(far) > 5 else ''}")


def _show_out_of_fold(lines: Iterable[Line]) -> None:
    """Print how far scores of held-out samples are from those of fresh ones, table by table."""
    for estimate, fresh in (("oof_score_", "score"), ("oof AP", "AP")):
        found: dict[str, dict[str, list[float]]] = {}
        for line in lines:
            if np.isfinite(line.get(estimate, np.nan)):
                of_tables = found.setdefault(line["name"], {})
                of_tables.setdefault(line["table"], []).append(line[estimate] - line[fresh])
        for name, of_tables in found.items():
            apart = np.array([np.mean(each) for each in of_tables.values()])
            error = apart.std() / np.sqrt(len(apart))
            print(
                f"\n{name}: {estimate} - {fresh} of fresh rows: {apart.mean():+.3f} (standard "
                f"error {error:.3f}), absolute {np.abs(apart).mean():.3f}, higher on "
                f"{(apart > 0).sum()} of {len(apart)} tables"
            )


def draw(lines: Iterable[Line], data: dict[str, Table], names: list[str], path: Path) -> None:
    """Plot the mean ranks on the half that nothing was chosen on, the best on top."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    scores = {n: s for n, s in collected(lines, data, names, 0).items() if s}
    shared = set.intersection(*({*by_table} for by_table in scores.values()))
    some = [t for name, t in data.items() if name in shared and t.group == REPORTED]
    shown = ("AP", "F1", "Brier")
    figure, axes = plt.subplots(1, len(shown), figsize=(4.2 * len(shown), 4), layout="constrained")
    for ax, score in zip(axes, shown, strict=True):
        ranks = compared(over_families(scores, some, score), SCORES[score])["rank"]
        order = np.argsort(-ranks)
        labels = [list(scores)[i] for i in order]
        colors = ["C1" if label.startswith("skimb") else "C0" for label in labels]
        ax.barh(range(len(labels)), ranks[order], color=colors)
        ax.set_yticks(range(len(labels)), labels)
        ax.bar_label(ax.containers[0], fmt="%.1f", padding=2)
        ax.set(title=score, xlabel="mean rank", xlim=(0, len(labels) + 1.5))
    figure.savefig(path, dpi=120)
