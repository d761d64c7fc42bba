"""From the results of a search over weights to curves; the display draws them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from reprlib import Repr
from textwrap import shorten
from typing import Any, NamedTuple

import numpy as np

from skimb.plotting.panels import score_title, shortened

_NAMES = ("class_weight", "pos_weight", "weight_power")
# of settings of other parameters, a line each
_FEW_SETTINGS = 6

_abbreviation = Repr()
_abbreviation.maxstring = _abbreviation.maxother = _abbreviation.maxlong = 24
_brief = _abbreviation.repr


class Curve(NamedTuple):
    """Scores of weights that belong together.

    Attributes
    ----------
    label : str or None
        The setting of the other parameters.
    x : ndarray of shape (n_weights,)
        Numbers, or positions of categories. Ascending.
    mean, std : ndarray of shape (n_weights,)
        Over the folds; NaN where a fit failed.
    """

    label: str | None
    x: np.ndarray
    mean: np.ndarray
    std: np.ndarray


@dataclass(frozen=True)
class WeightAxis:
    """What weights are drawn against.

    Attributes
    ----------
    label : str
    scale : {"linear", "log", "symlog", "categories"}
    categories : list of str, default=()
        In order; empty for the other scales.
    """

    label: str
    scale: str
    categories: Sequence[str] = ()


class SearchCurves(NamedTuple):
    """What a search found, ready to be drawn.

    Attributes
    ----------
    curves : list of Curve
    axis : WeightAxis
    score_label : str
    connected : bool
        Whether points of a curve may be joined by a line.
    final : list of int
        Positions of the curves of the last round of a halving search, and otherwise all.
    better : str or None
        A candidate without the weight, and so not in the curves, that scored better than all.
    winner : str or None, default=None
        The other parameters of the best point, where the labels of the curves do not have them.
    """

    curves: list[Curve]
    axis: WeightAxis
    score_label: str
    connected: bool
    final: list[int]
    better: str | None
    winner: str | None = None


def read(
    results: Mapping[str, Any], param: str | None, score: str | None, score_name: str | None = None
) -> SearchCurves:
    """Return the curves of the results of a search.

    Parameters
    ----------
    results : mapping
        ``cv_results_``, or a data frame of it.
    param : str or None
        Name of the parameter, with or without the steps before it.
    score : str or None
        Name of the score.
    score_name : str or None, default=None
        What it is called in the picture.
    """
    if "params" not in results:
        raise ValueError(
            "cv_results has no 'params'. Pass search.cv_results_ of a fitted search, such as "
            "GridSearchCV."
        )
    candidates = [dict(candidate) for candidate in results["params"]]
    score = _chosen_score(results, score)
    mean, std = (
        np.array(results[f"{what}_test_{score}"], dtype=np.float64) for what in ("mean", "std")
    )
    if not np.isfinite(mean).any():
        raise ValueError(
            f"mean_test_{score} has no finite value: every fit or score failed. "
            "error_score='raise' in the search shows why."
        )
    param = _chosen_param(candidates, param)
    final = _last_round(results, mean)
    if "n_resources" in results:  # halving: scores of few rows are another curve
        for candidate, n_resources in zip(candidates, results["n_resources"], strict=True):
            candidate["n_resources"] = n_resources
    title = score_title(score_name or score)
    label = title[:1].upper() + title[1:] + _folds(results, score)
    better = _better_without(candidates, param, np.where(final, mean, np.nan))
    kept = np.array([param in candidate for candidate in candidates])
    several = len(set(_settings(_those(candidates, kept), param)[0])) > _FEW_SETTINGS
    if several and (kept & final).any():
        kept &= final  # the best of scores of few rows and of all would be no score of either
    candidates, mean, std, final = _those(candidates, kept), mean[kept], std[kept], final[kept]
    if not np.isfinite(mean).any():
        raise ValueError(f"No candidate with {param} has a finite mean_test_{score}: all failed.")
    x, axis = _placed([candidate[param] for candidate in candidates], param)
    settings, names = _settings(candidates, param)
    distinct = list(dict.fromkeys(settings))
    everything = np.arange(len(x))
    if len(distinct) <= _FEW_SETTINGS:
        of_setting = [np.array([s == setting for s in settings]) for setting in distinct]
        curves = [
            _curve(setting or None, everything[chosen], x, mean, std)
            for setting, chosen in zip(distinct, of_setting, strict=True)
        ]
        last = [i for i, chosen in enumerate(of_setting) if final[chosen].all()]
        return SearchCurves(curves, axis, label, True, last or [*range(len(curves))], better)
    others = ", ".join(names) if len(names) <= 3 else f"{len(names)} other parameters"
    best, least, most = _best_of_each(x, mean)
    if least == 1:
        # lines between points that differ in more than the weight would show nothing
        curve = _curve(f"each with other settings of {others}", everything, x, mean, std)
        winner = settings[_best_at(everything, x, mean)]
        return SearchCurves([curve], axis, label, False, [0], better, winner)
    number = str(most) if least == most else f"{least} to {most}"
    curve = _curve(f"best of {number} settings of {others}", best, x, mean, std)
    winner = settings[_best_at(best, x, mean)]
    return SearchCurves([curve], axis, label, True, [0], better, winner)


def _best_at(chosen: np.ndarray, x: np.ndarray, mean: np.ndarray) -> int:
    """Return the position of the best candidate; of equal ones that of the smallest weight."""
    chosen = chosen[np.argsort(x[chosen], kind="stable")]
    return int(chosen[np.nanargmax(mean[chosen])])


def _last_round(results: Mapping[str, Any], mean: np.ndarray) -> np.ndarray:
    """Return which candidates the best is chosen among: in halving searches those at the end."""
    rounds = results.get("iter", results.get("n_resources"))
    if rounds is None:
        return np.ones(len(mean), dtype=bool)
    rounds = np.asarray(rounds)
    return rounds == rounds[np.isfinite(mean)].max()


def _those(candidates: list[dict[str, Any]], kept: np.ndarray) -> list[dict[str, Any]]:
    return [candidate for candidate, keep in zip(candidates, kept, strict=True) if keep]


def _folds(results: Mapping[str, Any], score: str) -> str:
    """Return what the mean and the deviation of a score are taken over."""
    scores = rf"split\d+_test_{re.escape(score)}"
    n_folds = len([name for name in results if re.fullmatch(scores, str(name))])
    if n_folds == 1:
        return ": of one fold"
    return f": mean ± std of {n_folds} folds" if n_folds else ": mean ± std"


def _better_without(candidates: list[dict[str, Any]], param: str, mean: np.ndarray) -> str | None:
    """Return what scored better than everything that has the parameter, if anything did."""
    filled = np.where(np.isfinite(mean), mean, -np.inf)
    best = int(np.argmax(filled))
    having = [filled[i] for i, candidate in enumerate(candidates) if param in candidate]
    if param in candidates[best] or filled[best] <= max(having):
        return None
    setting = _settings(candidates, param)[0][best] or "another candidate"
    return f"not drawn, without {param.rpartition('__')[2]}: {mean[best]:.3f} of {setting}"


def _chosen_score(results: Mapping[str, Any], score: str | None) -> str:
    prefix = "mean_test_"
    known = [str(n).removeprefix(prefix) for n in results if str(n).startswith(prefix)]
    if score is None:
        if "score" in known or len(known) == 1:
            return "score" if "score" in known else known[0]
        raise ValueError(
            f"score has to be named, the search has {known or 'none: is it cv_results_?'}."
        )
    if score in known:
        return score
    close = difflib.get_close_matches(score, known, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise ValueError(f"score={score!r} is not in cv_results, which has {known}.{hint}")


def _chosen_param(candidates: list[dict[str, Any]], param: str | None) -> str:
    known = list(dict.fromkeys(name for candidate in candidates for name in candidate))
    if param is not None:
        wanted = param.removeprefix("param_")
        exact = [name for name in known if name == wanted]
        found = exact or [name for name in known if name.endswith(f"__{wanted}")]
    else:
        weights = [name for name in known if name.rpartition("__")[2] in _NAMES]
        varied = [n for n in weights if len({repr(c[n]) for c in candidates if n in c}) > 1]
        found = varied or weights
    if len(found) == 1:
        return found[0]
    if found:
        raise ValueError(f"param has to be named: the search is over {found}.")
    what = "no class_weight, pos_weight or weight_power" if param is None else f"no {param!r}"
    raise ValueError(f"cv_results has {what}. It is over {known}; name one of them with param=.")


def _placed(values: list[Any], param: str) -> tuple[np.ndarray, WeightAxis]:
    """Return where each value is on the axis."""
    tables = {i: _as_mapping(v, param) for i, v in enumerate(values) if not _is_plain(v)}
    if tables and all(value is None for i, value in enumerate(values) if i not in tables):
        # no weights are equal ones
        tables = {i: tables.get(i, {}) for i in range(len(values))}
    ratios, ratio_label = _ratios(list(tables.values()))
    items: list[Any] = list(values)
    for i, ratio in zip(tables, ratios, strict=True):
        items[i] = ratio
    if tables and len(tables) == len(values) and all(0 < ratio < np.inf for ratio in ratios):
        return np.array(ratios), WeightAxis(ratio_label, "log")
    if not tables and all(isinstance(value, Real) for value in values):
        x = np.array(values, dtype=np.float64)
        return x, WeightAxis(param, _scale(np.unique(x)))
    words = list(dict.fromkeys(str(item) for item in items if not isinstance(item, Real)))
    numbers = sorted({float(item) for item in items if isinstance(item, Real)})
    x = np.array(
        [
            len(words) + numbers.index(float(item))
            if isinstance(item, Real)
            else words.index(str(item))
            for item in items
        ],
        dtype=np.float64,
    )
    label = f"{param} (numbers: {ratio_label[0].lower()}{ratio_label[1:]})" if tables else param
    return x, WeightAxis(label, "categories", [*words, *(f"{n:.3g}" for n in numbers)])


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, (str, Real))


def _as_mapping(value: Any, param: str) -> dict[Any, float]:
    """Return weights of classes as a dict, those without names by their position."""
    if hasattr(value, "to_dict"):
        value = value.to_dict()
    if isinstance(value, Mapping):
        return dict(value)
    array = np.asarray(value)
    if array.ndim != 1 or array.dtype.kind not in "fiu" or not len(array):
        raise ValueError(
            f"{param}={_brief(value)} is not one number, as an axis needs. Accepted are numbers, "
            "names, None, and weights of classes as a dict or in one dimension."
        )
    return {f"number {i}": weight for i, weight in enumerate(array.tolist())}


def _ratios(tables: list[dict[Any, float]]) -> tuple[list[float], str]:
    """Return a number for each table of weights, and what it says."""
    classes = list(dict.fromkeys(label for table in tables for label in table))
    weights = np.array([[table.get(k, 1.0) for k in classes] for table in tables], dtype=np.float64)
    if len(classes) > 2:
        with np.errstate(divide="ignore", invalid="ignore"):
            return list(weights.max(axis=1) / weights.min(axis=1)), "Largest / smallest weight"
    names = [shortened(str(label)) for label in classes]
    if len(classes) == 1:
        return list(weights[:, 0]), f"Weight of class {names[0]} / weight of the other"
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = weights[:, 1] / weights[:, 0] if tables else np.empty(0)
        # weights of 0 leave a class out, and say nothing of which is rare
        said = np.log(ratios[np.isfinite(ratios) & (ratios > 0)])
        rare = int(not len(said) or np.sum(said) >= 0)
        ratios = ratios if rare else 1 / ratios
    of = [f"class {name}" for name in names] or ["class 0", "class 1"]
    return list(ratios), f"Weight of {of[rare]} / weight of {of[1 - rare]}"


def _scale(numbers: np.ndarray) -> str:
    """Return the scale for distinct numbers, as scikit-learn's displays choose it: by the gaps."""
    gaps = np.diff(numbers)
    if len(gaps) < 2 or gaps.max() <= 5 * gaps.min():
        return "linear"
    return "log" if numbers[0] > 0 else "symlog"


def _settings(candidates: list[dict[str, Any]], param: str) -> tuple[list[str], list[str]]:
    """Return for each candidate what else it has, and the names of what varies."""
    known = dict.fromkeys(name for candidate in candidates for name in candidate)
    names = [
        name
        for name in known
        if name != param and len({repr(c.get(name, known)) for c in candidates}) > 1
    ]
    step = param.rpartition("__")[0] + "__"
    short = {name: name.removeprefix(step) for name in names}
    settings = [
        ", ".join(f"{short[name]}={_value(c[name])}" for name in names if name in c)
        for c in candidates
    ]
    return settings, list(short.values())


def _value(value: Any) -> str:
    if isinstance(value, str):
        return shorten(value, 30, placeholder="…") if " " in value else value
    return f"{value:.4g}" if isinstance(value, float) else _brief(value)


def _curve(
    label: str | None, chosen: np.ndarray, x: np.ndarray, mean: np.ndarray, std: np.ndarray
) -> Curve:
    x, mean, std = x[chosen], mean[chosen], std[chosen]
    order = np.argsort(x, kind="stable")
    return Curve(label, x[order], mean[order], std[order])


def _best_of_each(x: np.ndarray, mean: np.ndarray) -> tuple[np.ndarray, int, int]:
    """Return the best candidate at each place, and how many there are at least and at most."""
    filled = np.where(np.isfinite(mean), mean, -np.inf)
    at = [np.flatnonzero(x == place) for place in np.unique(x)]
    numbers = [len(rows) for rows in at]
    return np.array([rows[np.argmax(filled[rows])] for rows in at]), min(numbers), max(numbers)
